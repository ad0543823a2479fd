//! The one file of a cell: what must outlive a power cut. (K-01, C-07)
//!
//! It is replaced whole: written beside, flushed, renamed, and the folder flushed, so that a reader finds the old state
//! or the new one and nothing between. The state before stays beside it: where a disk lied and the new one came out of a
//! power cut torn or empty, the cell goes on from there, and says so. What is durable before what:
//!
//! ```text
//!   executed change ──saved──▶ its response is posted
//!   InformResponse  ──────▶ its events are removed ──saved
//!   TransferComplete's response ──▶ the call is removed ──saved
//!   reboot, installation: the effect and "done" are in one save
//! ```

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cwmp::{Agenda, Text, Witness};
use jiff::Timestamp;
use profile::KeptTime;
use serde::{Deserialize, Serialize};

use crate::{
    alarms::{Alarms, event::Rings},
    cell::Schedule,
    clock_file::{CLOCK_FILE, ClockFile},
    device, durable,
    firmware::Firmware,
    reach::Reach,
    recovery::Recovery,
    transfer::Transfer,
    trust::Trust,
};

/// The file's layout; another number is another program's.
const FORMAT: u32 = 1;

/// The file's name in the state folder.
pub const STATE_FILE: &str = "state.json";

/// The state before, in the same folder.
const FORMER: &str = "state.json.old";

/// What was found torn, for whoever looks into it.
const TORN: &str = "state.json.torn";

/// What of a cell outlives a power cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The file's layout.
    pub format: u32,
    /// How many saves there were, this one included.
    pub number: u64,
    /// The cell's clock at this save: a copy for when the clock's own file is lost. (K-01)
    pub clock: Timestamp,
    /// The number of the last correction of the clock. (K-02)
    #[serde(default)]
    pub corrections: u64,
    /// How far single sources moved the clock since it was confirmed. (K-03)
    #[serde(default)]
    pub leapt: Duration,
    /// The roots. (A-06)
    #[serde(default)]
    pub trust: Trust,
    /// What leads to the recovery endpoint. (G-03)
    #[serde(default)]
    pub recovery: Recovery,
    /// The alarms that stand. (A-19)
    #[serde(default)]
    pub alarms: Alarms,
    /// How far the rings of events are written. (F-04)
    #[serde(default)]
    pub rings: Rings,
    /// Both images. (W-06)
    #[serde(default)]
    pub firmware: Firmware,
    /// The URL that the configuration gave: another one there wins over what an ACS had set.
    pub configured: String,
    /// The URL of the ACS that took our BOOTSTRAP.
    pub contacted: Option<String>,
    /// Pending events, calls and waits.
    pub agenda: Agenda,
    /// Parameters whose change the next Inform reports.
    pub changed: BTreeSet<datamodel::Path>,
    /// The command key of a reboot that was promised and not yet done. (C-20)
    pub reboot: Option<Text>,
    /// A return to the factory's values that was promised and not yet done. (C-21)
    #[serde(default)]
    pub reset: bool,
    /// Sessions that an ACS asked for and whose time has not come. (TR-069 A.4.1.2)
    #[serde(default)]
    pub schedules: Vec<Schedule>,
    /// Transfers that were promised and not yet done. (C-22)
    pub transfers: Vec<Transfer>,
    /// Its owner lets it listen for Connection Requests. (R-04)
    #[serde(default)]
    pub listens: bool,
    /// How the cell reaches its operator, and what worked last. (X-07)
    #[serde(default)]
    pub reach: Reach,
    /// Values, rows and the journal of effects.
    pub device: device::Snapshot,
}

impl State {
    /// The first layout's mark.
    #[must_use]
    pub(crate) fn format() -> u32 {
        FORMAT
    }

    /// The time that it keeps.
    pub(crate) fn kept_time(&self) -> KeptTime {
        KeptTime { at: self.clock, corrections: self.corrections, leapt: self.leapt }
    }
}

