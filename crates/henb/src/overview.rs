//! What a state folder says of its cell, for people and for programs: `henbd state`.
//!
//! One rule: nothing in it that its owner could not paste into a mail. No value of the data model, no user name or
//! password that an ACS named for a transfer, and of a transfer's URL the host alone.

use std::{fmt, fs, path::Path, time::Duration};

use cwmp::EventStruct;
use jiff::Timestamp;
use profile::{CertificateFacts, RootCertificate};
use serde::Serialize;

use crate::{
    Alarms, Config, Image, Slot, StateError,
    clock_file::ClockFile,
    state::{self, State},
    transfer::Transfer,
};

/// What is kept of one cell.
#[derive(Debug, Serialize)]
pub struct Overview {
    /// Who the cell is, by its certificate; nothing where that cannot be read.
    pub certificate: Option<CertificateFacts>,
    /// The number of the last durable state.
    pub number: u64,
    /// Why it is the one before the last.
    pub note: Option<String>,
    /// The cell's own clock.
    pub clock: ClockOverview,
    /// The URL of the configuration.
    pub configured_url: String,
    /// The URL of the H(e)MS that took the BOOTSTRAP.
    pub contacted_url: Option<String>,
    /// What stands against it, by its stable word.
    pub alarms: Alarms,
    /// What the next session is for.
    pub agenda: AgendaOverview,
    /// Both images.
    pub images: [ImageOverview; 2],
    /// What is promised and not yet done, in its order.
    pub transfers: Vec<TransferOverview>,
    /// How many values of the data model the cell keeps.
    pub values: usize,
}

/// The time that the next start goes on from. (K-01)
#[derive(Debug, Serialize)]
pub struct ClockOverview {
    /// The later one of the state's and the clock's own file.
    pub at: Timestamp,
    /// The number of the last signed correction; 0 before the first.
    pub corrections: u64,
    /// Seconds that single sources moved it since it was confirmed.
    pub leapt_s: u64,
    /// What of the clock's file cannot be used.
    pub notes: Vec<String>,
}

/// What the next session is for.
#[derive(Debug, Serialize)]
pub struct AgendaOverview {
    /// Events that wait to be told.
    pub events: Vec<EventStruct>,
    /// Names of calls that wait to be made.
    pub calls: Vec<&'static str>,
    /// Sessions that failed in a row.
    pub retries: u32,
    /// When a session is due, by the cell's clock, where nothing happens before.
    pub due: Option<Timestamp>,
    /// Parameters whose change is to be told.
    pub changed: usize,
    /// A reboot was promised.
    pub reboot: bool,
    /// A return to the factory's values was promised.
    pub factory_reset: bool,
}

/// One image.
#[derive(Debug, Serialize)]
pub struct ImageOverview {
    /// It runs.
    pub is_active: bool,
    /// What is known of it.
    #[serde(flatten)]
    pub image: Image,
}

/// One transfer.
#[derive(Debug, Serialize)]
pub struct TransferOverview {
    /// What the ACS called it.
    pub command_key: String,
    /// Its kind.
    pub file_type: String,
    /// To the cell.
    pub is_download: bool,
    /// Where from or where to.
    pub host: String,
    /// Not before this, by the cell's clock.
    pub not_before: Timestamp,
}

impl Overview {
    /// Reads what is there while nobody or a running `henbd` uses it; nothing where no cell ever ran.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn read(config: &Config) -> Result<Option<Self>, StateError> {
        let (state, note) = state::newest(&config.state_dir)?;
        let Some(state) = state else { return Ok(None) };
        let kept = state.kept_time();
        let (clock, notes) = ClockFile::peek(&config.state_dir);
        let kept = clock.map_or(kept, |clock| kept.newest(clock));
        Ok(Some(Self {
            certificate: certificate(&config.identity.chain),
            number: state.number,
            note,
            clock: ClockOverview {
                at: kept.at,
                corrections: kept.corrections,
                leapt_s: kept.leapt.as_secs(),
                notes,
            },
            agenda: agenda(&state, kept.at),
            images: Slot::ALL.map(|slot| ImageOverview {
                is_active: state.firmware.active() == slot,
                image: state.firmware.image(slot).clone(),
            }),
            transfers: state.transfers.iter().map(transfer).collect(),
            values: state.device.tree.values.len(),
            configured_url: state.configured,
            contacted_url: state.contacted,
            alarms: state.alarms,
        }))
    }
}

