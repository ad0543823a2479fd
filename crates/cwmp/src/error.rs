//! Why bytes are not a CWMP message: the sender's misbehaviour, with the place and the clause.
//!
//! One rule: an error says what, where (byte offset) and, where the standard has a fault for it,
//! which fault answers it. It carries the header's ID so that the answer can repeat it.

use thiserror::Error;

use crate::{Fault, FaultCode, Role, Text, Version};

/// Bytes that are not a CWMP message.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{kind} at byte {offset}")]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// Where the decoder stood, in bytes from the start of the body.
    pub offset: usize,
    /// The envelope's `cwmp:ID`, if it was read before the error.
    pub id: Option<Text>,
    /// The envelope's CWMP namespace, if it was declared before the error.
    pub version: Option<Version>,
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DecodeErrorKind {
    /// Not well-formed XML. (XML 1.0)
    #[error("not well-formed XML: {0}")]
    Malformed(String),
    /// A document type declaration or an entity of its own. (H-26)
    #[error("a document type declaration, which CWMP never carries")]
    DocumentType,
    /// More of something than the limits allow. (S-12)
    #[error("more than {most} {what}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// A prefix that nothing declares. (Namespaces in XML 1.0, 5)
    #[error("undeclared prefix `{0}`")]
    UndeclaredPrefix(String),
    /// The root is not a SOAP 1.1 envelope. (TR-069 3.5, H-13)
    #[error("`{0}` where a SOAP 1.1 Envelope must stand")]
    NotAnEnvelope(String),
    /// The body's element is in no CWMP namespace. (TR-069 3.5, H-19)
    #[error("`{0}` is in no CWMP namespace")]
    NotCwmp(String),
    /// The body has no element or more than one. (TR-069 3.5, H-16)
    #[error("a SOAP body with {0}, where exactly one element must stand")]
    BodyCount(&'static str),
    /// A method that this side does not know.
    #[error("unknown method `{0}`")]
    UnknownMethod(String),
    /// A header that must be understood and is not. (SOAP 1.1 4.2.3, H-25)
    #[error("header `{0}` must be understood and is not")]
    MustUnderstand(String),
    /// An element that the schema demands is absent.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A value that is none of its type.
    #[error("`{found}` in `{element}`, where {expected} must stand")]
    BadValue {
        /// The element that holds it.
        element: String,
        /// What stands there, cut short.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
}

impl DecodeErrorKind {
    /// A stable name, as findings show it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.row().0
    }

    /// The clause that the sender broke.
    #[must_use]
    pub fn clause(&self) -> &'static str {
        self.row().1
    }

    fn row(&self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed(_) => ("malformed", "XML 1.0 2.1"),
            Self::DocumentType => ("document_type", "SOAP 1.1 3"),
            Self::Limit { .. } => ("limit", "TR-069 3.5"),
            Self::UndeclaredPrefix(_) => ("undeclared_prefix", "Namespaces in XML 1.0 5"),
            Self::NotAnEnvelope(_) => ("not_an_envelope", "TR-069 3.5"),
            Self::NotCwmp(_) => ("not_cwmp", "TR-069 3.5"),
            Self::BodyCount(_) => ("body_count", "TR-069 3.5"),
            Self::UnknownMethod(_) => ("unknown_method", "TR-069 Annex A"),
            Self::MustUnderstand(_) => ("not_understood", "SOAP 1.1 4.2.3"),
            Self::Missing(_) => ("missing", "TR-069 Annex A"),
            Self::BadValue { .. } => ("bad_value", "TR-069 Annex A"),
        }
    }
}

impl DecodeError {
    /// Where the decoder stood, in bytes from the start of the body.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The CWMP fault with which `answering` answers this, where the standard has one; otherwise
    /// the HTTP layer answers. (TR-069 A.5)
    #[must_use]
    pub fn fault(&self, answering: Role) -> Option<Fault> {
        let (acs, cpe) = match self.kind {
            DecodeErrorKind::UnknownMethod(_) => {
                (FaultCode::ACS_METHOD_NOT_SUPPORTED, FaultCode::METHOD_NOT_SUPPORTED)
            }
            DecodeErrorKind::Missing(_) | DecodeErrorKind::BadValue { .. } => {
                (FaultCode::ACS_INVALID_ARGUMENTS, FaultCode::INVALID_ARGUMENTS)
            }
            DecodeErrorKind::Malformed(_)
            | DecodeErrorKind::DocumentType
            | DecodeErrorKind::Limit { .. }
            | DecodeErrorKind::UndeclaredPrefix(_)
            | DecodeErrorKind::NotAnEnvelope(_)
            | DecodeErrorKind::NotCwmp(_)
            | DecodeErrorKind::BodyCount(_)
            | DecodeErrorKind::MustUnderstand(_) => return None,
        };
        let code = if answering == Role::Acs { acs } else { cpe };
        Some(Fault::new(code, self.kind.to_string()))
    }
}
