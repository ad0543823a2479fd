//! What stands inside one element: the two directions of every type of the table.
//!
//! One rule: strict in what is written, tolerant of form in what is read, and every tolerance is
//! reported.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[cfg(test)]
use crate::sample::Seed;
use crate::{
    DateTime, DecodeError, EventCode, FaultCode, Leniency, Text,
    cursor::{Cursor, Element},
    namespace::Namespace,
    parameter::is_base64,
    rule::Rule,
    writer::Writer,
};

/// Content of one element.
pub(crate) trait Wire: Sized {
    /// Writes the element `name`.
    fn encode(&self, out: &mut Writer, name: &str);

    /// Reads the element that the cursor has entered, through its end.
    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError>;

    /// What stands for an element that is absent; nothing where it is indispensable.
    fn absent(_name: &str) -> Option<Self> {
        None
    }

    /// How its absence is reported.
    const ABSENCE: Leniency = Leniency::MissingElement;

    /// Whether the schema lets it be absent.
    const IS_OPTIONAL: bool = false;

    /// Reports what the schema's rule of the element at `offset` does not allow.
    fn check(&self, _cursor: &mut Cursor<'_>, _offset: usize, _rule: &Rule) {}

    /// What XML Schema calls this and derives from it: `xsi:type` may name these.
    const TYPES: &[&str] = &[];

    /// What CWMP calls a structure; nothing for what is none.
    const STRUCT: &str = "";

    /// Whether `xsi:type` may say what it says.
    fn may_be(element: &Element<'_>, rule: &Rule) -> bool {
        let kind = element.said.xsi_type.as_deref().unwrap_or_default();
        match element.said.type_namespace {
            Some(Namespace::Xsd) => rule.is_none() && Self::TYPES.contains(&kind),
            Some(Namespace::Cwmp(_)) => {
                let is_member = kind == Self::MEMBER;
                kind == Self::STRUCT || (is_called_after(kind, element.local()) && !is_member)
            }
            Some(Namespace::Encoding) => kind == "base64" && Self::TYPES.contains(&"base64"),
            _ => false,
        }
    }

    /// What two elements of the same name make, which is reported.
    fn again(self, later: Self, cursor: &mut Cursor<'_>) -> Self {
        cursor.forgive(Leniency::Repeated);
        self.joined(later)
    }

    /// What two of these make: the later one, but of lists both.
    fn joined(self, later: Self) -> Self {
        later
    }

    /// What the members of a list are called; nothing for what is no list.
    const MEMBER: &'static str = "";

    /// Reads a member that stands without its list.
    fn adopt(cursor: &mut Cursor<'_>, child: &Element<'_>) -> Result<Self, DecodeError> {
        Self::decode(cursor, child)
    }

    /// One of the values that the schema allows in an element `name`, drawn from a seed.
    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self;
}

/// Whether a type of the schema is called after the element: `CommandKeyType`, `DeviceIdStruct`, `EventList`.
fn is_called_after(kind: &str, element: &str) -> bool {
    kind.strip_prefix(element).is_some_and(|rest| matches!(rest, "" | "Type" | "Struct" | "List"))
}

/// Elements without which nobody knows what is meant; for any other, what is neutral stands.
pub(crate) const INDISPENSABLE: &[&str] = &["DeviceId", "ObjectName", "URL", "Name", "InstanceNumber"];

/// Texts that are names: white space around them means nothing.
const NAMES: &[&str] = &[
    "Name",
    "string",
    "EventCode",
    "Manufacturer",
    "OUI",
    "ProductClass",
    "SerialNumber",
    "ObjectName",
    "ParameterPath",
    "ParameterName",
    "ID",
];

/// Text without the white space around it, where it is a name, or a key on a line of its own.
pub(crate) fn unpadded(cursor: &mut Cursor<'_>, element: &Element<'_>, text: Text) -> Text {
    let is_line = || {
        text.trim_start_matches(['\r', ' ']).starts_with('\n')
            && text.trim_end_matches([' ', '\t']).ends_with('\n')
    };
    let is_padding = match element.local() {
        "CommandKey" => is_line(),
        name => NAMES.contains(&name),
    };
    if is_padding { trimmed(cursor, text) } else { text }
}

/// Text without the white space around it.
pub(crate) fn trimmed(cursor: &mut Cursor<'_>, text: Text) -> Text {
    let trimmed = text.trim_ascii();
    if trimmed.len() == text.len() {
        return text;
    }
    cursor.forgive(Leniency::Padding);
    if trimmed.is_empty() { Text::new() } else { text.slice_ref(trimmed) }
}

impl Wire for Text {
    fn encode(&self, out: &mut Writer, name: &str) {
        out.leaf(name, self);
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        let text = cursor.text()?;
        Ok(unpadded(cursor, element, text))
    }

