//! Writes envelopes, strictly: the only writer of XML.
//!
//! One rule: whatever stands in a text, what comes out is well-formed. Characters that XML 1.0
//! cannot carry become U+FFFD.

/// An envelope in the making.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: String,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { out: String::with_capacity(bytes) }
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    /// Writes mark-up that needs no escape.
    pub(crate) fn raw(&mut self, markup: &str) {
        self.out.push_str(markup);
    }

    pub(crate) fn open(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
    }

    pub(crate) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// One element that holds text.
    pub(crate) fn leaf(&mut self, name: &str, text: &str) {
        self.open(name);
        self.escaped(text);
        self.close(name);
    }

    /// Opens an array of `count` members of `member`, a qualified type. (TR-069 3.5, H-14)
    pub(crate) fn open_array(&mut self, name: &str, member: &str, count: usize) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(" soap-enc:arrayType=\"");
        self.out.push_str(member);
        self.out.push('[');
        self.out.push_str(&count.to_string());
        self.out.push_str("]\">");
    }

    /// One element that says the type of its text. (TR-069 3.5, H-15)
    pub(crate) fn typed_leaf(&mut self, name: &str, xsi_type: &str, text: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(" xsi:type=\"");
        self.out.push_str(xsi_type);
        self.out.push_str("\">");
        self.escaped(text);
        self.close(name);
    }

    /// Text with whatever XML reserves escaped.
    pub(crate) fn escaped(&mut self, text: &str) {
        if text.bytes().all(is_plain) {
            self.out.push_str(text);
        } else {
            text.chars().for_each(|character| self.character(character));
        }
    }

    fn character(&mut self, character: char) {
        match character {
            '&' => self.out.push_str("&amp;"),
            '<' => self.out.push_str("&lt;"),
            '>' => self.out.push_str("&gt;"),
            // A bare one would come back as a line feed. (XML 1.0 2.11)
            '\r' => self.out.push_str("&#13;"),
            _ if is_carried(character) => self.out.push(character),
            _ => self.out.push('\u{fffd}'),
        }
    }
}

/// Whether XML can carry a character; what it cannot would arrive as another. (XML 1.0 2.2)
#[must_use]
pub fn is_carried(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'&' | b'<' | b'>')
}