/// Why the state cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder or the file does not do what it must.
    #[error("cannot use {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no state of ours: nothing is started on top of it.
    #[error(
        "cannot read {path} as the state of a cell: move it and {FORMER} away to start from the factory's values"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Where it stops making sense.
        source: serde_json::Error,
    },
    /// Written by another version.
    #[error("{path} has the layout {found}, and this henbd knows {FORMAT}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u32,
    },
    /// Two daemons on one folder would undo one another.
    #[error("another henbd uses {path}")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The runtime ended while the state was written.
    #[error("the state was not written: the program is ending")]
    Interrupted,
}

impl StateError {
    /// Whether there may be room later.
    pub(crate) fn is_full(&self) -> bool {
        let Self::Io { source, .. } = self else { return false };
        let kind = source.kind();
        [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge]
            .contains(&kind)
    }
}

/// The state folder of one running cell.
pub(crate) struct StateFile {
    folder: PathBuf,
    number: u64,
    witness: Arc<dyn Witness>,
    /// The number of the newest state on disk; held while writing, so that writers do not meet.
    written: Arc<Mutex<(u64, ClockFile)>>,
    kept_time: Option<KeptTime>,
    clock_notes: Vec<String>,
    note: Option<String>,
    /// Keeps others out as long as it lives, and as long as a save that nobody waits for any more is under way.
    lock: Arc<File>,
}

impl StateFile {
    /// Opens a folder, made where it is missing, and reads what is in it.
    ///
    /// # Errors
    /// The folder is in use, or holds something that is no state.
    pub(crate) fn open(
        folder: &Path,
        witness: Arc<dyn Witness>,
    ) -> Result<(Self, Option<State>), StateError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| StateError::Io { path, source }
        };
        fs::create_dir_all(folder).map_err(io(folder))?;
        let lock = File::create(folder.join("lock")).map_err(io(folder))?;
        lock.try_lock().map_err(|_| StateError::InUse { path: folder.to_owned() })?;
        let (state, note) = newest(folder)?;
        if note.is_some() {
            // The next save must not put the torn one where the whole one is.
            let (path, former) = (folder.join(STATE_FILE), folder.join(FORMER));
            fs::rename(&path, folder.join(TORN)).map_err(io(&path))?;
            fs::rename(&former, &path).map_err(io(&former))?;
        }
        let number = state.as_ref().map_or(0, |state| state.number);
        let clock = ClockFile::open(folder).map_err(io(&folder.join(CLOCK_FILE)))?;
        let kept = state.as_ref().map(State::kept_time).into_iter().chain(clock.newest());
        let (kept_time, clock_notes) = (kept.reduce(KeptTime::newest), clock.notes().to_vec());
        let written = Arc::new(Mutex::new((number, clock)));
        let file = Self {
            folder: folder.to_owned(),
            number,
            witness,
            written,
            kept_time,
            clock_notes,
            note,
            lock: Arc::new(lock),
        };
        Ok((file, state))
    }

    /// The time to go on from: the clock's own file or the state's copy, whichever is to be believed. (K-01)
    pub(crate) fn kept_time(&self) -> Option<KeptTime> {
        self.kept_time
    }

    /// What of the clock's file had to be passed over.
    pub(crate) fn clock_notes(&self) -> &[String] {
        &self.clock_notes
    }

    /// Why the cell goes on from the state before the last one.
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Takes room for a state that is so many bytes longer than the last one; the next save writes into it.
    ///
    /// # Errors
    /// The disk is full, or takes nothing.
    pub(crate) async fn reserve(&self, more: u64) -> Result<(), StateError> {
        let (path, written) = (self.folder.join(STATE_FILE), Arc::clone(&self.written));
        let task = tokio::task::spawn_blocking(move || {
            let _written = written.lock().unwrap_or_else(PoisonError::into_inner);
            let length = fs::metadata(&path).map_or(0, |found| found.len());
            let reserved = durable::reserve(&path, length.saturating_add(more));
            reserved.map_err(|source| StateError::Io { path, source })
        });
        task.await.map_err(|_| StateError::Interrupted)?
    }

    /// Makes a state durable and tells the witness its running number.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(crate) async fn save(&mut self, mut state: State) -> Result<(), StateError> {
        self.number += 1;
        state.number = self.number;
        let (folder, written) = (self.folder.clone(), Arc::clone(&self.written));
        let lock = Arc::clone(&self.lock);
        let task = tokio::task::spawn_blocking(move || {
            let _lock = lock;
            let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
            let (newest, clock) = &mut *written;
            // A save whose caller was dropped may come late: what is newer stays.
            if *newest < state.number {
                clock
                    .save(state.kept_time())
                    .map_err(|source| StateError::Io { path: clock.path().to_owned(), source })?;
                write(&folder, &state)
                    .map_err(|source| StateError::Io { path: folder.join(STATE_FILE), source })?;
                *newest = state.number;
            }
            Ok(())
        });
        task.await.map_err(|_| StateError::Interrupted)??;
        self.witness.committed(self.number);
        Ok(())
    }
}

