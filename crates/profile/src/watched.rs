//! Files whose change is noticed by time and size, for whoever reads them again. (decision 8)

use std::{fs, io, path::PathBuf, time::SystemTime};

/// What tells one version of a file from another; none for a file that cannot be looked at.
type Version = Option<(SystemTime, u64)>;

/// Files, and their versions when they were last looked at.
#[derive(Debug)]
pub struct Watched {
    files: Vec<PathBuf>,
    seen: Vec<Version>,
}

impl Watched {
    /// As they are now.
    #[must_use]
    pub fn new(files: Vec<PathBuf>) -> Self {
        let seen = versions(&files);
        Self { files, seen }
    }

    /// Whether one of them is another than at the last look.
    pub fn has_changed(&mut self) -> bool {
        let present = versions(&self.files);
        let has_changed = self.seen != present;
        self.seen = present;
        has_changed
    }
}

fn versions(files: &[PathBuf]) -> Vec<Version> {
    let version = |path: &PathBuf| -> io::Result<_> {
        let metadata = fs::metadata(path)?;
        Ok((metadata.modified()?, metadata.len()))
    };
    files.iter().map(|path| version(path).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_once_and_a_file_that_comes_or_goes_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchors.pem");
        let mut watched = Watched::new(vec![path.clone()]);
        assert!(!watched.has_changed());
        fs::write(&path, "one").unwrap();
        assert_eq!([watched.has_changed(), watched.has_changed()], [true, false]);
        fs::write(&path, "other").unwrap();
        assert!(watched.has_changed());
        fs::remove_file(&path).unwrap();
        assert_eq!([watched.has_changed(), watched.has_changed()], [true, false]);
    }
}
