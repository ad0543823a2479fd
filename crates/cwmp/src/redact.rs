//! A message's text without what nobody else may read, for whoever keeps messages.
//!
//! The text stays as its sender wrote it, but for secrets, and for comments, which nobody can judge:
//!
//! ```text
//!  <Name>A.Password</Name><Value>x</Value>  ─▶  <Name>A.Password</Name><Value>[redacted]</Value>
//!  <Password>x</Password>                   ─▶  <Password>[redacted]</Password>
//!  https://user:x@host/path?key=x           ─▶  https://[redacted]@host/path?[redacted]
//! ```
//!
//! One rule: what cannot be read to its end has no text at all.

use std::{borrow::Cow, ops::Range};

use crate::{DecodeError, Limits, Text, cursor::Cursor, strict::Deviations, writer::Writer};

/// Stands where something was taken out.
pub const REDACTED: &str = "[redacted]";

/// A message's text without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The text; empty for the empty message.
    pub text: String,
    /// In how many places something was taken out.
    pub count: usize,
}

/// Takes out of a message the values of secret parameters and elements, and of URLs what stands before the host and
/// after the question mark. `is_secret` is asked about paths of parameters and about local names of elements.
///
/// # Errors
/// Why the message cannot be read to its end.
pub fn redact(
    body: &Text,
    limits: &Limits,
    is_secret: &dyn Fn(&str) -> bool,
) -> Result<Redacted, DecodeError> {
    if body.trim_ascii().is_empty() {
        return Ok(Redacted { text: String::new(), count: 0 });
    }
    let mut cursor = Cursor::new(body, *limits, Deviations::default())?;
    cursor.within("bytes", body.len(), limits.bytes)?;
    cursor.keeps_text = true;
    let mut sheet =
        Sheet { body, is_secret, pieces: Vec::new(), elements: Vec::new(), written_to: 0, count: 0 };
    loop {
        let child = cursor.child()?;
        let said = std::mem::take(&mut cursor.stray);
        match child {
            Some(element) => sheet.open(cursor.place(), &said, element.local()),
            None if sheet.elements.is_empty() => return Ok(sheet.finish()),
            None => sheet.close(cursor.place(), &said),
        }
    }
}

/// Elements that name a parameter, and those beside them that tell its value.
const NAMES: [&str; 2] = ["Name", "ParameterName"];
const VALUES: [&str; 2] = ["Value", "FaultString"];
/// The element that tells of one parameter of several, beside what is said of all of them.
const DETAIL: &str = "SetParameterValuesFault";

/// The message as it will be written.
struct Sheet<'b> {
    body: &'b str,
    is_secret: &'b dyn Fn(&str) -> bool,
    pieces: Vec<Cow<'b, str>>,
    /// Those that are open, the root first.
    elements: Vec<Open>,
    /// Up to where the body is among the pieces.
    written_to: usize,
    count: usize,
}

/// An element that is open.
#[derive(Default)]
struct Open {
    local: String,
    /// The first piece of its content.
    content: usize,
    /// Whether one of its children names a parameter, and whether one names a secret.
    has_name: bool,
    is_secret: bool,
    /// The contents of its children that may tell it.
    values: Vec<Range<usize>>,
}

