//! The one file of a cell: what must outlive a power cut. (K-01, C-07)
//!
//! How it lies on the disk, and what becomes of a damaged one, is said in `disk`. What is durable before what:
//!
//! ```text
//!   executed change ──saved──▶ its response is posted
//!   InformResponse  ──────▶ its events are removed ──saved
//!   TransferComplete's response ──▶ the call is removed ──saved
//!   reboot, installation: the effect and "done" are in one save
//! ```

mod disk;

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

use self::disk::FORMER;
pub use self::disk::STATE_FILE;
pub(crate) use self::disk::newest;

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
            disk::set_aside(folder).map_err(io(&folder.join(STATE_FILE)))?;
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
                disk::write(&folder, &state)
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

#[cfg(test)]
mod tests;