/// Reads the state of a folder; where it is torn, the one before it, with a note that says so.
///
/// # Errors
/// There is a state that cannot be used, and none before it.
pub(crate) fn newest(folder: &Path) -> Result<(Option<State>, Option<String>), StateError> {
    match read(&folder.join(STATE_FILE)) {
        Err(error @ StateError::Unreadable { .. }) => match read(&folder.join(FORMER)) {
            Ok(Some(former)) => {
                let note = format!("the state {} was torn, and the one before it is used", former.number + 1);
                Ok((Some(former), Some(note)))
            }
            Ok(None) | Err(_) => Err(error),
        },
        // Between the two renames of a save on a disk without links.
        Ok(None) => Ok((read(&folder.join(FORMER))?, None)),
        found => Ok((found?, None)),
    }
}

fn read(path: &Path) -> Result<Option<State>, StateError> {
    let path = path.to_owned();
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::Io { path, source }),
    };
    match serde_json::from_slice::<State>(&bytes) {
        Ok(state) if state.format == FORMAT => Ok(Some(state)),
        Ok(state) => Err(StateError::Format { path, found: state.format }),
        Err(source) => Err(StateError::Unreadable { path, source }),
    }
}

fn write(folder: &Path, state: &State) -> io::Result<()> {
    let (path, former) = (folder.join(STATE_FILE), folder.join(FORMER));
    let beside = durable::write_beside(&path, &serde_json::to_vec(state)?)?;
    if path.exists() {
        // A whole state stays under one of both names, whenever the power goes.
        fs::remove_file(&former).or_else(unless_missing)?;
        fs::hard_link(&path, &former).or_else(|_| fs::rename(&path, &former))?;
    }
    durable::take_place(&beside, &path)
}

