//! What the file says of files: where their contents lie, what they may take, and whose firmware is taken.

use std::path::PathBuf;

use jiff::SignedDuration;
use profile::FirmwareKey;

use super::{Check, chain_of, file::File};

/// The folder's name in `state_dir`.
const FOLDER: &str = "files";

/// Where files lie, and what they may take.
#[derive(Clone, Debug)]
pub(crate) struct Filing {
    /// The folder of the contents.
    pub(crate) folder: PathBuf,
    /// Bytes of the largest file of a person.
    pub(crate) file_bytes: u64,
    /// Bytes of the largest file of a cell.
    pub(crate) upload_bytes: u64,
    /// Bytes of all files of one cell.
    pub(crate) device_bytes: u64,
    /// Bytes of all files.
    pub(crate) total_bytes: u64,
    /// How long a URL is worth something.
    pub(crate) url_lives: SignedDuration,
    /// How long what a cell sent is kept.
    pub(crate) keeps: SignedDuration,
    /// Who signs firmware; anybody where it is empty.
    pub(crate) keys: Vec<FirmwareKey>,
}

impl Check {
    /// Where files lie, and what they may take.
    pub(super) fn files(&mut self, file: &File) -> Option<Filing> {
        let typed = &file.files;
        let folder = match &typed.folder {
            Some(at) => self.path(at),
            None => self.path(&file.state_dir).join(FOLDER),
        };
        if folder.exists() && !folder.is_dir() {
            let line = typed.folder.as_ref().and_then(|at| at.line);
            return self.complain(line, format!("`files.folder` {} is no folder", folder.display()));
        }
        let bytes = |megabytes: u32| u64::from(megabytes) << 20;
        Some(Filing {
            folder,
            file_bytes: bytes(typed.file_mb),
            upload_bytes: bytes(typed.upload_mb),
            device_bytes: bytes(typed.device_mb),
            total_bytes: bytes(typed.total_mb),
            url_lives: SignedDuration::from_secs(typed.url_seconds.into()),
            keeps: SignedDuration::from_hours(24 * i64::from(typed.keep_days)),
            keys: typed.firmware_keys.iter().map(|at| self.firmware_key(at)).collect::<Option<_>>()?,
        })
    }

    fn firmware_key(&mut self, at: &super::At<String>) -> Option<FirmwareKey> {
        let path = self.file(at)?;
        match FirmwareKey::read(&path) {
            Ok(key) => Some(key),
            Err(error) => self.complain(at.line, format!("`files.firmware_keys`: {}", chain_of(&error))),
        }
    }
}
