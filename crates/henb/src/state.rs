//! The one file of a cell: what must outlive a power cut. (K-01, C-07)
//!
//! It is replaced whole: written beside, flushed, renamed, and the folder flushed, so that a reader finds the old state
//! or the new one and nothing between. What is durable before what:
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
    io::{self, Write},
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
    device,
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
    fn kept_time(&self) -> KeptTime {
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
    #[error("cannot read {path} as the state of a cell: move it away to start from the factory's values")]
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

/// The state folder of one running cell.
pub(crate) struct StateFile {
    folder: PathBuf,
    number: u64,
    witness: Arc<dyn Witness>,
    /// The number of the newest state on disk; held while writing, so that writers do not meet.
    written: Arc<Mutex<(u64, ClockFile)>>,
    kept_time: Option<KeptTime>,
    notes: Vec<String>,
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
        let path = folder.join(STATE_FILE);
        let state = match fs::read(&path) {
            Ok(bytes) => Some(read(&path, &bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(StateError::Io { path, source }),
        };
        let number = state.as_ref().map_or(0, |state| state.number);
        let clock = ClockFile::open(folder).map_err(io(&folder.join(CLOCK_FILE)))?;
        let kept = state.as_ref().map(State::kept_time).into_iter().chain(clock.newest());
        let (kept_time, notes) = (kept.reduce(KeptTime::newest), clock.notes().to_vec());
        let written = Arc::new(Mutex::new((number, clock)));
        let file = Self {
            folder: folder.to_owned(),
            number,
            witness,
            written,
            kept_time,
            notes,
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
        &self.notes
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

fn read(path: &Path, bytes: &[u8]) -> Result<State, StateError> {
    let state: State = serde_json::from_slice(bytes)
        .map_err(|source| StateError::Unreadable { path: path.to_owned(), source })?;
    if state.format == FORMAT {
        Ok(state)
    } else {
        Err(StateError::Format { path: path.to_owned(), found: state.format })
    }
}

fn write(folder: &Path, state: &State) -> io::Result<()> {
    replace(&folder.join(STATE_FILE), &serde_json::to_vec_pretty(state)?)
}

/// Replaces a file whole and durably, by way of one beside it.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = File::create(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
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
