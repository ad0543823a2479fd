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

use super::{Image, Slot};

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
    /// The file of an image in its place.
    pub(crate) fn of(folder: &Path, slot: Slot, image: &Image) -> Self {
        Self { path: path(folder, slot), size: image.size, sha256: image.sha256.clone() }
    }

    /// Looks for a file of that size, which every start can afford; what is in it is compared before it boots.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn is_there(&self) -> Result<(), String> {
        let found = if self.sha256.is_empty() { self.size } else { self.length()? };
        if found == self.size {
            return Ok(());
        }
        Err(format!("the stored image {} has {found} bytes of {}", self.path.display(), self.size))
    }

    fn length(&self) -> Result<u64, String> {
        let missing = |error| format!("the stored image {} is lost: {error}", self.path.display());
        fs::metadata(&self.path).map(|found| found.len()).map_err(missing)
    }

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
    fn w06_a_file_that_is_away_or_cut_is_seen_without_reading_it() {
        let folder = tempfile::tempdir().unwrap();
        let image = Image { size: 5, sha256: "ab".repeat(32), ..Image::default() };
        let stored = Stored::of(folder.path(), Slot::Second, &image);
        assert!(stored.is_there().unwrap_err().contains("image-2 is lost"));
        fs::write(&stored.path, "imag").unwrap();
        assert!(stored.is_there().unwrap_err().ends_with("has 4 bytes of 5"));
        fs::write(&stored.path, "other").unwrap();
        assert_eq!(stored.is_there(), Ok(()));
        let factory = Stored::of(folder.path(), Slot::First, &Image::default());
        assert_eq!(factory.is_there(), Ok(()), "the factory's image has no file");
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
