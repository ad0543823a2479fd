//! The clock's own file: two slots, of which a power cut spoils one at most. (K-01)
//!
//! A save goes into the slot that does not hold the newest time. Each slot holds its record twice, in lines of fixed
//! length: a write that was cut anywhere leaves two lines that differ, and the other slot counts. A slot that makes no
//! sense is told and passed over; with none left the state's copy or the build time stands in.
//!
//! ```text
//!   0     HEARTH-CLOCK 1 <number> <milliseconds> <corrections> <leapt s>      the line, twice
//!   4096  the same
//! ```

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{Timestamp, ToSpan};
use profile::KeptTime;

/// The file's name in the state folder.
pub(crate) const CLOCK_FILE: &str = "clock";

/// Slots lie in different blocks of every usual disk.
const SLOT: u64 = 4096;

/// How the line of a record begins.
const MARK: &str = "HEARTH-CLOCK 1";

/// No cell lives so long after its program was built: a later time is damage, and would lock the cell out for ever.
const LIFE_HOURS: i64 = 40 * 365 * 24;

/// The open file.
#[derive(Debug)]
pub(crate) struct ClockFile {
    file: File,
    path: PathBuf,
    number: u64,
    newest: Option<KeptTime>,
    notes: Vec<String>,
}

impl ClockFile {
    /// Opens the file of a state folder, made where it is missing.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(CLOCK_FILE);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let mut bytes = Vec::new();
        file.by_ref().take(2 * SLOT).read_to_end(&mut bytes)?;
        let (number, newest, notes) = read(&bytes, &path);
        Ok(Self { file, path, number, newest, notes })
    }

    /// What a folder's file says, whoever uses it; a file that cannot be read says nothing.
    pub(crate) fn peek(folder: &Path) -> (Option<KeptTime>, Vec<String>) {
        let path = folder.join(CLOCK_FILE);
        let mut bytes = Vec::new();
        let length = File::open(&path).and_then(|file| file.take(2 * SLOT).read_to_end(&mut bytes));
        let (_, newest, notes) = read(&bytes, &path);
        if length.is_ok() { (newest, notes) } else { (None, Vec::new()) }
    }

    /// The newest time that a whole slot holds.
    pub(crate) fn newest(&self) -> Option<KeptTime> {
        self.newest
    }

    /// What was passed over.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a time durable. After a correction no slot keeps a time from before it.
    pub(crate) fn save(&mut self, kept: KeptTime) -> io::Result<()> {
        let was_corrected = self.newest.is_some_and(|newest| newest.corrections < kept.corrections);
        for _ in 0..if was_corrected { 2 } else { 1 } {
            self.number += 1;
            let line = line(self.number, kept);
            self.file.write_all_at(format!("{line}{line}").as_bytes(), (self.number % 2) * SLOT)?;
            self.file.sync_data()?;
        }
        self.newest = Some(kept);
        Ok(())
    }
}

/// The number and the time of the newest slot, and what had to be passed over.
fn read(bytes: &[u8], path: &Path) -> (u64, Option<KeptTime>, Vec<String>) {
    let (mut number, mut newest, mut notes) = (0, None, Vec::new());
    for (slot, content) in bytes.chunks(usize::try_from(SLOT).unwrap_or(usize::MAX)).enumerate() {
        match read_slot(content) {
            Ok(Some((found, kept))) if newest.is_none() || found > number => {
                (number, newest) = (found, Some(kept));
            }
            Ok(_) => {}
            Err(what) => notes.push(format!("slot {slot} of {}: {what}", path.display())),
        }
    }
    (number, newest, notes)
}

fn line(number: u64, kept: KeptTime) -> String {
    let (at, leapt) = (kept.at.as_millisecond(), kept.leapt.as_secs());
    format!("{MARK} {number:020} {at:020} {:020} {leapt:020}\n", kept.corrections)
}

