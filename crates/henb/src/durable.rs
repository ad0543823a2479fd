//! A file that is replaced whole: the new content is durable beside it before it takes its place.
//!
//! ```text
//!   reserve? ─▶ name.new written, flushed ─▶ renamed over name ─▶ folder flushed
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustix::{fs::FallocateFlags, io::Errno};

/// Replaces a file whole and durably, by way of one beside it.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    take_place(&write_beside(path, content)?, path)
}

/// Writes the file that [`take_place`] puts in its place.
pub(crate) fn write_beside(path: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let (mut file, beside) = open_beside(path)?;
    file.write_all(content)?;
    file.set_len(u64::try_from(content.len()).unwrap_or(u64::MAX))?;
    file.sync_all()?;
    Ok(beside)
}

/// Not truncated: what is reserved stays.
fn open_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&beside)?;
    Ok((file, beside.into()))
}

/// Takes room for the next content of a file. Where the file system cannot, the write itself has to see.
pub(crate) fn reserve(path: &Path, length: u64) -> io::Result<()> {
    let (file, _) = open_beside(path)?;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, length) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Puts what was written beside a file in its place.
pub(crate) fn take_place(beside: &Path, path: &Path) -> io::Result<()> {
    fs::rename(beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Writes so many bytes into a folder, durably, and takes them away again.
///
/// # Errors
/// The folder takes no file, or the disk has no room for it.
pub(crate) fn try_out(folder: &Path, length: usize) -> io::Result<()> {
    let path = folder.join(format!(".henbd-check-{}", std::process::id()));
    let written = write_new(&path, &vec![0; length]);
    // Nothing is there where it could not be made.
    let _ = fs::remove_file(&path);
    written
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