impl Sheet<'_> {
    fn open(&mut self, place: (usize, usize), said: &str, local: &str) {
        self.take(place, said);
        let content = self.pieces.len();
        self.elements.push(Open { local: local.to_owned(), content, ..Open::default() });
    }

    fn close(&mut self, place: (usize, usize), said: &str) {
        // The end tag is a piece of its own, behind the content.
        self.take(place, said);
        let Some(closed) = self.elements.pop() else { return };
        let content = closed.content..self.pieces.len().saturating_sub(1);
        let is_one_of = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(&closed.local));
        let (is_name, is_value, is_detail) = (is_one_of(&NAMES), is_one_of(&VALUES), is_one_of(&[DETAIL]));
        if (self.is_secret)(&closed.local) {
            self.hide(content);
        } else if let Some(above) = self.elements.last_mut() {
            above.has_name |= is_name;
            above.is_secret |= is_name && (self.is_secret)(said.trim());
            // Others may stand around a name or a value; and what is said of all of them may tell one.
            above.is_secret |= closed.is_secret && (is_detail || closed.values.is_empty());
            if is_value {
                above.values.push(content);
            }
            if !closed.has_name {
                above.values.extend(closed.values.iter().cloned());
            }
        }
        if closed.is_secret {
            closed.values.into_iter().for_each(|value| self.hide(value));
        }
    }

    /// Takes up what stands before a tag, and the tag.
    fn take(&mut self, (begin, end): (usize, usize), said: &str) {
        let (body, from) = (self.body, self.written_to);
        let part = |range: Range<usize>| body.get(range).unwrap_or_default();
        let before = self.before(part(from..begin), said);
        let tag = match without_secrets(part(begin..end)) {
            Some((text, count)) => {
                self.count += count;
                Cow::Owned(text)
            }
            None => Cow::Borrowed(part(begin..end)),
        };
        self.pieces.extend([before, tag]);
        self.written_to = end;
    }

    /// Text as it was written, or as what it says where comments, other forms of text or secrets stand in it.
    fn before<'b>(&mut self, raw: &'b str, said: &str) -> Cow<'b, str> {
        let without = without_secrets(said);
        self.count += without.as_ref().map_or(0, |(_, count)| *count);
        let is_plain = !raw.contains('<') && (!said.is_empty() || raw.trim_ascii().is_empty());
        if is_plain && without.is_none() {
            return Cow::Borrowed(raw);
        }
        let mut out = Writer::with_capacity(said.len());
        out.escaped(without.as_ref().map_or(said, |(text, _)| text));
        Cow::Owned(out.finish())
    }

    /// What is empty tells nothing, and stays.
    fn hide(&mut self, content: Range<usize>) {
        let Some(pieces) = self.pieces.get_mut(content) else { return };
        if pieces.iter().all(|piece| piece.is_empty())
            || pieces.first().is_some_and(|first| first == REDACTED)
        {
            return;
        }
        pieces.fill(Cow::Borrowed(""));
        if let Some(first) = pieces.first_mut() {
            *first = Cow::Borrowed(REDACTED);
        }
        self.count += 1;
    }

    fn finish(self) -> Redacted {
        Redacted { text: self.pieces.concat(), count: self.count }
    }
}

/// A text with URLs without what stands before their hosts and after their question marks; nothing where none has any.
fn without_secrets(text: &str) -> Option<(String, usize)> {
    let (mut out, mut rest, mut count) = (String::new(), text, 0);
    while let Some((before, url)) = rest.split_once("://") {
        let (authority, tail) = split(url, |c| is_end(c) || matches!(c, '/' | '?' | '#'));
        // In a list without blanks the next URL's scheme is no port of this one's host.
        let next = authority.strip_suffix(':').filter(|_| tail.starts_with("//"));
        let (authority, tail) = url.split_at(next.unwrap_or(authority).len());
        let (path, behind) = split(tail, is_end);
        let (host, is_named) =
            authority.rsplit_once('@').map_or((authority, false), |(_, host)| (host, true));
        out.extend([
            before,
            "://",
            if is_named { REDACTED } else { "" },
            if is_named { "@" } else { "" },
            host,
        ]);
        count += usize::from(is_named);
        rest = match path.split_once('?') {
            Some((path, query)) if !query.is_empty() && !path.contains("://") => {
                out.extend([path, "?", REDACTED]);
                count += 1;
                behind
            }
            _ => tail,
        };
    }
    out.push_str(rest);
    (count > 0).then_some((out, count))
}