/// Nothing for a slot that was never written.
fn read_slot(content: &[u8]) -> Result<Option<(u64, KeptTime)>, &'static str> {
    if content.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let length = line(0, KeptTime::default()).len();
    let (first, rest) = content.split_at_checked(length).ok_or("it was cut")?;
    let second = rest.get(..length).ok_or("it was cut")?;
    if first != second {
        return Err("its two copies differ: a write was cut");
    }
    let text = std::str::from_utf8(first).map_err(|_| "it is no text")?;
    let numbers = text.strip_prefix(MARK).ok_or("it has another mark")?;
    let numbers: Option<Vec<u64>> = numbers.split_whitespace().map(|word| word.parse().ok()).collect();
    let Some(&[number, at, corrections, leapt]) = numbers.as_deref() else {
        return Err("it has no four numbers");
    };
    let at = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    let latest = profile::build_time().checked_add(LIFE_HOURS.hours()).unwrap_or(Timestamp::MAX);
    let at = at.filter(|at| *at <= latest).ok_or("its time is beyond the life of any cell")?;
    Ok(Some((number, KeptTime { at, corrections, leapt: Duration::from_secs(leapt) })))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn kept(hour: i64, corrections: u64) -> KeptTime {
        let at = Timestamp::from_second(1_800_000_000 + hour * 3600).unwrap();
        KeptTime { at, corrections, leapt: Duration::from_secs(7) }
    }

    fn newest(folder: &Path) -> Option<KeptTime> {
        ClockFile::open(folder).unwrap().newest()
    }

    #[test]
    fn k01_a_power_cut_at_every_byte_of_a_write_leaves_the_old_time_or_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CLOCK_FILE);
        let mut file = ClockFile::open(folder.path()).unwrap();
        for round in 0..4 {
            let old = file.newest();
            let before = fs::read(&path).unwrap();
            file.save(kept(round, 0)).unwrap();
            let after = fs::read(&path).unwrap();
            let start = if (round + 1) % 2 == 1 { 4096 } else { 0 };
            for cut in 0..=after.len() - start {
                let mut torn = before.clone();
                torn.resize(torn.len().max(start + cut), 0);
                torn[start..start + cut].copy_from_slice(&after[start..start + cut]);
                fs::write(&path, &torn).unwrap();
                let found = newest(folder.path());
                assert!(
                    found == old || found == Some(kept(round, 0)),
                    "round {round}, byte {cut}: {found:?}"
                );
            }
            fs::write(&path, &after).unwrap();
            assert_eq!(newest(folder.path()), Some(kept(round, 0)));
        }
    }

    #[test]
    fn k01_a_torn_or_hostile_slot_is_told_and_the_other_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CLOCK_FILE);
        let mut file = ClockFile::open(folder.path()).unwrap();
        file.save(kept(1, 0)).unwrap();
        file.save(kept(2, 0)).unwrap();
        let good = fs::read(&path).unwrap();
        let far = line(99, KeptTime { at: "9000-01-01T00:00:00Z".parse().unwrap(), ..kept(0, 0) });
        let line = |text: &str| format!("{text}{text}").into_bytes();
        for hostile in [line(&far), line("HEARTH-CLOCK 9 1 2 3 4\n"), vec![0xFF; 300], b"x".to_vec()] {
            let mut bytes = good.clone();
            bytes[..hostile.len()].copy_from_slice(&hostile);
            fs::write(&path, &bytes).unwrap();
            let opened = ClockFile::open(folder.path()).unwrap();
            assert_eq!((opened.newest(), opened.notes().len()), (Some(kept(1, 0)), 1));
        }
        fs::write(&path, vec![b'?'; 10_000]).unwrap();
        let opened = ClockFile::open(folder.path()).unwrap();
        assert_eq!((opened.newest(), opened.notes().len()), (None, 2));
    }

    #[test]
    fn k02_after_a_correction_no_slot_holds_the_wrong_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = ClockFile::open(folder.path()).unwrap();
        file.save(kept(90_000, 0)).unwrap();
        file.save(kept(1, 1)).unwrap();
        for slot in [0, 4096] {
            let mut bytes = fs::read(folder.path().join(CLOCK_FILE)).unwrap();
            bytes[slot] = b'?';
            let other = tempfile::tempdir().unwrap();
            fs::write(other.path().join(CLOCK_FILE), bytes).unwrap();
            assert_eq!(newest(other.path()), Some(kept(1, 1)));
        }
    }
}
