//! Reading DER strictly: element after element, with nothing left over.
//!
//! The certificate parser passes over entries of a list that it cannot read; a revocation must not get lost so.

use x509_parser::asn1_rs::{Any, FromDer};
use x509_parser::pem::Pem;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0A;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT`.
pub(super) const CONTEXT_0: u8 = 0xA0;

/// The label of a list in PEM. (RFC 7468 6)
const LABEL: &str = "X509 CRL";

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag, the whole of it, its content.
    fn element(&mut self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let (rest, any) = Any::from_der(self.0).ok()?;
        let whole = self.0.get(..self.0.len().checked_sub(rest.len())?)?;
        let tag = *whole.first()?;
        self.0 = rest;
        Some((tag, whole, any.data))
    }

    /// The content of the next element, which has to have this tag.
    pub(super) fn content(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.element().filter(|(found, ..)| *found == tag).map(|(.., content)| content)
    }

    /// The whole of the next element, which has to have this tag.
    pub(super) fn whole(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.element().filter(|(found, ..)| *found == tag).map(|(_, whole, _)| whole)
    }

    pub(super) fn is_next(&self, tags: &[u8]) -> bool {
        self.0.first().is_some_and(|found| tags.contains(found))
    }

    /// Nothing is left over.
    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// One element and nothing after it.
pub(super) fn only(der: &[u8], tag: u8) -> Option<&[u8]> {
    let mut reader = Der(der);
    let content = reader.content(tag)?;
    reader.end()?;
    Some(content)
}

/// The lists of a file, each in DER; the error says what is wrong with the file.
pub(super) fn lists(file: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    if file.first() == Some(&SEQUENCE) { in_der(file) } else { in_pem(file) }
}

fn in_der(file: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut reader = Der(file);
    let mut found = Vec::new();
    while reader.end().is_none() {
        found.push(reader.whole(SEQUENCE).ok_or("its DER breaks off or is damaged")?.to_vec());
    }
    Ok(found)
}

fn in_pem(file: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut found = Vec::new();
    for block in Pem::iter_from_buffer(file) {
        let block = block.map_err(|error| format!("its PEM is damaged: {error}"))?;
        if block.label == LABEL {
            found.push(block.contents);
        }
    }
    if found.is_empty() { Err("it holds no list".to_owned()) } else { Ok(found) }
}
