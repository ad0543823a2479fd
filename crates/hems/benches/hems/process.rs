//! A server as a process of its own, and what the kernel says of it.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long a start may take; a server in order opens a large store in less than a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server, told to stop at the end.
pub(super) struct Process(Child);

impl Process {
    /// Starts one and reads its log until it said where it listens, so often.
    pub(super) fn start(command: &mut Command, addresses: usize) -> (Self, Vec<SocketAddr>) {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (said, heard) = mpsc::channel();
        thread::spawn(move || {
            // To its end, or the server would wait for a reader.
            for line in log.lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        let mut found = Vec::new();
        while found.len() < addresses {
            let line = heard.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{command:?} does not listen"));
            let address = line.contains("listening for").then(|| line.split_once("address=")).flatten();
            match address {
                Some((_, rest)) => found.push(rest.split_whitespace().next().unwrap().parse().unwrap()),
                None => eprintln!("{line}"),
            }
        }
        (Self(child), found)
    }

    /// Seconds of CPU that its threads used so far.
    pub(super) fn cpu(&self) -> f64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap().flatten();
        let used = |thread: fs::DirEntry| -> Option<f64> {
            let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            stat.split(' ').next()?.parse().ok()
        };
        threads.filter_map(used).sum::<f64>() / 1e9
    }

    /// Resident memory in megabytes.
    pub(super) fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
    }

    /// Stops it in order.
    pub(super) fn stop(mut self) {
        assert!(Command::new("kill").arg(self.0.id().to_string()).status().unwrap().success());
        assert!(self.0.wait().unwrap().success(), "the server did not stop in order");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
