//! A NATS server with JetStream of a test's own, on loopback, and gone with it.
//!
//! It dies with the test's main thread, however that ends. What its streams hold is in its folder, and outlives a
//! crash.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// Where Debian puts it, which is not on everybody's path.
const DEBIAN: &str = "/usr/sbin/nats-server";

/// A server that was started. It may take some milliseconds until it listens: clients try again.
#[derive(Debug)]
pub struct Nats {
    folder: TempDir,
    port: u16,
    server: Child,
}

impl Nats {
    /// Starts one. Nothing where it is not installed: then the skip of `test` is noted.
    ///
    /// # Panics
    /// Where it is there and cannot be started.
    #[must_use]
    pub fn start(test: &str) -> Option<Self> {
        if !Path::new(DEBIAN).is_file() {
            crate::skip(test, "no nats-server; ./x test installs it");
            return None;
        }
        let folder = must(tempfile::tempdir(), "a folder");
        // The server takes any port, too, but says which in a file that is not there yet.
        let port =
            must(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()), "a port")
                .port();
        let server = serve(folder.path(), port);
        Some(Self { folder, port, server })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Stops it as a crash would.
    pub fn crash(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    /// Starts it again after a crash, with what its streams hold.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn recover(&mut self) {
        self.server = serve(self.folder.path(), self.port);
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.crash();
    }
}

fn serve(folder: &Path, port: u16) -> Child {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", DEBIAN, "-a", "127.0.0.1", "-js", "-p"]).arg(port.to_string());
    command.arg("-sd").arg(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    must(command.spawn(), "to start")
}

fn must<T>(result: std::io::Result<T>, what: &str) -> T {
    result.unwrap_or_else(|error| panic!("NATS for a test needs {what}: {error}"))
}
