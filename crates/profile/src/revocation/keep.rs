//! The lists that were accepted, so that a restart neither forgets one nor takes an older one. (Decision 8)
//!
//! ```text
//!   FOLDER/<issuer and key>.crl    the last one whose signature was found good
//!   FOLDER/<issuer and key>.new    a later one that waits for its issuer's first chain
//! ```
//!
//! The second cannot displace the first: a forged list with a high number shall not keep true ones out.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use openssl::sha::Sha256;

use super::crl::Crl;
use super::{CrlNote, CrlTrouble, read_file};
use crate::certificate::hex;
use crate::context::ContextError;

const VERIFIED: &str = "crl";
const ACCEPTED: &str = "new";

/// The folder.
#[derive(Debug)]
pub(super) struct Keep(PathBuf);

impl Keep {
    /// Makes the folder where it is missing, and reads what it remembers.
    pub(super) fn open(folder: &Path, notes: &mut Vec<CrlNote>) -> Result<(Self, Vec<Crl>), ContextError> {
        let failed = |source| ContextError::Read { path: folder.into(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let mut kept = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_none_or(|extension| extension != VERIFIED && extension != ACCEPTED) {
                continue;
            }
            match read_file(&path).and_then(|der| Crl::read(der).map_err(|flaw| flaw.detail)) {
                Ok(crl) => kept.push(crl),
                Err(detail) => notes.push(CrlNote::new(CrlTrouble::Unreadable, &path, "", &detail)),
            }
        }
        Ok((Self(folder.into()), kept))
    }

    /// Remembers a list that nobody has verified yet.
    pub(super) fn accepted(&self, crl: &Crl) -> Result<(), CrlNote> {
        self.write(crl, ACCEPTED)
    }

    /// Remembers a list whose signature is good; what else was accepted gives way to it.
    pub(super) fn verified(&self, crl: &Crl) -> Result<(), CrlNote> {
        let path = self.path(crl, VERIFIED);
        // A book that is being replaced may still verify an older list.
        let kept = fs::read(&path).ok().and_then(|der| Crl::read(der).ok());
        if kept.is_none_or(|kept| kept.age() < crl.age()) {
            self.write(crl, VERIFIED)?;
        }
        match fs::remove_file(self.path(crl, ACCEPTED)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(not_kept(&path, crl, &error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn path(&self, crl: &Crl, extension: &str) -> PathBuf {
        let (issuer, key_id) = crl.slot();
        let mut name = Sha256::new();
        name.update(issuer);
        name.update(key_id);
        self.0.join(format!("{}.{extension}", hex(&name.finish())))
    }

    fn write(&self, crl: &Crl, extension: &str) -> Result<(), CrlNote> {
        let path = self.path(crl, extension);
        replace(&path, &crl.der).map_err(|error| not_kept(&path, crl, &error))
    }
}

fn not_kept(path: &Path, crl: &Crl, error: &io::Error) -> CrlNote {
    CrlNote::new(CrlTrouble::NotKept, path, &crl.issuer_text, &error.to_string())
}

/// Whole and on the disk, or not at all.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_extension(format!("{}.{write}.tmp", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