    fn check(&self, cursor: &mut Cursor<'_>, offset: usize, rule: &Rule) {
        rule.check_text(cursor, offset, self);
    }

    const TYPES: &[&str] = &["string", "normalizedString", "token"];

    fn absent(name: &str) -> Option<Self> {
        (!INDISPENSABLE.contains(&name)).then(Self::new)
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self {
        crate::sample::text(seed, name).into()
    }
}

/// Reads a number: an empty element, or one with something else in it, counts as an absent one.
fn number<T: Wire + FromStr>(
    cursor: &mut Cursor<'_>,
    element: &Element<'_>,
    expected: &'static str,
) -> Result<T, DecodeError> {
    let text = scalar(cursor)?;
    if let Ok(number) = text.parse() {
        // Of the two kinds of numbers only the signed one has a sign in XML Schema.
        if text.starts_with('+') && T::TYPES.contains(&"unsignedInt") {
            cursor.forgive_at(Leniency::ValueForm, element.offset);
        }
        return Ok(number);
    }
    neutral(cursor, element, &text, expected)
}

/// Reads a number with a meaning.
pub(crate) fn numbered<T: Wire + From<u32>>(
    cursor: &mut Cursor<'_>,
    element: &Element<'_>,
) -> Result<T, DecodeError> {
    let text = scalar(cursor)?;
    match text.parse::<u32>() {
        Ok(number) => Ok(T::from(number)),
        Err(_) => neutral(cursor, element, &text, "a number of the standard"),
    }
}

/// What stands for an element whose text is none of its type.
fn neutral<T: Wire>(
    cursor: &mut Cursor<'_>,
    element: &Element<'_>,
    text: &str,
    expected: &'static str,
) -> Result<T, DecodeError> {
    let Some(value) = T::absent(element.local()) else {
        return Err(cursor.bad_value(element.local(), text, expected));
    };
    cursor.forgive(if text.is_empty() { Leniency::EmptyElement } else { Leniency::OddValue });
    Ok(value)
}

/// Reads text that is no string: white space around it is padding.
fn scalar(cursor: &mut Cursor<'_>) -> Result<Text, DecodeError> {
    let text = cursor.text()?;
    Ok(trimmed(cursor, text))
}

impl Wire for u32 {
    const TYPES: &[&str] = &["unsignedInt", "unsignedShort", "unsignedByte"];

    fn encode(&self, out: &mut Writer, name: &str) {
        out.leaf(name, &self.to_string());
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        number(cursor, element, "a number from 0 to 4294967295")
    }

    fn check(&self, cursor: &mut Cursor<'_>, offset: usize, rule: &Rule) {
        rule.check_number(cursor, offset, *self);
    }

    fn absent(name: &str) -> Option<Self> {
        match name {
            "MaxEnvelopes" => Some(1),
            _ => (!INDISPENSABLE.contains(&name)).then_some(0),
        }
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self {
        crate::sample::number(seed, name)
    }
}

impl Wire for i32 {
    const TYPES: &[&str] = &["int", "short", "byte"];

    fn encode(&self, out: &mut Writer, name: &str) {
        out.leaf(name, &self.to_string());
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        number(cursor, element, "a number from -2147483648 to 2147483647")
    }

    fn absent(_name: &str) -> Option<Self> {
        Some(0)
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, _name: &str) -> Self {
        seed.below(3).cast_signed() - 1
    }
}

impl Wire for bool {
    const TYPES: &[&str] = &["boolean"];

    fn encode(&self, out: &mut Writer, name: &str) {
        out.leaf(name, if *self { "true" } else { "false" });
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        let text = scalar(cursor)?;
        match &*text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            odd if odd.eq_ignore_ascii_case("true") => {
                cursor.forgive(Leniency::BooleanCase);
                Ok(true)
            }
            odd if odd.eq_ignore_ascii_case("false") => {
                cursor.forgive(Leniency::BooleanCase);
                Ok(false)
            }
            odd => neutral(cursor, element, odd, "true or false"),
        }
    }