fn split(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

/// Whether a URL in a text ends here.
fn is_end(c: char) -> bool {
    c.is_whitespace() || matches!(c, '<' | '>' | '"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_secret(name: &str) -> bool {
        name.ends_with("Password")
    }

    fn redacted(body: &str) -> (String, usize) {
        let redacted = redact(&Text::from(body), &Limits::default(), &is_secret).unwrap();
        (redacted.text, redacted.count)
    }

    #[track_caller]
    fn check(body: &str, expected: &str, count: usize) {
        assert_eq!(redacted(body), (expected.to_owned(), count));
        // What has no secret any more stays as it is.
        assert_eq!(redacted(expected).0, expected);
    }

    #[test]
    fn a_message_without_secrets_stays_as_it_was_written() {
        for body in [
            "<a:e xmlns:a='http://x/y'>\n  <Value  >1 &amp; 2</Value>\r\n <b/></a:e>",
            "<a><Name>D.URL</Name><Value>https://host:7547/path#at</Value></a>",
        ] {
            assert_eq!(redacted(body), (body.to_owned(), 0));
        }
        assert_eq!(redacted(" \n"), (String::new(), 0));
    }

    #[test]
    fn the_value_of_a_secret_parameter_is_taken_out_wherever_it_stands() {
        let mark = REDACTED;
        check(
            "<s><Name> D.Password </Name><Value t='x'>a&lt;b</Value></s>",
            &format!("<s><Name> D.Password </Name><Value t='x'>{mark}</Value></s>"),
            1,
        );
        check(
            "<l><s><value>a</value><name>D.Password</name></s><s><Name>D.A</Name><Value>a</Value></s></l>",
            &format!(
                "<l><s><value>{mark}</value><name>D.Password</name></s><s><Name>D.A</Name><Value>a</Value></s></l>"
            ),
            1,
        );
        check(
            "<s><Name><![CDATA[D.Password]]></Name><Value><x>a</x>b</Value></s>",
            &format!("<s><Name>D.Password</Name><Value>{mark}</Value></s>"),
            1,
        );
        check(
            "<s><w><Name>D.Password</Name></w><v><Value>a</Value></v></s>",
            &format!("<s><w><Name>D.Password</Name></w><v><Value>{mark}</Value></v></s>"),
            1,
        );
        check("<s><Name>D.Password</Name><Value/></s>", "<s><Name>D.Password</Name><Value/></s>", 0);
    }

    #[test]
    fn a_secret_element_is_emptied_and_a_fault_about_a_secret_says_nothing() {
        let mark = REDACTED;
        check(
            "<d><Password>a</Password><URL>x</URL></d>",
            &format!("<d><Password>{mark}</Password><URL>x</URL></d>"),
            1,
        );
        let detail = "<SetParameterValuesFault><ParameterName>D.Password</ParameterName><FaultString>";
        let end = "</FaultString></SetParameterValuesFault></Fault>";
        check(
            &format!("<Fault><FaultString>no: a</FaultString>{detail}a{end}"),
            &format!("<Fault><FaultString>{mark}</FaultString>{detail}{mark}{end}"),
            2,
        );
    }

    #[test]
    fn a_url_loses_its_user_and_its_query_in_texts_and_in_attributes() {
        let mark = REDACTED;
        check(
            "<a u='ftp://u:p@h/'><b>see https://u:p&#64;h/f?k=1 and http://v@w</b></a>",
            &format!("<a u='ftp://{mark}@h/'><b>see https://{mark}@h/f?{mark} and http://{mark}@w</b></a>"),
            4,
        );
        check("<a>http://h/?a@b,http://u@h</a>", &format!("<a>http://h/?{mark}</a>"), 1);
        check("<a>http://h,http://u:p@h</a>", &format!("<a>http://h,http://{mark}@h</a>"), 1);
    }

    #[test]
    fn comments_and_what_stands_around_the_message_are_left_out() {
        check("<?xml version='1.0'?><a><!-- p --><b>1<!-- p -->2</b></a>", "<a><b>12</b></a>", 0);
        check("<a/>\0\0", "<a/>", 0);
    }

    #[test]
    fn what_cannot_be_read_to_its_end_has_no_text() {
        let limits = Limits { bytes: 100, ..Limits::default() };
        for body in
            ["<a><Password>x", "x<a/>", "<!DOCTYPE a><a/>", "<a></b>", &format!("<a>{}</a>", "x".repeat(100))]
        {
            assert!(redact(&Text::from(body), &limits, &is_secret).is_err(), "{body}");
        }
    }
}
