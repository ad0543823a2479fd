//! Processes of a test: started with a log, watched, and ended by pid.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// The first look at a condition again; what takes long is looked at less often, for looking costs the watched.
const PACE: Duration = Duration::from_millis(10);
/// The longest time between two looks.
const LONGEST_PACE: Duration = Duration::from_millis(250);

/// Waits until `condition` gives something, or panics after `patience` with what was waited for.
pub fn wait_for<T>(what: &str, patience: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        let waited = began.elapsed();
        assert!(waited < patience, "waited {patience:?} in vain for {what}");
        thread::sleep((waited / 20).clamp(PACE, LONGEST_PACE));
    }
}

/// A process, killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it says is appended to `log`.
    #[must_use]
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("the log can be opened");
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// All it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the process can be looked at")
    }

    /// Cuts its power.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        let _ = kill_process(pid, Signal::TERM);
        let log = self.log.clone();
        wait_for(&format!("the end of {}", log.display()), Duration::from_secs(20), || self.ended())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
