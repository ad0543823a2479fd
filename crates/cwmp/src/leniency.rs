//! What the decoder forgave, by name.
//!
//! One rule: nothing is silently forgiven. Each tolerance is a [`Leniency`] that the decoder
//! reports; the ACS counts it per device, the auditor turns it into a finding.

use serde::Serialize;

/// A tolerance: its Rust name, its stable name in JSON and counters, and what the sender did.
macro_rules! leniencies {
    ($( $name:ident $code:literal $meaning:literal; )*) => {
        /// A form that the schemas do not allow and the decoder took all the same.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Leniency {
            $( #[doc = $meaning] #[serde(rename = $code)] $name, )*
        }

        impl Leniency {
            /// Every tolerance there is.
            pub const ALL: &[Self] = &[$( Self::$name ),*];

            /// The stable name, as JSON and counters show it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $( Self::$name => $code, )* }
            }

            /// What the sender did, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $( Self::$name => $meaning, )* }
            }
        }
    };
}

leniencies! {
    NotUtf8 "not_utf8" "The body is not UTF-8 and was read as ISO-8859-1. (TR-069 3.4.1)";
    BooleanCase "boolean_case" "A boolean in other letters than `true`, `false`, `1`, `0`. (XML Schema 3.2.2)";
    Padding "padding" "White space around a number, boolean or time.";
    MalformedTime "malformed_time" "A time that XML Schema does not know, such as `0000-00-00T00:00:00`.";
    ArrayTypeMissing "array_type_missing" "An array without `arrayType`. (TR-069 3.5)";
    ArrayCount "array_count" "An array whose `arrayType` counts other than its members. (TR-069 3.5)";
    ArrayMember "array_member" "A member of an array under another name than its type. (TR-069 3.5)";
    ValueType "value_type" "A value without `xsi:type`, or with one that CWMP does not use: taken as a string. (TR-069 3.5)";
    QualifiedChild "qualified_child" "An argument in a namespace, where the schema wants none.";
    UnknownElement "unknown_element" "An element that the schema does not know, skipped.";
    MissingElement "missing_element" "An element that the schema demands is absent: its neutral value was taken.";
    Misspelt "misspelt" "An element under a misspelt name, such as `DeviceID`.";
    Wrapped "wrapped" "An element of its type's name around what should stand there by itself.";
    Repeated "repeated" "The same element twice: the last counts.";
    Order "order" "Elements in another order than the schema's.";
    UnknownNumber "unknown_number" "A number of an enumeration that the standard does not know, kept as it is.";
    TooLong "too_long" "Text longer than the schema allows.";
    TooMany "too_many" "More members in an array than the schema allows. (H-27)";
    OuiForm "oui_form" "An OUI that is not six upper-case hexadecimal digits.";
    UnknownHeader "unknown_header" "An unknown header that need not be understood, skipped. (SOAP 1.1 4.2.3)";
    MissingId "missing_id" "A CWMP envelope without `cwmp:ID`.";
    NoMoreRequests "no_more_requests" "A `cwmp:NoMoreRequests` header, which no published schema defines.";
}