    fn absent(_name: &str) -> Option<Self> {
        Some(false)
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, _name: &str) -> Self {
        seed.below(2) == 1
    }
}

impl Wire for DateTime {
    const TYPES: &[&str] = &["dateTime"];

    fn encode(&self, out: &mut Writer, name: &str) {
        out.leaf(name, &self.0);
    }

    fn decode(cursor: &mut Cursor<'_>, _: &Element<'_>) -> Result<Self, DecodeError> {
        let at = Self(scalar(cursor)?);
        if !at.is_well_formed() {
            cursor.forgive(Leniency::MalformedTime);
        }
        Ok(at)
    }

    fn absent(_name: &str) -> Option<Self> {
        Some(Self::UNKNOWN)
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, _name: &str) -> Self {
        let at = jiff::Timestamp::from_second(i64::from(seed.below(u32::MAX)));
        at.map_or(Self::UNKNOWN, Self::from)
    }
}

impl Wire for EventCode {
    fn encode(&self, out: &mut Writer, name: &str) {
        self.0.encode(out, name);
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        Text::decode(cursor, element).map(Self)
    }

    fn absent(name: &str) -> Option<Self> {
        Text::absent(name).map(Self)
    }

    fn check(&self, cursor: &mut Cursor<'_>, offset: usize, rule: &Rule) {
        self.0.check(cursor, offset, rule);
    }

    const TYPES: &[&str] = Text::TYPES;

    #[cfg(test)]
    fn sample(seed: &mut Seed, _name: &str) -> Self {
        seed.pick(&crate::sample::events(seed.1))
    }
}

impl Wire for FaultCode {
    fn encode(&self, out: &mut Writer, name: &str) {
        self.0.encode(out, name);
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        let text = scalar(cursor)?;
        if let Ok(code) = text.parse() {
            return Ok(Self(code));
        }
        if text.is_empty() {
            return neutral(cursor, element, &text, "a fault code");
        }
        // Seen in the field: the code and its meaning in one; a fault without a number is still none of success.
        cursor.forgive(Leniency::OddValue);
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let code = text.get(..digits).and_then(|code| code.parse().ok());
        Ok(code.map_or(Self::INTERNAL_ERROR, Self))
    }

    fn absent(_name: &str) -> Option<Self> {
        Some(Self(0))
    }

    fn check(&self, cursor: &mut Cursor<'_>, offset: usize, rule: &Rule) {
        rule.check_number(cursor, offset, self.0);
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, _name: &str) -> Self {
        seed.pick(crate::sample::FAULT_CODES)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn encode(&self, out: &mut Writer, name: &str) {
        if let Some(value) = self {
            value.encode(out, name);
        }
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        T::decode(cursor, element).map(Some)
    }

    const IS_OPTIONAL: bool = true;

    fn absent(_name: &str) -> Option<Self> {
        Some(None)
    }

    fn check(&self, cursor: &mut Cursor<'_>, offset: usize, rule: &Rule) {
        self.iter().for_each(|value| value.check(cursor, offset, rule));
    }

    fn may_be(element: &Element<'_>, rule: &Rule) -> bool {
        T::may_be(element, rule)
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self {
        (seed.below(2) == 1).then(|| T::sample(seed, name))
    }
}

/// Octets in base 64, as the sender wrote them. (TR-069 A.4.1.3)
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Base64(pub Text);

impl Wire for Base64 {
    const TYPES: &[&str] = &["base64"];

    fn encode(&self, out: &mut Writer, name: &str) {
        self.0.encode(out, name);
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        let text = Text::decode(cursor, element)?;
        if !is_base64(&text) {
            cursor.forgive(Leniency::TextForm);
        }
        Ok(Self(text))
    }

    #[cfg(test)]
    fn sample(_seed: &mut Seed, _name: &str) -> Self {
        Self("aGVhcnRo".into())
    }
}

impl crate::array::Member for Base64 {
    const ELEMENT: &'static str = "base64";
    const TYPE: &'static str = "soap-enc:base64";
}
