//! What the decoder forgave, by name.
//!
//! One rule: nothing is silently forgiven. Each tolerance is a [`Leniency`] that the decoder
//! reports; the ACS counts it per device, [strict reading](crate::Finding) turns it into a finding.

use serde::Serialize;

/// A tolerance: its Rust name, its stable name in JSON and counters, the clause it bends, and what
/// the sender did.
macro_rules! leniencies {
    ($( $name:ident $code:literal $clause:literal $meaning:literal; )*) => {
        /// A form that the standard does not allow and the decoder took all the same.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Leniency {
            $( #[doc = concat!($meaning, " (", $clause, ")")] #[serde(rename = $code)] $name, )*
        }

        impl Leniency {
            /// Every tolerance there is.
            pub const ALL: &[Self] = &[$( Self::$name ),*];

            /// The stable name, as JSON and counters show it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $( Self::$name => $code, )* }
            }

            /// The clause that the sender bent.
            #[must_use]
            pub fn clause(self) -> &'static str {
                match self { $( Self::$name => $clause, )* }
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
    // The bytes.
    NotUtf8 "not_utf8" "TR-069 3.4.1" "The body is not UTF-8 and was read as ISO-8859-1.";
    ControlCharacter "control_character" "XML 1.0 2.2" "A control character that XML cannot carry.";
    DeclaredEncoding "declared_encoding" "TR-069 3.4.1" "The XML declaration names another encoding than UTF-8.";
    Surroundings "surroundings" "XML 1.0 2.8" "White space before the XML declaration, or NUL bytes or text around the envelope, such as the `0` of a last chunk.";
    RawAmpersand "raw_ampersand" "XML 1.0 2.4" "An `&` that begins none of XML's references: taken as it stands.";
    StrayText "stray_text" "TR-069 Annex A" "Text between elements, skipped.";
    // Namespaces and attributes.
    OldNamespace "old_namespace" "TR-069 3.5" "A namespace as a draft, a typist or an heir had it, such as XML Schema's of 1999.";
    SoapVersion "soap_version" "TR-069 3.5" "An envelope of SOAP 1.2, or in no namespace of SOAP: read as one of SOAP 1.1.";
    UnknownVersion "unknown_version" "TR-069 3.5" "A CWMP namespace that no schema has, read as cwmp-1-2.";
    MethodVersion "method_version" "TR-069 Annex A" "A method or header that is younger than its namespace.";
    Unqualified "unqualified" "TR-069 3.5" "A method, header or fault in no namespace.";
    QualifiedChild "qualified_child" "TR-069 3.5" "An argument in a namespace, where the schema wants none.";
    AttributeNamespace "attribute_namespace" "TR-069 3.5" "`xsi:type`, `arrayType` or `mustUnderstand` in another namespace, or in none: taken as meant.";
    UnknownAttribute "unknown_attribute" "TR-069 Annex A" "An attribute that the schema does not know, skipped.";
    EncodingStyle "encoding_style" "SOAP 1.1 4.1.1" "`encodingStyle` below the envelope, where the schema has none.";
    Nil "nil" "TR-069 3.5" "An element with `xsi:nil`, which the schema allows nowhere: a value is taken as empty text.";
    TypeAttribute "type_attribute" "XML Schema 2.6.1" "`xsi:type` with a type that the element's own is not derived to, such as `SOAP-ENC:Array`, or any of XML Schema's where the schema has a bound.";
    ValueType "value_type" "TR-069 3.5" "A value without `xsi:type`, or with one that CWMP does not use: taken as a string.";
    TypeName "type_name" "TR-069 3.5" "An `xsi:type` in other letters than XML Schema's, such as `unsignedint`.";
    TypePrefix "type_prefix" "TR-069 3.5" "A type under no prefix, or one that does not lead to the namespace that has it.";
    // Arrays.
    ArrayTypeMissing "array_type_missing" "TR-069 3.5" "An array without `arrayType`.";
    ArrayTypeName "array_type_name" "TR-069 3.5" "An `arrayType` that names another type than the members'.";
    ArrayCount "array_count" "TR-069 3.5" "An array whose `arrayType` counts other than its members, or not at all.";
    ArrayMember "array_member" "TR-069 3.5" "A member of an array under another name than its type.";
    Unwrapped "unwrapped" "TR-069 Annex A" "Members without their array, or the elements of a member without the member's own.";
    ListAsText "list_as_text" "TR-069 Annex A" "A list as text, its members between commas.";
    TooMany "too_many" "TR-069 Annex A" "More members in an array than the schema allows.";
    TooFew "too_few" "TR-069 Annex A" "A list without members where the schema demands one.";
    // Elements.
    UnknownElement "unknown_element" "TR-069 Annex A" "An element that the schema does not know, skipped.";
    MissingElement "missing_element" "TR-069 Annex A" "An element that the schema demands is absent: its neutral value was taken.";
    EmptyElement "empty_element" "TR-069 Annex A" "An empty element where a number or boolean must stand: its neutral value was taken.";
    Misspelt "misspelt" "TR-069 Annex A" "An element under a misspelt name, such as `DeviceID`.";
    Wrapped "wrapped" "TR-069 Annex A" "An element of its type's name around what should stand there by itself.";
    Repeated "repeated" "TR-069 Annex A" "The same element twice: lists are joined, the first element of an array's member begins another, and of anything else the last counts.";
    Order "order" "TR-069 Annex A" "Elements in another order than the schema's.";
    // Values.
    OddValue "odd_value" "TR-069 Annex A" "What is none of an element's type, such as a boolean of 30: its neutral value was taken.";
    ValueForm "value_form" "XML Schema 3.2" "A value that is none of its type, such as an unsigned one with a sign: kept as it is.";
    BooleanCase "boolean_case" "XML Schema 3.2.2" "A boolean in other letters than `true`, `false`, `1`, `0`.";
    Padding "padding" "TR-069 Annex A" "White space around a number, boolean, time or name, or in an element that holds nothing.";
    MalformedTime "malformed_time" "XML Schema 3.2.7" "A time that XML Schema does not know, such as `0000-00-00T00:00:00`.";
    UnknownNumber "unknown_number" "TR-069 Annex A" "A number of an enumeration that the standard does not know, kept as it is.";
    TooLong "too_long" "TR-069 Annex A" "Text longer than the schema allows.";
    OuiForm "oui_form" "TR-069 A.3.3.1" "An OUI that is not six upper-case hexadecimal digits.";
    TextForm "text_form" "TR-069 Annex A" "Text that has none of the forms that the schema lists, such as an object's path without its dot.";
    AliasForm "alias_form" "TR-069 3.6.1" "A path with brackets around what is no instance alias.";
    // Headers and faults.
    UnknownHeader "unknown_header" "SOAP 1.1 4.2.3" "An unknown header that need not be understood, skipped.";
    EmptyBody "empty_body" "TR-069 3.5" "A SOAP body without an element: taken as the empty message.";
    MissingId "missing_id" "TR-069 3.5" "A CWMP envelope without `cwmp:ID`.";
    MustUnderstand "must_understand" "TR-069 3.5" "A header without its `mustUnderstand`, or with another value than the schema's.";
    NoMoreRequests "no_more_requests" "TR-069 3.5" "A `cwmp:NoMoreRequests` header, which no published schema defines.";
    FaultForm "fault_form" "TR-069 3.5" "A fault other than `faultcode` Client or Server, `faultstring` CWMP fault, `detail` with a `cwmp:Fault`.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tolerance_has_a_name_of_its_own_a_clause_and_a_sentence() {
        for (at, leniency) in Leniency::ALL.iter().enumerate() {
            let (name, rest) = (leniency.name(), &Leniency::ALL[at + 1..]);
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'0'..=b'9')));
            assert!(rest.iter().all(|other| other.name() != name), "{name} twice");
            assert!(leniency.meaning().ends_with('.') && !leniency.clause().is_empty(), "{name}");
        }
    }
}
