//! What stands inside one element: the two directions of every type of the table.
//!
//! One rule: strict in what is written, tolerant of form in what is read, and every tolerance is
//! reported.

use serde::{Deserialize, Serialize};

#[cfg(test)]
use crate::sample::Seed;
use crate::{
    DateTime, DecodeError, EventCode, FaultCode, Leniency, Text,
    cursor::{Cursor, Element},
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
}

/// The longest text that the schema allows in an element of this name. (H-27)
const LENGTHS: &[(&str, usize)] = &[
    ("CommandKey", 32),
    ("ParameterKey", 32),
    ("Manufacturer", 64),
    ("ProductClass", 64),
    ("SerialNumber", 64),
    ("EventCode", 64),
    ("FileType", 64),
    ("Name", 256),
    ("string", 256),
    ("ParameterPath", 256),
    ("ObjectName", 256),
    ("ParameterName", 256),
    ("URL", 256),
    ("Username", 256),
    ("Password", 256),
    ("TargetFileName", 256),
    ("SuccessURL", 256),
    ("FailureURL", 256),
    ("FaultString", 256),
];

/// The most members that the schema allows in an array of this name. (H-27)
const LISTS: &[(&str, usize)] =
    &[("Event", 64), ("TransferList", 16), ("FileTypeArg", 16), ("TimeWindowList", 2)];

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

/// No bound of [`LENGTHS`] is below this: most texts need no look at the table.
const SHORTEST: usize = 32;

/// Reports what the schema does not allow of a text: its length, and the form of an OUI.
pub(crate) fn check_text(cursor: &mut Cursor<'_>, name: &str, text: &str) {
    if name == "OUI" && !(text.len() == 6 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'))) {
        cursor.forgive(Leniency::OuiForm);
    }
    let is_long = |(element, most): &(&str, usize)| *element == name && text.chars().count() > *most;
    if text.len() > SHORTEST && LENGTHS.iter().any(is_long) {
        cursor.forgive(Leniency::TooLong);
    }
}

/// Reports an array with more members than the schema allows.
fn check_list(cursor: &mut Cursor<'_>, name: &str, count: usize) {
    if LISTS.iter().any(|(list, most)| *list == name && count > *most) {
        cursor.forgive(Leniency::TooMany);
    }
}

impl Wire for Text {
    fn encode(&self, out: &mut Writer, name: &str) {
        out.leaf(name, self);
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        let text = cursor.text()?;
        check_text(cursor, element.local(), &text);
        Ok(text)
    }

    fn absent(name: &str) -> Option<Self> {
        ABSENT_TEXTS.contains(&name).then(Self::new)
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self {
        crate::sample::text(seed, name).into()
    }
}

/// Reads text that is no string: white space around it is padding.
fn scalar(cursor: &mut Cursor<'_>) -> Result<Text, DecodeError> {
    let text = cursor.text()?;
    let trimmed = text.trim_ascii();
    if trimmed.len() == text.len() {
        return Ok(text);
    }
    cursor.forgive(Leniency::Padding);
    Ok(if trimmed.is_empty() { Text::new() } else { text.slice_ref(trimmed) })
}

impl Wire for u32 {
    fn encode(&self, out: &mut Writer, name: &str) {
        out.leaf(name, &self.to_string());
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        let text = scalar(cursor)?;
        let number = text.parse();
        number.map_err(|_| cursor.bad_value(element.local(), &text, "a number from 0 to 4294967295"))
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
        let text = scalar(cursor)?;
        let number = text.parse();
        number
            .map_err(|_| cursor.bad_value(element.local(), &text, "a number from -2147483648 to 2147483647"))
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
            if child.local() != T::ELEMENT {
                cursor.forgive(Leniency::ArrayMember);
            }
            members.push(T::decode(cursor, &child)?);
        }
        check_list(cursor, element.local(), members.len());
        let said = element.array_type.as_deref().map(array_count);
        match said {
            None | Some(None) => cursor.forgive(Leniency::ArrayTypeMissing),
            Some(Some(count)) if count != members.len() => cursor.forgive(Leniency::ArrayCount),
            Some(Some(_)) => {}
        }
        Ok(members)
    }

    fn absent(name: &str) -> Option<Self> {
        matches!(name, "ParameterList" | "MethodList").then(Self::new)
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self {
        (0..=seed.below(crate::sample::most(name))).map(|_| T::sample(seed, name)).collect()
    }
}

/// How many members an `arrayType` such as `cwmp:EventStruct[2]` counts.
fn array_count(array_type: &str) -> Option<usize> {
    let (_, count) = array_type.strip_suffix(']')?.rsplit_once('[')?;
    count.trim().parse().ok()
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

    fn absent(_name: &str) -> Option<Self> {
        Some(None)
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
        let says_what_it_is = element.xsi_type.as_deref().is_some_and(|kind| kind != "Array");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn forgiven(check: impl FnOnce(&mut Cursor<'_>)) -> Vec<Leniency> {
        let body = Text::new();
        let mut cursor = Cursor::new(&body, Limits::default()).unwrap();
        check(&mut cursor);
        cursor.into_leniencies()
    }

    #[test]
    fn h27_each_text_of_the_schema_is_as_long_as_it_may_be_and_not_one_character_more() {
        for (name, most) in LENGTHS {
            assert_eq!(forgiven(|cursor| check_text(cursor, name, &"a".repeat(*most))), [], "{name}");
            let over = forgiven(|cursor| check_text(cursor, name, &"a".repeat(most + 1)));
            assert_eq!(over, [Leniency::TooLong], "{name}");
            let wide = forgiven(|cursor| check_text(cursor, name, &"é".repeat(*most)));
            assert_eq!(wide, [], "{name} counts characters");
        }
    }

    #[test]
    fn h27_each_list_of_the_schema_is_as_long_as_it_may_be_and_not_one_member_more() {
        for (name, most) in LISTS {
            assert_eq!(forgiven(|cursor| check_list(cursor, name, *most)), [], "{name}");
            assert_eq!(forgiven(|cursor| check_list(cursor, name, most + 1)), [Leniency::TooMany], "{name}");
        }
    }
}
