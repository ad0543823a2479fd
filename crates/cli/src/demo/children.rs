//! The demo's processes: started with their logs in files, watched, and ended by pid.

use std::{
    env,
    error::Error,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::lab::Lab;

/// How long a process may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How often the processes are looked at while nothing else happens.
const PACE: Duration = Duration::from_millis(500);

/// One process of the demo.
#[derive(Debug)]
struct Running {
    name: String,
    log: PathBuf,
    child: Child,
}

/// All processes of the demo, in the order of their start.
#[derive(Debug, Default)]
pub(super) struct Children(Vec<Running>);

/// The agent's program, which stands beside this one.
fn henbd() -> Result<PathBuf, Box<dyn Error>> {
    let henbd = env::current_exe()?.with_file_name("henbd");
    if henbd.exists() {
        Ok(henbd)
    } else {
        Err(format!("{} is missing: `./x build` makes it", henbd.display()).into())
    }
}

impl Children {
    /// Everything that will be started is there.
    pub(super) fn check_programs() -> Result<(), Box<dyn Error>> {
        henbd().map(drop)
    }

    /// Starts the H(e)MS.
    pub(super) fn serve(&mut self, lab: &Lab, record: Option<&Path>) -> Result<(), Box<dyn Error>> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("serve").arg("--config").arg(lab.path("hems.toml"));
        self.start("hems", command, lab.path("hems.log"), record)
    }

    /// Starts one cell.
    pub(super) fn henbd(
        &mut self,
        lab: &Lab,
        eui: &str,
        record: Option<&Path>,
    ) -> Result<(), Box<dyn Error>> {
        let mut command = Command::new(henbd()?);
        command.arg("--config").arg(lab.path(&format!("cells/{eui}.toml")));
        self.start(eui, command, lab.path(&format!("cells/{eui}.log")), record)
    }

    fn start(
        &mut self,
        name: &str,
        mut command: Command,
        log: PathBuf,
        record: Option<&Path>,
    ) -> Result<(), Box<dyn Error>> {
        if let Some(dir) = record {
            command.arg("--record").arg(dir.join(name));
        }
        let file = File::options().create(true).append(true).open(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
        // A Ctrl-C in the terminal reaches the demo alone, which then ends the others in order.
        command.process_group(0);
        let child = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        self.0.push(Running { name: name.to_owned(), log, child });
        Ok(())
    }

    /// An error with the end of its log for a process that has ended.
    pub(super) fn all_alive(&mut self) -> Result<(), Box<dyn Error>> {
        for running in &mut self.0 {
            if let Some(status) = running.child.try_wait()? {
                let log = fs::read_to_string(&running.log).unwrap_or_default();
                let lines: Vec<&str> = log.lines().rev().take(10).collect();
                let tail = lines.into_iter().rev().collect::<Vec<_>>().join("\n  ");
                return Err(format!(
                    "{} ended with {status}; {} says:\n  {tail}",
                    running.name,
                    running.log.display()
                )
                .into());
            }
        }
        Ok(())
    }

    /// Waits for ever, or until a process ends unasked.
    pub(super) async fn wait_for_an_end(&mut self) -> Result<(), Box<dyn Error>> {
        loop {
            self.all_alive()?;
            sleep(PACE).await;
        }
    }

    /// Ends the cells first, then the H(e)MS: asked at first, killed when they do not listen.
    pub(super) async fn stop(&mut self) {
        for running in self.0.iter().rev() {
            let pid = running.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
            if let Some(pid) = pid {
                // It may have ended by itself a moment ago.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        for running in self.0.iter_mut().rev() {
            if timeout(GRACE, running.child.wait()).await.is_err() {
                let _ = running.child.kill().await;
            }
        }
    }
}
