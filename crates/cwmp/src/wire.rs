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

    /// Whether the schema lets it be absent.
    const IS_OPTIONAL: bool = false;

    /// Reports what the schema's rule of the element at `offset` does not allow.
    fn check(&self, _cursor: &mut Cursor<'_>, _offset: usize, _rule: &Rule) {}

    /// Whether `xsi:type` may name this type: one that the element's own is derived to.
    fn may_be(_kind: &str, _rule: &Rule) -> bool {
        true
    }

    /// What two elements of the same name make: the later one, which is reported.
    fn again(self, later: Self, cursor: &mut Cursor<'_>) -> Self {
        cursor.forgive(Leniency::Repeated);
        later
    }

    /// One of the values that the schema allows in an element `name`, drawn from a seed.
    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self;
}

/// Members of an array. (TR-069 3.5, H-14)
pub(crate) trait Member: Wire {
    /// The element's name, which is the type's.
    const ELEMENT: &'static str;
    /// The type as `arrayType` names it.
    const TYPE: &'static str;

    /// One whose element had another name, as it would have been read under its own.
    fn under_its_own_name(self, _cursor: &mut Cursor<'_>) -> Self {
        self
    }
}

/// Elements that devices in the field leave out, and the text that then stands for them.
const ABSENT_TEXTS: &[&str] = &[
    "CommandKey",
    "ParameterKey",
    "FaultString",
    "ProductClass",
    "Username",
    "Password",
    "TargetFileName",
    "SuccessURL",
    "FailureURL",
];

/// Texts that are names: white space around them means nothing.
const NAMES: &[&str] =
    &["Name", "string", "EventCode", "OUI", "ObjectName", "ParameterPath", "ParameterName", "ID"];

/// Text without the white space around it, where it is a name.
pub(crate) fn unpadded(cursor: &mut Cursor<'_>, element: &Element<'_>, text: Text) -> Text {
    if NAMES.contains(&element.local()) { trimmed(cursor, text) } else { text }
}

/// Text without the white space around it.
fn trimmed(cursor: &mut Cursor<'_>, text: Text) -> Text {
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

    fn may_be(kind: &str, rule: &Rule) -> bool {
        kind != "string" || rule.is_none()
    }

    fn absent(name: &str) -> Option<Self> {
        ABSENT_TEXTS.contains(&name).then(Self::new)
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self {
        crate::sample::text(seed, name).into()
    }
}

/// Reads a number: an empty element counts as an absent one.
fn number<T: Wire + FromStr>(
    cursor: &mut Cursor<'_>,
    element: &Element<'_>,
    expected: &'static str,
) -> Result<T, DecodeError> {
    let text = scalar(cursor)?;
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let neutral = T::absent(element.local()).filter(|_| text.is_empty());
    neutral
        .inspect(|_| cursor.forgive(Leniency::EmptyElement))
        .ok_or_else(|| cursor.bad_value(element.local(), &text, expected))
}

/// Reads text that is no string: white space around it is padding.
fn scalar(cursor: &mut Cursor<'_>) -> Result<Text, DecodeError> {
    let text = cursor.text()?;
    Ok(trimmed(cursor, text))
}

impl Wire for u32 {
    fn encode(&self, out: &mut Writer, name: &str) {
        out.leaf(name, &self.to_string());
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        number(cursor, element, "a number from 0 to 4294967295")
    }

    fn absent(name: &str) -> Option<Self> {
        match name {
            "RetryCount" | "FileSize" | "DelaySeconds" => Some(0),
            "MaxEnvelopes" => Some(1),
            _ => None,
        }
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self {
        crate::sample::number(seed, name)
    }
}

impl Wire for i32 {
    fn encode(&self, out: &mut Writer, name: &str) {
        out.leaf(name, &self.to_string());
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        number(cursor, element, "a number from -2147483648 to 2147483647")
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, _name: &str) -> Self {
        seed.below(3).cast_signed() - 1
    }
}

impl Wire for bool {
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
            odd => Err(cursor.bad_value(element.local(), odd, "true or false")),
        }
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, _name: &str) -> Self {
        seed.below(2) == 1
    }
}

impl Wire for DateTime {
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

    fn check(&self, cursor: &mut Cursor<'_>, offset: usize, rule: &Rule) {
        self.0.check(cursor, offset, rule);
    }

    fn may_be(kind: &str, rule: &Rule) -> bool {
        Text::may_be(kind, rule)
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, _name: &str) -> Self {
        seed.pick(&crate::sample::events())
    }
}

impl Wire for FaultCode {
    fn encode(&self, out: &mut Writer, name: &str) {
        self.0.encode(out, name);
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        u32::decode(cursor, element).map(Self)
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, _name: &str) -> Self {
        seed.pick(crate::sample::FAULT_CODES)
    }
}

impl Member for Text {
    const ELEMENT: &'static str = "string";
    const TYPE: &'static str = "xsd:string";

