//! One of several `hearth serve` on one database, behind a balancer.
//!
//! Each has a folder, a log and addresses of its own in the world's folder; what they share is the database, the
//! certificates and the URL that cells are given.

use std::{fs, net::SocketAddr, path::PathBuf, process::Command, time::Duration};

use crate::{
    World,
    http::{self, Reply},
    process::{Process, wait_for},
    world::{OPERATOR_REALM, free_address, program},
};

/// How long a start may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node, running or not.
#[derive(Debug)]
pub struct Node {
    /// Where the balancer finds it.
    pub cwmp: SocketAddr,
    api: SocketAddr,
    config: PathBuf,
    log: PathBuf,
    state: PathBuf,
    process: Option<Process>,
}

impl Node {
    /// Node `number` of a world, not started yet. `store` is the database's URL, `more` more of its configuration.
    #[must_use]
    pub fn new(world: &World, number: usize, store: &str, more: &str) -> Self {
        let (cwmp, api, name) = (free_address(), free_address(), format!("node-{number}"));
        let (url, admin) = (world.url(), free_address());
        let text = format!(
            "lab = true\nstate_dir = {name:?}\nstore = {store:?}\n\n[cwmp]\nlisten = [\"{cwmp}\"]\n\
             certificate = \"pki/hems/localhost.pem\"\nkey = \"pki/hems/localhost.key\"\nurl = {url:?}\n\
             proxy_from = [\"127.0.0.1\"]\n\n[[cwmp.anchors]]\nname = \"manufacturer\"\n\
             certificates = \"pki/manufacturer.pem\"\nrealms = [{OPERATOR_REALM:?}]\n\n[api]\nlisten = \"{api}\"\n\n\
             [admin]\nlisten = \"{admin}\"\n\n[admission]\nidentities = \"pki/identities.csv\"\n\n\
             [gate]\npolicy = \"accept-declared\"\n{more}"
        );
        let at = |end: &str| world.dir().join(format!("{name}{end}"));
        let config = at(".toml");
        fs::write(&config, text).unwrap();
        Self { cwmp, api, config, log: at(".log"), state: at(""), process: None }
    }

    /// Gives it what seals the tickets of another, before it starts.
    pub fn join(&self, other: &Self) {
        let seal = |node: &Self| node.state.join("ticket.seal");
        fs::create_dir_all(&self.state).unwrap();
        fs::copy(seal(other), seal(self)).unwrap();
    }

    /// Starts it, and does not wait for it.
    pub fn start(&mut self) {
        let mut command = Command::new(program("hearth"));
        command.arg("serve").arg("--config").arg(&self.config);
        self.process = Some(Process::start(&mut command, &self.log));
    }

    /// Waits until its API answers.
    pub fn wait(&self) {
        wait_for(&format!("{}", self.log.display()), PATIENCE, || {
            self.ask("GET /api/v1/version", "", "").filter(|reply| reply.status == 200)
        });
    }

    /// Cuts its power.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Asks it to end and waits until it has; whether it ended well.
    pub fn stop(&mut self) -> bool {
        self.process.take().is_some_and(|mut process| process.terminate().success())
    }

    /// Asks its API, with more header lines; nothing where it does not answer.
    #[must_use]
    pub fn ask(&self, request: &str, more: &str, body: &str) -> Option<Reply> {
        let token = fs::read_to_string(self.state.join("api.token")).ok()?;
        http::ask_with(self.api, Some(token.trim()), more, request, body)
    }
}
