//! A recording as text for people: one paragraph a message.
//!
//! One rule: what a device sent is hostile to a terminal. Characters that control one are shown, never sent.

use super::{Message, Recording, Side};

/// The text of a session's recording.
pub(crate) fn trace(session: i64, identity: &str, recording: &Recording) -> String {
    let mut out = format!("session {session} of {identity}: {} messages\n", recording.messages.len());
    if recording.left_out > 0 {
        out += &format!("{} more are left out\n", recording.left_out);
    }
    recording.messages.iter().for_each(|message| paragraph(&mut out, message));
    out
}

fn paragraph(out: &mut String, message: &Message) {
    let arrow = match message.from {
        Side::Device => "device ▶",
        Side::Hems => "◀ H(e)MS",
    };
    let method = message.method.as_deref().unwrap_or("nothing");
    *out += &format!("\n{}  {arrow}  {}, {} bytes", message.at, harmless(method), message.bytes);
    let marks = [
        (message.is_operators, "a queued call".to_owned()),
        (message.redacted > 0, format!("{} redacted", message.redacted)),
        (message.cut > 0, format!("{} bytes cut", message.cut)),
    ];
    marks.into_iter().filter(|(is_so, _)| *is_so).for_each(|(_, mark)| out.extend([", ", &mark]));
    if let Some(note) = &message.note {
        out.extend([", ", note]);
    }
    out.push('\n');
    // One element a line is what people can read; the text between them is untouched.
    for line in message.body.trim().split('\n').flat_map(|line| line.split_inclusive("><")) {
        let (begun, line) = line.strip_suffix('<').map_or(("", line), |line| ("<", line));
        out.push_str(&harmless(line));
        out.push_str(if begun.is_empty() { "\n" } else { "\n<" });
    }
}

/// Text with its control characters shown, and those that hide text or turn it round.
fn harmless(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control() && c != '\t'
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().map(|c| if is_harmful(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}