    fn under_its_own_name(self, cursor: &mut Cursor<'_>) -> Self {
        trimmed(cursor, self)
    }
}

impl<T: Member> Wire for Vec<T> {
    fn encode(&self, out: &mut Writer, name: &str) {
        out.open_array(name, T::TYPE, self.len());
        self.iter().for_each(|member| member.encode(out, T::ELEMENT));
        out.close(name);
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        let mut members = Self::new();
        while let Some(child) = cursor.child()? {
            let is_named_otherwise = child.local() != T::ELEMENT;
            if is_named_otherwise {
                cursor.forgive(Leniency::ArrayMember);
            }
            if child.namespace != Namespace::None {
                cursor.forgive(Leniency::QualifiedChild);
            }
            let member = T::decode(cursor, &child)?;
            members.push(if is_named_otherwise { member.under_its_own_name(cursor) } else { member });
        }
        check_array_type(cursor, element, T::TYPE, members.len());
        Ok(members)
    }

    fn check(&self, cursor: &mut Cursor<'_>, offset: usize, rule: &Rule) {
        rule.check_count(cursor, offset, self.len());
        if rule.is_of_text() {
            self.iter().for_each(|member| member.check(cursor, offset, rule));
        }
    }

    fn may_be(kind: &str, _rule: &Rule) -> bool {
        kind != "Array"
    }

    fn absent(name: &str) -> Option<Self> {
        matches!(name, "ParameterList" | "MethodList").then(Self::new)
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self {
        (0..=seed.below(crate::sample::most(name))).map(|_| T::sample(seed, name)).collect()
    }
}

/// Reports an `arrayType` that is absent, names another type than `member`, or counts wrongly.
fn check_array_type(cursor: &mut Cursor<'_>, element: &Element<'_>, member: &str, count: usize) {
    let Some(said) = &element.said.array_type else {
        return cursor.forgive_at(Leniency::ArrayTypeMissing, element.offset);
    };
    if said.bytes().any(|byte| byte.is_ascii_whitespace()) {
        cursor.forgive_at(Leniency::Padding, element.offset);
    }
    let (name, said) = said.split_once('[').unwrap_or((said, ""));
    if local(name) != local(member) {
        cursor.forgive_at(Leniency::ArrayTypeName, element.offset);
    }
    let said = said.trim_ascii_end().strip_suffix(']').and_then(|said| said.trim_ascii().parse().ok());
    if said != Some(count) {
        cursor.forgive_at(Leniency::ArrayCount, element.offset);
    }
}

/// The name behind a prefix.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or_default().trim_ascii()
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

    fn may_be(kind: &str, rule: &Rule) -> bool {
        T::may_be(kind, rule)
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self {
        (seed.below(2) == 1).then(|| T::sample(seed, name))
    }
}

/// Elements that repeat under the same name without an array around them. (TR-069 A.4.1.10)
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Each<T>(pub Vec<T>);

/// What stands in [`Each`]: devices in the field put it into an array, or into an element of its type's name.
pub(crate) trait Repeated: Wire {
    /// Whether an element of this name holds one of these.
    fn is_wrapped_in(element: &str) -> bool;
}

impl<T: Repeated> Wire for Each<T> {
    fn encode(&self, out: &mut Writer, name: &str) {
        self.0.iter().for_each(|one| one.encode(out, name));
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        let says_what_it_is = element.said.xsi_type.as_deref().is_some_and(|kind| kind != "Array");
        if says_what_it_is {
            return T::decode(cursor, element).map(|one| Self(vec![one]));
        }
        let mut each = Vec::new();
        while let Some(child) = cursor.child()? {
            if !T::is_wrapped_in(child.local()) {
                cursor.unread(child);
                return T::decode(cursor, element).map(|one| Self(vec![one]));
            }
            cursor.forgive(Leniency::Wrapped);
            each.push(T::decode(cursor, &child)?);
        }
        Ok(Self(each))
    }

    fn absent(_name: &str) -> Option<Self> {
        Some(Self(Vec::new()))
    }

    fn again(mut self, later: Self, _cursor: &mut Cursor<'_>) -> Self {
        self.0.extend(later.0);
        self
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self {
        Self((0..=seed.below(3)).map(|_| T::sample(seed, name)).collect())
    }
}

/// Octets in base 64, as the sender wrote them. (TR-069 A.4.1.3)
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Base64(pub Text);

impl Wire for Base64 {
    fn encode(&self, out: &mut Writer, name: &str) {
        self.0.encode(out, name);
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        Text::decode(cursor, element).map(Self)
    }

    #[cfg(test)]
    fn sample(_seed: &mut Seed, _name: &str) -> Self {
        Self("aGVhcnRo".into())
    }
}

impl Member for Base64 {
    const ELEMENT: &'static str = "base64";
    const TYPE: &'static str = "soap-enc:base64";
}
