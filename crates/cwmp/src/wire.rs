//! What stands inside one element: the two directions of every type of the table.
//!
//! One rule: strict in what is written, tolerant of form in what is read, and every tolerance is
//! reported. [`record!`] makes a struct of child elements whose wire names stand beside the Rust
//! names, so that the table reads like Annex A.

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

    /// One of many values, drawn from a seed.
    #[cfg(test)]
    fn sample(seed: &mut Seed) -> Self;
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

/// Reports what the schema does not allow of a text: its length, and the form of an OUI.
pub(crate) fn check_text(cursor: &mut Cursor<'_>, name: &str, text: &str) {
    if name == "OUI" && !(text.len() == 6 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'))) {
        cursor.forgive(Leniency::OuiForm);
    }
    let is_long = |(element, most): &(&str, usize)| *element == name && text.len() > *most;
    if text.len() > 32 && LENGTHS.iter().any(is_long) {
        cursor.forgive(Leniency::TooLong);
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
    fn sample(seed: &mut Seed) -> Self {
        seed.text().into()
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
    fn sample(seed: &mut Seed) -> Self {
        seed.below(1 << 20)
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
    fn sample(seed: &mut Seed) -> Self {
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
    fn sample(seed: &mut Seed) -> Self {
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
    fn sample(seed: &mut Seed) -> Self {
        seed.pick(&Self::all())
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
    fn sample(seed: &mut Seed) -> Self {
        seed.pick(Self::ALL)
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
    fn sample(seed: &mut Seed) -> Self {
        (0..seed.below(4)).map(|_| T::sample(seed)).collect()
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
    fn sample(seed: &mut Seed) -> Self {
        (seed.below(2) == 1).then(|| T::sample(seed))
    }
}

/// Reports a child's place and form: its namespace, its order among `names`, and a second one.
pub(crate) fn check_child(cursor: &mut Cursor<'_>, child: &Element<'_>, names: &[&str], last: &mut usize) {
    if child.namespace.is_cwmp() {
        cursor.forgive(Leniency::QualifiedChild);
    }
    let Some(at) = names.iter().position(|name| name.eq_ignore_ascii_case(child.local())) else { return };
    if at + 1 == *last {
        cursor.forgive(Leniency::Repeated);
    } else if at < *last {
        cursor.forgive(Leniency::Order);
    }
    *last = at + 1;
}

/// The field's value, or what stands for it when it is absent.
pub(crate) fn settle<T: Wire>(
    cursor: &mut Cursor<'_>,
    field: Option<T>,
    name: &'static str,
    is_optional: bool,
) -> Result<T, DecodeError> {
    if let Some(value) = field {
        return Ok(value);
    }
    let Some(value) = T::absent(name) else {
        return Err(cursor.error(crate::DecodeErrorKind::Missing(name)));
    };
    if !is_optional {
        cursor.forgive(Leniency::MissingElement);
    }
    Ok(value)
}

/// A struct whose fields are child elements. The wire name stands beside the Rust name.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $( $wire:literal $field:ident: $type:ty, )* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $( #[doc = concat!("`", $wire, "`")] #[serde(rename = $wire)] pub $field: $type, )*
        }

        impl $crate::wire::Wire for $name {
            fn encode(&self, out: &mut $crate::writer::Writer, name: &str) {
                out.open(name);
                $( $crate::wire::Wire::encode(&self.$field, out, $wire); )*
                out.close(name);
            }

            fn decode(
                cursor: &mut $crate::cursor::Cursor<'_>,
                _: &$crate::cursor::Element<'_>,
            ) -> Result<Self, $crate::DecodeError> {
                const NAMES: &[&str] = &[$( $wire ),*];
                let mut last = 0;
                $( let mut $field: Option<$type> = None; )*
                while let Some(child) = cursor.child()? {
                    $crate::wire::check_child(cursor, &child, NAMES, &mut last);
                    match child.local() {
                        $( $wire => $field = Some($crate::wire::Wire::decode(cursor, &child)?), )*
                        $( odd if odd.eq_ignore_ascii_case($wire) => {
                            cursor.forgive($crate::Leniency::Misspelt);
                            $field = Some($crate::wire::Wire::decode(cursor, &child)?);
                        } )*
                        _ => {
                            cursor.forgive($crate::Leniency::UnknownElement);
                            cursor.skip()?;
                        }
                    }
                }
                let _ = last;
                Ok(Self { $( $field: {
                    let is_optional = stringify!($type).starts_with("Option");
                    $crate::wire::settle(cursor, $field, $wire, is_optional)?
                }, )* })
            }

            #[cfg(test)]
            fn sample(seed: &mut $crate::wire::Seed) -> Self {
                let _ = &seed;
                Self { $( $field: $crate::wire::Wire::sample(seed), )* }
            }
        }
    };
}
pub(crate) use record;

/// Marks records that are members of arrays under their own name.
macro_rules! members {
    ($( $name:ident )*) => { $(
        impl $crate::wire::Member for $name {
            const ELEMENT: &'static str = stringify!($name);
            const TYPE: &'static str = concat!("cwmp:", stringify!($name));
        }
    )* };
}
pub(crate) use members;

/// A number on the wire with a meaning each; one that the standard does not know is kept.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $( $(#[$case_doc:meta])* $case:ident = $number:literal, )* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(into = "u32", from = "u32")]
        pub enum $name {
            $( $(#[$case_doc])* $case, )*
            /// A number that the standard does not know.
            Other(u32),
        }

        impl From<$name> for u32 {
            fn from(value: $name) -> Self {
                match value {
                    $( $name::$case => $number, )*
                    $name::Other(number) => number,
                }
            }
        }

        impl From<u32> for $name {
            fn from(number: u32) -> Self {
                match number {
                    $( $number => Self::$case, )*
                    _ => Self::Other(number),
                }
            }
        }

        impl $crate::wire::Wire for $name {
            fn encode(&self, out: &mut $crate::writer::Writer, name: &str) {
                u32::from(*self).encode(out, name);
            }

            fn decode(
                cursor: &mut $crate::cursor::Cursor<'_>,
                element: &$crate::cursor::Element<'_>,
            ) -> Result<Self, $crate::DecodeError> {
                let value = Self::from(u32::decode(cursor, element)?);
                if matches!(value, Self::Other(_)) {
                    cursor.forgive($crate::Leniency::UnknownNumber);
                }
                Ok(value)
            }

            #[cfg(test)]
            fn sample(seed: &mut $crate::wire::Seed) -> Self {
                seed.pick(&[$( Self::$case ),*])
            }
        }
    };
}
pub(crate) use numbered;

/// A small generator for samples: the same seed gives the same messages.
#[cfg(test)]
pub(crate) struct Seed(pub(crate) u64);

#[cfg(test)]
impl Seed {
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(bound)).unwrap()
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let at = self.below(u32::try_from(from.len()).unwrap());
        from[at as usize].clone()
    }

    /// Up to 32 characters, entities, line ends and other scripts among them.
    fn text(&mut self) -> String {
        const CHARACTERS: &[char] =
            &['a', 'Z', '7', '.', ' ', '<', '>', '&', '"', '\'', '\r', '\n', 'é', '漢', '🛰'];
        (0..self.below(12)).map(|_| self.pick(CHARACTERS)).collect()
    }
}
