//! Runs a vendor's program: by argv and never by a shell, for a bounded time, with a bounded answer.
//!
//! ```text
//!   argv… arguments… ◀─stdin─ input      stdout ─▶ answer, at most MOST_BYTES      stderr ─▶ henbd's own
//! ```
//!
//! Whoever calls waits, at most for the program's limit. The program runs in a process group of its own, and all of the
//! group is killed when the limit is over or the answer is too long. The waiting is done by a small runtime on a thread of its own, since the
//! caller may stand in another one.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// Longest answer: all of a 3,000-parameter tree with a hundred bytes for each value fits three times.
pub(super) const MOST_BYTES: u64 = 1 << 20;

/// How long an installation may take: an image of 64 MiB onto flash that takes 256 KiB a second.
pub(crate) const INSTALL_LIMIT: Duration = Duration::from_secs(256);

/// How long the kernel may take to end what was killed.
const GRACE: Duration = Duration::from_secs(1);

/// A program, and how long one run of it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The executable file.
    pub file: PathBuf,
    /// What always follows its name.
    pub arguments: Vec<String>,
    /// How long a run may take.
    pub limit: Duration,
}

/// Why a program did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It cannot be started, or not be talked to.
    #[error("cannot run {file}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It was killed when its time was over.
    #[error("{file} took longer than {limit:?}")]
    Late {
        /// The file.
        file: PathBuf,
        /// What it had.
        limit: Duration,
    },
    /// It was killed when it had written too much.
    #[error("{file} wrote more than {MOST_BYTES} bytes")]
    TooMuch {
        /// The file.
        file: PathBuf,
    },
    /// It says itself that it failed.
    #[error("{file} ended with {status}")]
    Failed {
        /// The file.
        file: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
}

impl Program {
    /// Runs it and gives what it wrote to standard output.
    ///
    /// # Errors
    /// It cannot be started, took too long, wrote too much or ended with another status than 0.
    pub fn ask(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, ProgramError> {
        self.alone(self.finish(arguments, Some(input)))
    }

    /// Runs it for its effect; what it writes goes where henbd's own output goes.
    ///
    /// # Errors
    /// As [`Program::ask`].
    pub fn run(&self, arguments: &[&str]) -> Result<(), ProgramError> {
        self.alone(self.finish(arguments, None)).map(drop)
    }

    fn alone<T: Send>(
        &self,
        work: impl Future<Output = Result<T, ProgramError>> + Send,
    ) -> Result<T, ProgramError> {
        block_on(work).map_err(|source| self.io(source))?
    }

    async fn finish(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Vec<u8>, ProgramError> {
        let mut command = Command::new(&self.file);
        command.args(&self.arguments).args(arguments).process_group(0).kill_on_drop(true);
        match input {
            Some(_) => command.stdin(Stdio::piped()).stdout(Stdio::piped()),
            None => command.stdin(Stdio::null()).stdout(Stdio::inherit()),
        };
        let mut child = command.spawn().map_err(|source| self.io(source))?;
        let outcome = tokio::time::timeout(self.limit, self.talk(&mut child, input)).await;
        let outcome = outcome
            .unwrap_or_else(|_| Err(ProgramError::Late { file: self.file.clone(), limit: self.limit }));
        if outcome.is_err() {
            // Nothing where the program has ended: its number may be another's by now.
            kill(child.id());
            // What was killed is waited for, so that nothing of it is left; only the kernel could delay that.
            let _ = tokio::time::timeout(GRACE, child.wait()).await;
        }
        outcome
    }

    async fn talk(&self, child: &mut Child, input: Option<&[u8]>) -> Result<Vec<u8>, ProgramError> {
        let mut answer = Vec::new();
        if let (Some(input), Some(mut stdin), Some(stdout)) = (input, child.stdin.take(), child.stdout.take())
        {
            let write = async move {
                // A program that does not care for its input may end before it has it all.
                let _ = stdin.write_all(input).await;
                Ok(())
            };
            let read = async {
                stdout
                    .take(MOST_BYTES + 1)
                    .read_to_end(&mut answer)
                    .await
                    .map_err(|source| self.io(source))?;
                let is_short = u64::try_from(answer.len()).is_ok_and(|length| length <= MOST_BYTES);
                is_short.then_some(()).ok_or_else(|| ProgramError::TooMuch { file: self.file.clone() })
            };
            tokio::try_join!(write, read)?;
        }
        let status = child.wait().await.map_err(|source| self.io(source))?;
        if status.success() {
            return Ok(answer);
        }
        Err(ProgramError::Failed { file: self.file.clone(), status })
    }

    fn io(&self, source: io::Error) -> ProgramError {
        ProgramError::Io { file: self.file.clone(), source }
    }
}

/// Says what keeps a file from being run, before anybody needs it.
///
/// # Errors
/// What would be right.
pub(crate) fn check(file: &Path) -> Result<(), String> {
    let name = file.display();
    let Ok(metadata) = file.metadata() else { return Err(format!("there is no program {name}")) };
    if !metadata.is_file() {
        return Err(format!("{name} is no file: a program is right"));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(format!("{name} is not executable: `chmod +x` makes it so"));
    }
    Ok(())
}

/// Ends a child and whoever it started.
fn kill(group: Option<u32>) {
    let group = group.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        // Nobody may be left in it, which is what is wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Waits for work on a thread of its own: the caller's may belong to another runtime.
fn block_on<T: Send>(work: impl Future<Output = T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let worker = scope.spawn(move || runtime.block_on(work));
        worker.join().map_err(|_| io::Error::other("the thread that waits for it ended"))
    })
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
