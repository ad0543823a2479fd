//! A parameter's value as it travels: its text and what `xsi:type` says of it. (TR-069 A.2.2, H-15)
//!
//! One rule: the text is kept as the device wrote it, so that what is known can be sent back
//! unchanged. These two types are the bulk of every large message: they are written out by hand,
//! because the table's general form costs a third of the decoder's speed here.

use std::mem;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    DateTime, DecodeError, DecodeErrorKind, Leniency, Text,
    cursor::{Cursor, Element},
    namespace::Namespace,
    record::check_attributes,
    rule::{self, Rule},
    wire::Wire,
    writer::Writer,
};

/// What a value is, by `xsi:type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum ValueKind {
    /// Text.
    #[default]
    #[serde(rename = "xsd:string")]
    String,
    /// 32 bits with sign.
    #[serde(rename = "xsd:int")]
    Int,
    /// 32 bits without sign.
    #[serde(rename = "xsd:unsignedInt")]
    UnsignedInt,
    /// 64 bits with sign.
    #[serde(rename = "xsd:long")]
    Long,
    /// 64 bits without sign.
    #[serde(rename = "xsd:unsignedLong")]
    UnsignedLong,
    /// True or false.
    #[serde(rename = "xsd:boolean")]
    Boolean,
    /// A point in time, see [`DateTime`].
    #[serde(rename = "xsd:dateTime")]
    DateTime,
    /// Octets in base 64.
    #[serde(rename = "xsd:base64Binary")]
    Base64,
    /// Octets in hexadecimal.
    #[serde(rename = "xsd:hexBinary")]
    HexBinary,
}

impl ValueKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::String,
        Self::Int,
        Self::UnsignedInt,
        Self::Long,
        Self::UnsignedLong,
        Self::Boolean,
        Self::DateTime,
        Self::Base64,
        Self::HexBinary,
    ];

    /// The type's qualified name as we write it.
    #[must_use]
    pub fn xsi_type(self) -> &'static str {
        match self {
            Self::String => "xsd:string",
            Self::Int => "xsd:int",
            Self::UnsignedInt => "xsd:unsignedInt",
            Self::Long => "xsd:long",
            Self::UnsignedLong => "xsd:unsignedLong",
            Self::Boolean => "xsd:boolean",
            Self::DateTime => "xsd:dateTime",
            Self::Base64 => "xsd:base64Binary",
            Self::HexBinary => "xsd:hexBinary",
        }
    }

    fn local(self) -> &'static str {
        self.xsi_type().trim_start_matches("xsd:")
    }

    fn of(local: &str) -> Option<Self> {
        match local {
            "string" => Some(Self::String),
            "int" => Some(Self::Int),
            "unsignedInt" => Some(Self::UnsignedInt),
            "long" => Some(Self::Long),
            "unsignedLong" => Some(Self::UnsignedLong),
            "boolean" => Some(Self::Boolean),
            "dateTime" => Some(Self::DateTime),
            "base64Binary" | "base64" => Some(Self::Base64),
            "hexBinary" => Some(Self::HexBinary),
            _ => None,
        }
    }
}

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Value {
    /// What was written.
    #[serde(rename = "Value")]
    pub text: Text,
    /// What it is.
    #[serde(rename = "Type", default)]
    pub kind: ValueKind,
    /// What the sender said of it beyond what CWMP knows: it can be said back.
    #[serde(rename = "Odd", default, skip_serializing_if = "Option::is_none")]
    pub odd: Option<Box<Odd>>,
}

/// What a value may be called that CWMP does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Odd {
    /// `xsi:nil`: it has no value.
    Nil,
    /// Another type of XML Schema, without its prefix, such as `float`.
    Type(Text),
}

impl Value {
    /// A value of `kind` that reads `text`.
    #[must_use]
    pub fn new(kind: ValueKind, text: impl Into<Text>) -> Self {
        Self { text: text.into(), kind, odd: None }
    }

    /// Text.
    #[must_use]
    pub fn string(text: impl Into<Text>) -> Self {
        Self::new(ValueKind::String, text)
    }

    /// True or false.
    #[must_use]
    pub fn boolean(is_true: bool) -> Self {
        Self::new(ValueKind::Boolean, if is_true { "true" } else { "false" })
    }

    /// A number with sign.
    #[must_use]
    pub fn int(number: i32) -> Self {
        Self::new(ValueKind::Int, number.to_string())
    }