/// The leaf of a chain, however good it is.
fn certificate(chain: &Path) -> Option<CertificateFacts> {
    let chain = RootCertificate::read_all(&fs::read(chain).ok()?).ok()?;
    chain.first()?.facts()
}

fn agenda(state: &State, now: Timestamp) -> AgendaOverview {
    AgendaOverview {
        events: state.agenda.events(),
        calls: state.agenda.calls().iter().map(cwmp::AcsMethod::name).collect(),
        retries: state.agenda.retry_count(),
        due: state.agenda.deadline().map(|at| at.max(now)),
        changed: state.changed.len(),
        reboot: state.reboot.is_some(),
        factory_reset: state.reset,
    }
}

fn transfer(transfer: &Transfer) -> TransferOverview {
    let summary = transfer.summary();
    TransferOverview {
        command_key: summary.command_key.to_string(),
        file_type: summary.file_type.to_string(),
        is_download: transfer.is_download(),
        host: host(transfer.url()).to_owned(),
        not_before: transfer.not_before,
    }
}

/// The host of a URL as it was written: what stands around it may be secret.
fn host(url: &str) -> &str {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

impl fmt::Display for Overview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, what: &dyn fmt::Display| writeln!(f, "{name:<12}{what}");
        match &self.certificate {
            Some(facts) => line("identity", &format!("{}, until {}", facts.subject, facts.not_after))?,
            None => line("identity", &"the certificate cannot be read")?,
        }
        line("state", &format!("number {}, {} values", self.number, self.values))?;
        for note in self.note.iter().chain(&self.clock.notes) {
            line("damage", note)?;
        }
        let leapt = Duration::from_secs(self.clock.leapt_s);
        line("clock", &format!("{}, {leapt:?} unconfirmed", self.clock.at))?;
        line("configured", &self.configured_url)?;
        line("contacted", &self.contacted_url.as_deref().unwrap_or("nobody yet"))?;
        for (identifier, text) in self.alarms.texts() {
            line("alarm", &format!("{identifier}: {text}"))?;
        }
        for event in &self.agenda.events {
            line("event", &format!("{} {}", event.event_code, event.command_key).trim_end())?;
        }
        for call in &self.agenda.calls {
            line("call", call)?;
        }
        let due = self.agenda.due.map_or_else(|| "none".to_owned(), |due| due.to_string());
        line("session", &format!("due {due}, {} failed in a row", self.agenda.retries))?;
        for (number, ImageOverview { is_active, image }) in (1..).zip(&self.images) {
            let active = if *is_active { ", runs" } else { "" };
            let image = format!("{number}: {} {}", image.status.name(), image.version);
            line("image", &format!("{}{active}", image.trim_end()))?;
        }
        for transfer in &self.transfers {
            let way = if transfer.is_download { "from" } else { "to" };
            let TransferOverview { file_type, host, not_before, .. } = transfer;
            line("transfer", &format!("{file_type} {way} {host}, not before {not_before}"))?;
        }
        for (is_promised, what) in
            [(self.agenda.reboot, "a reboot"), (self.agenda.factory_reset, "a factory reset")]
        {
            if is_promised {
                line("promised", &what)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_the_host_alone_is_shown() {
        for (url, expected) in [
            ("https://user:pw@files.example:8443/a?token=1", "files.example:8443"),
            ("https://files.example?token=1", "files.example"),
            ("https://[2001:db8::1]/a", "[2001:db8::1]"),
            ("files", ""),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }
}
