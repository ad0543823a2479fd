//! Firmware as it comes in: the signed manifest is judged as soon as it is there, and the image measured against it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use profile::{FirmwareHead, FirmwareKey, FirmwareManifest, Sha256};

/// A file with a head of at most so many bytes is looked at in one piece; [`FirmwareHead`] has the bound.
#[derive(Default)]
pub(super) struct Image {
    head: Vec<u8>,
    manifest: Option<FirmwareManifest>,
    hash: Sha256,
    size: u64,
}

impl Image {
    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// Why no cell would take it.
    pub(super) fn take(&mut self, bytes: &[u8], keys: &[FirmwareKey], now: Timestamp) -> Result<(), String> {
        if self.manifest.is_some() {
            self.measure(bytes);
            return Ok(());
        }
        self.head.extend_from_slice(bytes);
        let head = std::mem::take(&mut self.head);
        match FirmwareHead::read(&head).map_err(|error| error.to_string())? {
            Some(found) => {
                self.manifest = Some(opened(found.statement, keys, now)?);
                self.measure(head.get(found.length..).unwrap_or_default());
            }
            None => self.head = head,
        }
        Ok(())
    }

    fn measure(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// The manifest, once all bytes came.
    ///
    /// # Errors
    /// The image is another than the one that was signed.
    pub(super) fn finish(self) -> Result<FirmwareManifest, String> {
        let manifest = self.manifest.ok_or("the file ends within its signed manifest")?;
        if manifest.size != self.size {
            return Err(format!("the image has {} bytes, and {} were signed", self.size, manifest.size));
        }
        if !manifest.sha256.eq_ignore_ascii_case(&self.hash.finish()) {
            return Err("the image is another than the one that was signed".to_owned());
        }
        Ok(manifest)
    }
}

/// What is signed, under one of the keys where there are any.
fn opened(statement: &[u8], keys: &[FirmwareKey], now: Timestamp) -> Result<FirmwareManifest, String> {
    let manifest = if keys.is_empty() {
        FirmwareManifest::claimed(statement)
    } else {
        FirmwareManifest::open(statement, keys, &BTreeSet::new(), now)
    };
    manifest.map_err(|error| error.to_string())
}