    /// A number without sign.
    #[must_use]
    pub fn unsigned_int(number: u32) -> Self {
        Self::new(ValueKind::UnsignedInt, number.to_string())
    }

    /// A point in time.
    #[must_use]
    pub fn date_time(at: Timestamp) -> Self {
        Self::new(ValueKind::DateTime, DateTime::from(at).0)
    }

    /// The truth of a boolean, in any form that the wire carries.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.text.trim_ascii() {
            "1" => Some(true),
            "0" => Some(false),
            text if text.eq_ignore_ascii_case("true") => Some(true),
            text if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }
}

/// A parameter and its value. (TR-069 A.3.2.1, A.3.2.2)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterValueStruct {
    /// The full path.
    #[serde(rename = "Name")]
    pub name: Text,
    /// The value, `Value` and `Type` in JSON.
    #[serde(flatten)]
    pub value: Value,
}

impl ParameterValueStruct {
    /// Its elements on the wire.
    pub(crate) const NAMES: &[&str] = &["Name", "Value"];

    /// A parameter with its value.
    #[must_use]
    pub fn new(name: impl Into<Text>, value: Value) -> Self {
        Self { name: name.into(), value }
    }
}

/// The rule of a parameter's path.
const PATH: Rule = Rule::NONE.characters(256).like(rule::path);

