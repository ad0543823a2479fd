//! Files of the lab PKI: whole or absent, and keys for their owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::PkiError;
use crate::context::KeyPair;

pub(super) const SECRET: u32 = 0o600;
pub(super) const PUBLIC: u32 = 0o644;

fn written(path: &Path, outcome: io::Result<()>) -> Result<(), PkiError> {
    outcome.map_err(|source| PkiError::Write { path: path.into(), source })
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, PkiError> {
    fs::read(path).map_err(|source| PkiError::Read { path: path.into(), source })
}

pub(super) fn folder(path: &Path) -> Result<(), PkiError> {
    written(path, fs::DirBuilder::new().recursive(true).mode(0o755).create(path))
}

pub(super) fn exists(pair: &KeyPair) -> bool {
    pair.chain.exists() && pair.key.exists()
}

/// Writes beside the place and renames, so that no reader ever sees half a file.
pub(super) fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), PkiError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    written(path, write_beside(&beside, content, mode).and_then(|()| fs::rename(&beside, path)))
}

fn write_beside(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)
}

pub(super) fn write_once(path: &Path, content: &[u8], mode: u32) -> Result<(), PkiError> {
    if path.exists() { Ok(()) } else { replace(path, content, mode) }
}

pub(super) fn append(path: &Path, row: &[u8]) -> Result<(), PkiError> {
    let appended = OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(row));
    written(path, appended)
}

/// Joins the certificates of a folder, in the order of their names.
pub(super) fn bundle(folder: &Path, into: &Path) -> Result<(), PkiError> {
    let failed = |source| PkiError::Read { path: folder.into(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "pem"));
    paths.sort();
    let mut joined = Vec::new();
    for path in paths {
        joined.extend(read(&path)?);
    }
    replace(into, &joined, PUBLIC)
}
