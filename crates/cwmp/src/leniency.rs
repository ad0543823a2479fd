//! What the decoder forgave, by name.
//!
//! One rule: nothing is silently forgiven. Each tolerance is a [`Leniency`] that the decoder
//! reports; the ACS counts it per device, the auditor turns it into a finding.

use serde::Serialize;

/// A form that the schemas do not allow and the decoder took all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Leniency {
    /// The body is not UTF-8 and was read as ISO-8859-1. (TR-069 3.4.1)
    NotUtf8,
    /// A boolean in other letters than `true`, `false`, `1`, `0`. (XML Schema 3.2.2)
    BooleanCase,
    /// White space around a number, boolean or time.
    Padding,
    /// A time that XML Schema does not know, such as `0000-00-00T00:00:00`.
    MalformedTime,
    /// An array without `arrayType`. (TR-069 3.5)
    ArrayTypeMissing,
    /// An array whose `arrayType` counts other than its members. (TR-069 3.5)
    ArrayCount,
    /// A member of an array under another name than its type. (TR-069 3.5)
    ArrayMember,
    /// A value without `xsi:type`, or with one that CWMP does not use: taken as a string. (TR-069 3.5)
    ValueType,
    /// An argument in a namespace, where the schema wants none.
    QualifiedChild,
    /// An element that the schema does not know, skipped.
    UnknownElement,
    /// An element that the schema demands is absent: its neutral value was taken.
    MissingElement,
    /// An element under a misspelt name, such as `DeviceID`.
    Misspelt,
    /// The same element twice: the last counts.
    Repeated,
    /// Elements in another order than the schema's.
    Order,
    /// A number of an enumeration that the standard does not know, kept as it is.
    UnknownNumber,
    /// Text longer than the schema allows.
    TooLong,
    /// An OUI that is not six upper-case hexadecimal digits.
    OuiForm,
    /// An unknown header that need not be understood, skipped. (SOAP 1.1 4.2.3)
    UnknownHeader,
    /// A CWMP envelope without `cwmp:ID`.
    MissingId,
    /// A `cwmp:NoMoreRequests` header, which no published schema defines.
    NoMoreRequests,
}

impl Leniency {
    /// The stable name, as JSON and counters show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::BooleanCase => "boolean_case",
            Self::Padding => "padding",
            Self::MalformedTime => "malformed_time",
            Self::ArrayTypeMissing => "array_type_missing",
            Self::ArrayCount => "array_count",
            Self::ArrayMember => "array_member",
            Self::ValueType => "value_type",
            Self::QualifiedChild => "qualified_child",
            Self::UnknownElement => "unknown_element",
            Self::MissingElement => "missing_element",
            Self::Misspelt => "misspelt",
            Self::Repeated => "repeated",
            Self::Order => "order",
            Self::UnknownNumber => "unknown_number",
            Self::TooLong => "too_long",
            Self::OuiForm => "oui_form",
            Self::UnknownHeader => "unknown_header",
            Self::MissingId => "missing_id",
            Self::NoMoreRequests => "no_more_requests",
        }
    }
}
