//! Keeps what passed at one end, a file a message, in the order in which it passed.
//!
//! `000001-cpe.xml`, `000002-acs.xml`: an empty message is an empty file. A recording holds positions and names in
//! clear: whoever starts one has made sure that it is a lab. (decision 12)

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use cwmp::{Role, Witness};

/// A witness that writes files.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    last: AtomicUsize,
}

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The folder.
    #[error("cannot record in {folder}")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Recorder {
    /// Records in a folder, made where it is missing; what is there stays, and the numbers go on.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn create(folder: &Path) -> Result<Self, RecordError> {
        let open = || {
            fs::create_dir_all(folder)?;
            fs::read_dir(folder).map(Iterator::count)
        };
        let known = open().map_err(|source| RecordError::Folder { folder: folder.to_owned(), source })?;
        Ok(Self { folder: folder.to_owned(), last: AtomicUsize::new(known) })
    }
}

impl Witness for Recorder {
    fn message(&self, from: Role, body: &[u8]) {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let side = match from {
            Role::Acs => "acs",
            Role::Cpe => "cpe",
        };
        if let Err(error) = fs::write(self.folder.join(format!("{number:06}-{side}.xml")), body) {
            tracing::warn!(%error, number, "a message was not recorded");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_kept_in_order_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("run");
        Recorder::create(&folder).unwrap().message(Role::Cpe, b"<a/>");
        Recorder::create(&folder).unwrap().message(Role::Acs, b"");
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        assert_eq!((read("000001-cpe.xml"), read("000002-acs.xml")), (b"<a/>".to_vec(), Vec::new()));
    }
}