fn unless_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(clock: i64) -> State {
        State {
            format: FORMAT,
            number: 0,
            clock: Timestamp::from_second(clock).unwrap(),
            corrections: 0,
            leapt: Duration::ZERO,
            trust: Trust::default(),
            recovery: Recovery::default(),
            alarms: Alarms::default(),
            rings: Rings::default(),
            firmware: Firmware::default(),
            configured: "https://hems.example/".to_owned(),
            contacted: None,
            agenda: Agenda::default(),
            changed: BTreeSet::new(),
            reboot: None,
            reset: false,
            listens: false,
            schedules: Vec::new(),
            transfers: Vec::new(),
            reach: Reach::default(),
            device: device::Snapshot::default(),
        }
    }

    #[derive(Default)]
    struct Numbers(Mutex<Vec<u64>>);

    impl Witness for Numbers {
        fn committed(&self, number: u64) {
            self.0.lock().unwrap().push(number);
        }
    }

    #[tokio::test]
    async fn k01_what_was_saved_is_read_again_and_the_numbers_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let numbers = Arc::new(Numbers::default());
        for round in 0..2 {
            let (mut file, found) = StateFile::open(folder.path(), numbers.clone()).unwrap();
            assert_eq!(found.map(|state| state.number), (round > 0).then_some(round * 2));
            file.save(state(1)).await.unwrap();
            file.save(state(2)).await.unwrap();
        }
        let (_, found) = StateFile::open(folder.path(), numbers.clone()).unwrap();
        assert_eq!(found, Some(State { number: 4, ..state(2) }));
        assert_eq!(*numbers.0.lock().unwrap(), [1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn a_torn_write_beside_the_state_harms_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, _) = StateFile::open(folder.path(), Arc::new(())).unwrap();
        file.save(state(7)).await.unwrap();
        drop(file);
        fs::write(folder.path().join("state.json.new"), b"{\"form").unwrap();
        let (_, found) = StateFile::open(folder.path(), Arc::new(())).unwrap();
        assert_eq!(found.map(|state| state.clock.as_second()), Some(7));
    }

    #[tokio::test]
    async fn k01_a_state_torn_at_any_byte_gives_way_to_the_one_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, _) = StateFile::open(folder.path(), Arc::new(())).unwrap();
        for clock in [6, 7] {
            file.save(state(clock)).await.unwrap();
        }
        let path = folder.path().join(STATE_FILE);
        let whole = fs::read(&path).unwrap();
        for (name, is_newest) in [("state.json.new", true), (STATE_FILE, false)] {
            for cut in 0..whole.len() {
                let zeros = vec![0; whole.len() - cut];
                for rest in [&[], zeros.as_slice()] {
                    // Unlinked first: a disk that tears one file leaves the other name's content alone.
                    let torn = folder.path().join(name);
                    let _ = fs::remove_file(&torn);
                    fs::write(&torn, [&whole[..cut], rest].concat()).unwrap();
                    let (found, note) = newest(folder.path()).unwrap();
                    let found = found.map(|state| (state.number, state.clock.as_second()));
                    assert_eq!(found, Some(if is_newest { (2, 7) } else { (1, 6) }), "{name}, byte {cut}");
                    assert_eq!(note.is_none(), is_newest);
                }
            }
        }
    }

    #[tokio::test]
    async fn k01_after_a_torn_state_the_whole_one_outlives_the_next_cut() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, _) = StateFile::open(folder.path(), Arc::new(())).unwrap();
        for clock in [6, 7] {
            file.save(state(clock)).await.unwrap();
        }
        drop(file);
        let path = folder.path().join(STATE_FILE);
        fs::remove_file(&path).unwrap();
        fs::write(&path, b"").unwrap();
        let (mut file, found) = StateFile::open(folder.path(), Arc::new(())).unwrap();
        assert_eq!((found.map(|state| state.number), file.note().is_some()), (Some(1), true));
        assert_eq!(newest(folder.path()).unwrap().0.map(|state| state.number), Some(1));
        file.save(state(8)).await.unwrap();
        fs::write(&path, b"{").unwrap();
        assert_eq!(newest(folder.path()).unwrap().0.map(|state| state.number), Some(1));
    }

    #[tokio::test]
    async fn k01_a_save_cut_between_its_steps_leaves_a_whole_state() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, _) = StateFile::open(folder.path(), Arc::new(())).unwrap();
        for clock in [6, 7] {
            file.save(state(clock)).await.unwrap();
        }
        let found = || newest(folder.path()).unwrap().0.map(|state| state.clock.as_second());
        // Without the former one, and then with nothing but it.
        fs::remove_file(folder.path().join(FORMER)).unwrap();
        assert_eq!(found(), Some(7));
        fs::rename(folder.path().join(STATE_FILE), folder.path().join(FORMER)).unwrap();
        assert_eq!(found(), Some(7));
    }

    #[test]
    fn what_is_no_state_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(STATE_FILE), b"{}").unwrap();
        let open = || StateFile::open(folder.path(), Arc::new(())).map(|(_, state)| state);
        assert!(matches!(open(), Err(StateError::Unreadable { .. })));
        let newer = State { format: 2, ..state(1) };
        fs::write(folder.path().join(STATE_FILE), serde_json::to_vec(&newer).unwrap()).unwrap();
        assert!(matches!(open(), Err(StateError::Format { found: 2, .. })));
    }

    #[test]
    fn two_daemons_on_one_folder_are_one_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let _first = StateFile::open(folder.path(), Arc::new(())).unwrap();
        let second = StateFile::open(folder.path(), Arc::new(())).map(drop);
        assert!(matches!(second, Err(StateError::InUse { .. })));
    }
}
