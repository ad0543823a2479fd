//! Images on the disk: a file for each place, written in its own room and believed for its hash alone. (decision 10)
//!
//! ```text
//!   reserve (old content stays) ─▶ state says Downloading ─▶ write ─▶ flush ─▶ read again, hash ─▶ state says Available
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
};

use profile::Sha256;
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

use super::Slot;

/// Read at a time, so that no image is ever in memory.
const PIECE: usize = 64 << 10;

/// The file of a place.
pub(crate) fn path(folder: &Path, slot: Slot) -> PathBuf {
    folder.join(format!("image-{}", slot.number()))
}

/// Opens the file and takes the room for so many bytes; what the file holds stays.
///
/// # Errors
/// There is no room, or no way to write there.
pub(crate) fn reserve(path: &Path, size: u64) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    match fallocate(&file, FallocateFlags::KEEP_SIZE, 0, size) {
        // Some file systems reserve nothing: then the writing finds out.
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NODEV | Errno::SPIPE) => Ok(file),
        Err(error) => Err(error.into()),
    }
}

/// Makes a written file durable, its name too.
pub(crate) fn flush(path: &Path, file: &File, size: u64) -> io::Result<()> {
    file.set_len(size)?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// What a file must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    /// Nothing for the factory's image, which has no file.
    pub(crate) sha256: String,
}

impl Stored {
    /// Reads the file from the disk and compares.
    ///
    /// # Errors
    /// What is not as it must be.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.sha256.is_empty() {
            return Ok(());
        }
        let found = hash(&self.path).map_err(|error| format!("the stored image cannot be read: {error}"))?;
        if found == (self.size, self.sha256.clone()) {
            return Ok(());
        }
        Err(format!("the stored image has {} bytes with the hash {}, and is another one", found.0, found.1))
    }
}

fn hash(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut hash, mut size) = (File::open(path)?, Sha256::new(), 0);
    let mut piece = vec![0; PIECE];
    loop {
        let count = file.read(&mut piece)?;
        let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else {
            return Ok((size, hash.finish()));
        };
        hash.update(read);
        size += u64::try_from(count).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w02_w07_a_stored_image_is_believed_for_its_hash_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path(), Slot::Second);
        let mut hash = Sha256::new();
        hash.update(b"image");
        let stored = Stored { path: path.clone(), size: 5, sha256: hash.finish() };
        assert!(stored.check().unwrap_err().contains("cannot be read"));
        for (content, is_good) in [("image", true), ("imago", false), ("image!", false), ("imag", false)] {
            fs::write(&path, content).unwrap();
            assert_eq!(stored.check().is_ok(), is_good, "{content}");
        }
        let factory = Stored { path: folder.path().join("nowhere"), size: 0, sha256: String::new() };
        assert_eq!(factory.check(), Ok(()));
    }

    #[test]
    fn w02_room_is_taken_before_anything_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path(), Slot::First);
        fs::write(&path, "the image that was there").unwrap();
        assert!(reserve(&path, 1 << 50).is_err());
        let file = reserve(&path, 1 << 20).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "the image that was there");
        flush(&path, &file, 9).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "the image");
    }
}
