//! Performance files that wait to be sent: whole on the disk, few, the oldest first. (N-11)
//!
//! ```text
//!   put ─▶ <seconds of the period's end>-<row>-<name> ─▶ sent or given up: removed
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::durable::replace;

/// The folder's name in the state folder.
const FOLDER: &str = "performance";

/// Most files that wait: eight hours of a cell with a file every quarter of an hour.
const MOST_FILES: usize = 32;

/// A file that waits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waiting {
    end: i64,
    /// The row of Config that it is sent for.
    pub(crate) row: u32,
    /// What the server shall call it.
    pub(crate) name: String,
}

/// A file that nobody has yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fresh {
    pub(crate) waiting: Waiting,
    pub(crate) content: Vec<u8>,
}

impl Waiting {
    pub(crate) fn new(end: Timestamp, row: u32, name: String) -> Self {
        Self { end: end.as_second(), row, name }
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.splitn(3, '-');
        let end = parts.next()?.parse().ok()?;
        let row = parts.next()?.parse().ok()?;
        let name = parts.next().filter(|name| name.ends_with(".xml"))?;
        Some(Self { end, row, name: name.to_owned() })
    }

    fn file(&self) -> String {
        format!("{}-{}-{}", self.end, self.row, self.name)
    }
}

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Spool(PathBuf);

impl Spool {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self(state_dir.join(FOLDER))
    }

    /// Keeps a file durably; the oldest ones make room.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn put(&self, fresh: &Fresh) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let waiting = self.waiting();
        let surplus = (waiting.len() + 1).saturating_sub(MOST_FILES);
        for oldest in waiting.iter().take(surplus) {
            tracing::warn!(file = oldest.name, "a performance file was never sent, and makes room");
            self.remove(oldest)?;
        }
        replace(&self.0.join(fresh.waiting.file()), &fresh.content)
    }

    /// All that wait, the oldest first.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut all: Vec<_> =
            entries.filter_map(|entry| Waiting::parse(entry.file_name().to_str()?)).collect();
        all.sort();
        all
    }

    /// What is in one.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn read(&self, waiting: &Waiting) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(waiting.file()))
    }

    /// Lets go of one.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn remove(&self, waiting: &Waiting) -> io::Result<()> {
        fs::remove_file(self.0.join(waiting.file()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(second: i64) -> Fresh {
        let end = Timestamp::from_second(second).unwrap();
        let waiting = Waiting::new(end, 2, "A20261128.2345+0000-0000+0000_x.xml".to_owned());
        Fresh { waiting, content: second.to_string().into_bytes() }
    }

    #[test]
    fn n11_files_wait_the_oldest_first_and_the_oldest_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path());
        assert_eq!(spool.waiting(), []);
        let last = 1 + i64::try_from(MOST_FILES).unwrap();
        for second in (1..=last).rev() {
            spool.put(&fresh(1_000 + second)).unwrap();
        }
        fs::write(folder.path().join(FOLDER).join("9-9-torn.xml.new"), b"<").unwrap();
        let waiting = spool.waiting();
        assert_eq!(waiting.len(), MOST_FILES);
        assert_eq!(waiting[0], fresh(1_001).waiting, "the last one that came is the oldest period");
        assert_eq!(spool.read(&waiting[0]).unwrap(), b"1001");
        spool.remove(&waiting[0]).unwrap();
        assert_eq!(spool.waiting().len(), MOST_FILES - 1);
    }
}