fn decode_value(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Value, DecodeError> {
    if element.said.array_type.is_some() || element.said.must_understand.is_some() {
        cursor.forgive(Leniency::UnknownAttribute);
    }
    let kind = match &element.said.xsi_type {
        Some(said) => said_kind(cursor, element, said),
        None => None,
    };
    let mut odd = None;
    if element.said.is_nil {
        odd = Some(Box::new(Odd::Nil));
    } else if kind.is_none() {
        cursor.forgive(Leniency::ValueType);
        odd = other_type(element).map(Odd::Type).map(Box::new);
    }
    let text = cursor.text()?;
    // A value that is there after all is kept, whatever `xsi:nil` says.
    let odd = odd.filter(|odd| text.is_empty() || **odd != Odd::Nil);
    if let (None, Some(kind)) = (&odd, kind) {
        check_form(cursor, kind, &text);
    }
    Ok(Value { text, kind: kind.unwrap_or_default(), odd })
}

/// A type of XML Schema that CWMP does not use, as it may be written back.
fn other_type(element: &Element<'_>) -> Option<Text> {
    let said = element.said.xsi_type.as_deref()?;
    let is_name = said.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !said.is_empty();
    (is_name && element.said.type_namespace == Some(Namespace::Xsd)).then(|| said.into())
}

/// Reports a value that is none of its type; white space around it is XML Schema's to ignore.
fn check_form(cursor: &mut Cursor<'_>, kind: ValueKind, text: &str) {
    let text = text.trim_ascii();
    let fits = match kind {
        ValueKind::String => return,
        ValueKind::UnsignedInt => is_short(text) || is_unsigned(text, i128::from(u32::MAX)),
        ValueKind::Int => is_short(text) || is_number(text, i128::from(i32::MIN), i128::from(i32::MAX)),
        ValueKind::Long => is_number(text, i128::from(i64::MIN), i128::from(i64::MAX)),
        ValueKind::UnsignedLong => is_unsigned(text, i128::from(u64::MAX)),
        ValueKind::Boolean if ["true", "false"].iter().any(|word| word.eq_ignore_ascii_case(text)) => {
            if !matches!(text, "true" | "false") {
                cursor.forgive(Leniency::BooleanCase);
            }
            return;
        }
        ValueKind::Boolean => matches!(text, "0" | "1"),
        ValueKind::DateTime => {
            if !DateTime(text.into()).is_well_formed() {
                cursor.forgive(Leniency::MalformedTime);
            }
            return;
        }
        ValueKind::Base64 => is_base64(text),
        ValueKind::HexBinary => {
            text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
    };
    if !fits {
        cursor.forgive(Leniency::ValueForm);
    }
}

/// Most numbers: so few digits that no bound is near.
fn is_short(text: &str) -> bool {
    matches!(text.len(), 1..=9) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// XML Schema gives an unsigned number no sign.
fn is_unsigned(text: &str, most: i128) -> bool {
    !text.starts_with(['+', '-']) && is_number(text, 0, most)
}

fn is_number(text: &str, least: i128, most: i128) -> bool {
    text.parse().is_ok_and(|number: i128| (least..=most).contains(&number))
}

/// Groups of four, the last of them padded; white space may stand anywhere. (XML Schema 3.2.16)
pub(crate) fn is_base64(text: &str) -> bool {
    let (mut digits, mut padding) = (0_usize, 0_usize);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        match byte {
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            _ => return false,
        }
    }
    padding <= 2 && (digits + padding).is_multiple_of(4)
}

/// The kind that `xsi:type` names, whose namespace and letters are looked at.
fn said_kind(cursor: &mut Cursor<'_>, element: &Element<'_>, said: &str) -> Option<ValueKind> {
    let home = if said == "base64" { Namespace::Encoding } else { Namespace::Xsd };
    if element.said.type_namespace != Some(home) {
        cursor.forgive(Leniency::TypePrefix);
    }
    ValueKind::of(said).or_else(|| {
        // Seen in the field: the length behind the type, as in `unsignedInt(4)`.
        let bare = said.split_once('(').map_or(said, |(bare, _)| bare);
        let kind = ValueKind::ALL.into_iter().find(|kind| kind.local().eq_ignore_ascii_case(bare));
        kind.inspect(|_| cursor.forgive(Leniency::TypeName))
    })
}

fn decode_name(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Text, DecodeError> {
    check_attributes::<Text>(cursor, element, &PATH);
    let text = Text::decode(cursor, element)?;
    PATH.check_text(cursor, element.offset, &text);
    Ok(text)
}

/// Reports a name or value that is misspelt, stands twice, or in the wrong order.
fn check_pair(cursor: &mut Cursor<'_>, said: &str, right: &str, is_second: bool, is_late: bool) {
    if said != right {
        cursor.forgive(Leniency::Misspelt);
    }
    if is_second {
        cursor.forgive(Leniency::Repeated);
    } else if is_late {
        cursor.forgive(Leniency::Order);
    }
}

impl Wire for ParameterValueStruct {
    const STRUCT: &str = "ParameterValueStruct";

    fn encode(&self, out: &mut Writer, name: &str) {
        out.open(name);
        out.leaf("Name", &self.name);
        match self.value.odd.as_deref() {
            None => out.typed_leaf("Value", self.value.kind.xsi_type(), &self.value.text),
            Some(Odd::Type(name)) => {
                let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
                out.typed_leaf("Value", &["xsd:", &name].concat(), &self.value.text);
            }
            Some(Odd::Nil) => out.raw("<Value xsi:nil=\"true\"/>"),
        }
        out.close(name);
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        let is_member = mem::take(&mut cursor.is_member);
        let (mut name, mut value) = (None, None);
        while let Some(child) = cursor.child()? {
            if is_member && name.is_some() && child.local() == "Name" {
                cursor.forgive(Leniency::Repeated);
                cursor.continues = true;
                cursor.unread(child);
                break;
            }
            if child.namespace != Namespace::None {
                cursor.forgive(Leniency::QualifiedChild);
            }
            let local = child.local();
            if matches!(local, "Name") || local.eq_ignore_ascii_case("Name") {
                check_pair(cursor, local, "Name", name.is_some(), value.is_some());
                name = Some(decode_name(cursor, &child)?);
            } else if matches!(local, "Value") || local.eq_ignore_ascii_case("Value") {
                check_pair(cursor, local, "Value", value.is_some(), false);
                value = Some(decode_value(cursor, &child)?);
            } else {
                cursor.forgive(Leniency::UnknownElement);
                cursor.skip()?;
            }
        }
        let name = name.ok_or_else(|| cursor.error(DecodeErrorKind::Missing("Name")))?;
        let value = value.unwrap_or_else(|| {
            cursor.forgive_at(Leniency::MissingElement, element.offset);
            Value::default()
        });
        Ok(Self { name, value })
    }

    #[cfg(test)]
    fn sample(seed: &mut crate::sample::Seed, _name: &str) -> Self {
        let kind = seed.pick(&ValueKind::ALL);
        let text = match kind {
            ValueKind::String => Text::sample(seed, "Value"),
            ValueKind::Boolean => "true".into(),
            ValueKind::DateTime => DateTime::sample(seed, "Value").0,
            ValueKind::Base64 | ValueKind::HexBinary => "abcd".into(),
            ValueKind::Int | ValueKind::UnsignedInt | ValueKind::Long | ValueKind::UnsignedLong => {
                "42".into()
            }
        };
        Self::new(Text::sample(seed, "Name"), Value::new(kind, text))
    }
}
