//! A PostgreSQL of a test's own, in memory, without a network, and gone with it.
//!
//! The server refuses to run as root, so that root runs it as nobody. It dies with the test's main thread, however
//! that ends; what it needs not survive, such as a flush to disk, is off. Its collation is a language's, as on most
//! machines, not that of bytes.

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// Where Debian keeps the versions that are installed, one folder each.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Debian's user and group with no rights.
const NOBODY: u32 = 65_534;
/// How long a start may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// No network, no waiting for a disk, and nothing outside its folder. What was committed outlives a crash of the server.
const DEFAULTS: [&str; 4] =
    ["listen_addresses=", "fsync=off", "full_page_writes=off", "dynamic_shared_memory_type=mmap"];
/// What the server says when it can be used.
const READY: &str = "database system is ready to accept connections";

/// A running server with a superuser `hearth` and an empty database `postgres`, which asks for no password on its socket.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    server: Child,
    options: Vec<String>,
}

impl Postgres {
    /// Starts one, of the newest version that is installed. Nothing where there is none: then the skip of `test` is
    /// noted.
    ///
    /// # Panics
    /// Where there is one and it does not start.
    #[must_use]
    pub fn start(test: &str) -> Option<Self> {
        Self::with(test, &[], &[])
    }

    /// Starts one with options of its own, and files of these names and texts that only the server can read.
    ///
    /// # Panics
    /// Where there is one and it does not start.
    #[must_use]
    pub fn with(test: &str, options: &[&str], files: &[(&str, &[u8])]) -> Option<Self> {
        let Some(programs) = newest() else {
            crate::skip(test, "no PostgreSQL; ./x test installs it");
            return None;
        };
        let folder = folder();
        run(as_nobody(&programs.join("initdb")).arg("-D").arg(folder.path().join("data")).args([
            "--username=hearth",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--locale-provider=icu",
            "--icu-locale=en",
            "--no-sync",
        ]));
        for (name, text) in files {
            give(&folder.path().join(name), text);
        }
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        let server = serve(&programs, folder.path(), &options);
        Some(Self { folder, programs, server, options })
    }

    /// The folder with its socket and its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The URL of its database on the socket.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres:///postgres?host={}&user=hearth", self.folder().display())
    }

    /// Keeps what is in it as SQL for whoever looks at a test that failed; what cannot be kept is lost.
    pub fn keep(&self, file: &Path) {
        let mut dump = Command::new(self.programs.join("pg_dump"));
        dump.args(["--username=hearth", "--dbname=postgres", "--host"]).arg(self.folder());
        if let Ok(output) = dump.output() {
            let _ = fs::write(file, output.stdout);
        }
    }

    /// Stops it as a crash would: connections break, and what was committed is there after the next start.
    ///
    /// # Panics
    /// Where it cannot be stopped.
    pub fn crash(&mut self) {
        let data = self.folder().join("data");
        run(as_nobody(&self.programs.join("pg_ctl")).args(["stop", "--mode=immediate", "-D"]).arg(data));
        assert!(self.server.wait().is_ok(), "the server is no child of this process");
    }

    /// Starts it again after a crash.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn recover(&mut self) {
        self.server = serve(&self.programs, self.folder.path(), &self.options);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if matches!(self.server.try_wait(), Ok(None)) && !thread::panicking() {
            self.crash();
        }
        // Without its files a server ends by itself; here it is only for a test that failed.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The programs of the newest version.
fn newest() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.flatten();
    let numbered =
        versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let programs = numbered.max().map(|(_, path)| path.join("bin"))?;
    programs.join("initdb").is_file().then_some(programs)
}

/// A folder in memory, where there is one, that belongs to whom the server runs as.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = must(folder, "a folder for PostgreSQL");
    if is_root() {
        must(chown(folder.path(), Some(NOBODY), Some(NOBODY)), "to give PostgreSQL its folder");
    }
    folder
}

/// Writes a file that only the server can read.
fn give(path: &Path, text: &[u8]) {
    must(fs::write(path, text), "to write a file");
    must(fs::set_permissions(path, Permissions::from_mode(0o600)), "to keep a file private");
    if is_root() {
        must(chown(path, Some(NOBODY), Some(NOBODY)), "to give a file away");
    }
}

/// Starts the server and waits for it to say that it is ready.
fn serve(programs: &Path, folder: &Path, options: &[String]) -> Child {
    let mut command = as_nobody(&programs.join("postgres"));
    command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
    for option in DEFAULTS.into_iter().chain(options.iter().map(String::as_str)) {
        command.args(["-c", option]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut server = must(command.spawn(), "to start PostgreSQL");
    let (said, ready) = mpsc::channel();
    if let Some(log) = server.stderr.take() {
        // Read to its end, or the server would wait for a reader.
        thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
    }
    let mut log = String::new();
    while !log.contains(READY) {
        match ready.recv_timeout(PATIENCE) {
            Ok(line) => log.extend([line.as_str(), "\n"]),
            Err(_) => panic!("PostgreSQL did not start: {log}"),
        }
    }
    server
}

/// A program as somebody who is not root, that ends with the thread that starts it.
fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if is_root() {
        command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]);
    }
    command.arg(program).current_dir("/");
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Runs a program to its end.
fn run(command: &mut Command) {
    let output = must(command.stdin(Stdio::null()).output(), "to run a program of PostgreSQL");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn must<T>(result: std::io::Result<T>, what: &str) -> T {
    result.unwrap_or_else(|error| panic!("PostgreSQL for a test needs {what}: {error}"))
}
