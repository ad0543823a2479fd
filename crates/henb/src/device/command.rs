//! A radio that a vendor's own software drives: each operation is a run of a program, or a line to a process.
//!
//! ```text
//!   ACS ─set, add, delete─▶ checked by the model ─▶ handed over in one call ─"done"─▶ stored
//!                                  └─bad─▶ fault            └─"no", or no answer─▶ fault, nothing stored
//!   lost (crash, hang, garbage) ─▶ OpState false, 9002 for every call ─back-off─▶ "start" with all values ─▶ started
//! ```
//!
//! The agent's values are the truth: whatever became of a call that got no answer, the vendor's side hears of all values
//! again before anything else. What the vendor tells is believed within the model and within what is a radio's business;
//! it never unlocks the radio (M-08), never closes the enclosure again (M-09), and never moves the H(e)MS's URL.
//!
//! Calls block, each at most for the limit of the configuration (30 s at most), an installation for some minutes. The
//! agent is one task that drives one cell: only this cell's session waits, and while the radio is lost nothing waits.

mod channel;
mod nonsense;
mod protocol;
mod rows;
mod socket;

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use cwmp::{Fault, FaultCode, ParameterValueStruct};
use datamodel::Access;
use jiff::Timestamp;

pub use channel::Way;

use self::{
    channel::{Channel, ChannelError},
    nonsense::Nonsense,
    protocol::{BOOT, INSTALL, Request, START, Said, Values},
};
use super::{
    AlarmNews, BootImage, Conditions, Device, DeviceAlarm, Factory, Measurement, Memory, PerceivedSeverity,
    Period, Snapshot, Wake, backoff::Backoff, path,
};

/// Attempts that fail in a row before somebody has to know: a process that is restarted may take some seconds.
const ALARM_AFTER: u32 = 3;

/// Most paths that one `get` names: an argument list has a bound in the kernel, and an ACS may name thousands.
const MOST_PATHS: usize = 64;

/// The alarm of a radio that does not answer.
const LOST: &str = "radio-lost";

/// What is the agent's business and not the radio's.
const AGENTS: [&str; 5] = [
    "Device.ManagementServer.",
    "Device.Time.",
    "Device.Security.",
    "Device.FaultMgmt.",
    "Device.DeviceInfo.",
];

/// How this product's own parameters begin.
const OURS: &str = "X_00005E_";

/// What of it the radio may tell nevertheless.
const TOLD: [&str; 2] = [path::SOFTWARE, "Device.DeviceInfo.AdditionalSoftwareVersion"];

/// A device whose operations are a vendor's.
pub struct Command {
    memory: Memory,
    channel: Channel,
    poll: Option<Duration>,
    /// Where a file lies while it is installed.
    folder: PathBuf,
    /// The vendor's side has all values.
    is_started: bool,
    attempts: Backoff,
    polled: Timestamp,
    /// The time of the last tick.
    now: Timestamp,
    is_silent: bool,
    /// What the vendor's side was told of that.
    told_silent: bool,
    news: Said,
    nonsense: Nonsense,
    alarms: Vec<AlarmNews>,
    conditions: Conditions,
    gps_time: Option<Timestamp>,
}

impl Command {
    /// A device as it left the factory, or as it was when `kept` was taken; nothing is run before the first tick.
    #[must_use]
    pub fn new(factory: &Factory, way: &Way, folder: &Path, kept: Option<&Snapshot>) -> Self {
        let poll = match way {
            Way::Program { poll, .. } => *poll,
            Way::Socket { .. } => None,
        };
        Self {
            memory: Memory::new(factory, kept),
            channel: Channel::new(way),
            poll,
            folder: std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()),
            is_started: false,
            attempts: Backoff::default(),
            polled: Timestamp::UNIX_EPOCH,
            now: Timestamp::UNIX_EPOCH,
            is_silent: false,
            told_silent: false,
            news: Said::default(),
            nonsense: Nonsense::default(),
            alarms: Vec::new(),
            conditions: Conditions { has_link: true, awaits_hosting_party: false },
            gps_time: None,
        }
    }

    /// Asks the vendor's side for something that can be refused; of what it says beside that, the next tick hears.
    fn call(&mut self, request: &Request) -> Result<Said, Fault> {
        if !self.is_started {
            return Err(Fault::new(FaultCode::INTERNAL_ERROR, "the radio does not answer at the moment"));
        }
        let outcome = self.channel.call(request).and_then(|mut said| {
            let answer = Said {
                measurements: std::mem::take(&mut said.measurements),
                fault: said.fault.take(),
                ..Said::default()
            };
            if self.news.add(said) { Ok(answer) } else { Err(ChannelError::TooMuch) }
        });
        match outcome {
            Ok(Said { fault: Some(refusal), .. }) => Err(refusal.fault(request)),
            Ok(said) => Ok(said),
            Err(error) => {
                let text = format!("the radio did not carry out {}: {error}", request.operation);
                self.lose(&crate::agent::chain(&error));
                Err(Fault::new(FaultCode::INTERNAL_ERROR, text))
            }
        }
    }

    /// Changes memory and radio, or neither.
    fn transact<T>(
        &mut self,
        change: impl FnOnce(&mut Memory) -> Result<T, Fault>,
        request: impl FnOnce(&Memory, &T) -> Option<Request>,
    ) -> Result<T, Fault> {
        let mut after = self.memory.clone();
        let outcome = change(&mut after)?;
        if let Some(request) = request(&after, &outcome) {
            self.call(&request)?;
        }
        self.memory = after;
        Ok(outcome)
    }

    /// Nobody knows what the radio does now; it is to be told everything again.
    fn lose(&mut self, reason: &str) {
        self.is_started = false;
        tracing::warn!("the radio is lost: {reason}");
        self.memory.change(path::OP_STATE, "false");
        if self.attempts.failed(self.now) == ALARM_AFTER {
            self.alarms.push(AlarmNews::Raised(lost(reason)));
        }
    }

    /// Hands all values over; the radio is as the memory from then on.
    fn start(&mut self) {
        let air = air(self.is_silent);
        let request = Request::new(START, &[air]).with(values(&self.memory, &datamodel::Path::root()));
        self.is_started = true;
        self.insist(&request);
        if !self.is_started {
            return;
        }
        (self.told_silent, self.polled) = (self.is_silent, self.now);
        if self.attempts.succeeded() >= ALARM_AFTER {
            self.alarms.push(AlarmNews::Cleared { alarm_identifier: LOST.to_owned() });
        }
        tracing::info!("the radio is started");
    }

    /// Does what cannot be refused: whoever does not do it is lost.
    fn insist(&mut self, request: &Request) {
        if let Err(fault) = self.call(request) {
            // What got no answer is lost already; this is a "no".
            if self.is_started {
                self.lose(&fault.to_string());
            }
        }
    }

    fn hear(&mut self) {
        match self.channel.hear() {
            Ok(said) => {
                if !self.news.add(said) {
                    self.lose(&ChannelError::TooMuch.to_string());
                }
            }
            Err(error) if self.is_started => self.lose(&crate::agent::chain(&error)),
            Err(_) => {}
        }
    }

    fn poll(&mut self) {
        let is_due = self.next_poll().is_some_and(|at| at <= self.now || self.polled > self.now);
        if self.is_started && is_due {
            self.polled = self.now;
            self.insist(&Request::new("poll", &[]));
        }
    }

    fn next_poll(&self) -> Option<Timestamp> {
        self.poll.and_then(|every| self.polled.checked_add(every).ok())
    }

    fn tell_silence(&mut self) {
        if self.is_started && self.told_silent != self.is_silent {
            self.told_silent = self.is_silent;
            self.insist(&Request::new("air", &[air(self.is_silent)]));
        }
    }

    /// Takes over what the radio said of itself.
    fn believe(&mut self) {
        let news = std::mem::take(&mut self.news);
        for (path, value) in news.values {
            if may_tell(&path, &value) && self.memory.takes(&path, &value) {
                self.memory.change(&path, &value);
            } else {
                self.nonsense
                    .hear(&path, "the radio tells what it must not, or what the model does not know");
            }
        }
        for (table, rows) in news.rows {
            match rows::read(self.memory.tree().model(), &table, &rows) {
                Some(rows) => self.memory.fill(&table, &rows),
                None => {
                    self.nonsense
                        .hear(&table, "the radio tells rows of a table that is not its own, or bad ones");
                }
            }
        }
        self.alarms.extend(news.alarms);
        self.conditions.has_link = news.link.unwrap_or(self.conditions.has_link);
        let awaits = news.hosting_party.map(|is_there| !is_there);
        self.conditions.awaits_hosting_party = awaits.unwrap_or(self.conditions.awaits_hosting_party);
        self.gps_time = news.gps_time.or(self.gps_time);
    }

    /// The radio begins anew, and hears of everything at the next tick.
    fn begin_anew(&mut self, now: Timestamp) {
        (self.is_started, self.now) = (false, now);
        (self.attempts, self.news) = (Backoff::default(), Said::default());
        self.conditions = Conditions { has_link: true, awaits_hosting_party: false };
        self.alarms.clear();
    }
}

/// What the radio has to know of what lies at or below a path.
fn values(memory: &Memory, below: &datamodel::Path) -> Values {
    let paths = memory.tree().parameters(|parameter| {
        parameter.access == Access::ReadWrite && !parameter.syntax.is_hidden && !parameter.syntax.is_command
    });
    let wanted = paths.into_iter().filter(|path| below.contains(path) && is_radios(path.as_str()));
    wanted.map(|path| (path.to_string(), memory.value(path.as_str()))).collect()
}

fn air(is_silent: bool) -> &'static str {
    if is_silent { "off" } else { "on" }
}

/// What is handed over to the radio.
fn is_radios(path: &str) -> bool {
    is_vendors(path) || !AGENTS.iter().any(|object| path.starts_with(object))
}

/// A vendor's own parameters are its software's, wherever they stand. (M-11)
fn is_vendors(path: &str) -> bool {
    path.split('.').any(|name| name.starts_with("X_") && !name.starts_with(OURS))
}

/// What the radio may say of itself.
fn may_tell(place: &str, value: &str) -> bool {
    match place {
        path::ADMIN_STATE => false,
        path::TAMPERED => value == "true",
        _ => is_radios(place) || TOLD.contains(&place),
    }
}

fn lost(reason: &str) -> DeviceAlarm {
    DeviceAlarm {
        alarm_identifier: LOST.to_owned(),
        managed_object_instance: "Device.Services.FAPService.1.".to_owned(),
        event_type: "Processing Error Alarm".to_owned(),
        probable_cause: "Software Program Abnormally Terminated".to_owned(),
        specific_problem: "the software of the radio does not answer".to_owned(),
        perceived_severity: PerceivedSeverity::Critical,
        additional_text: reason.to_owned(),
        additional_information: String::new(),
    }
}

impl Device for Command {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn subscribe(&mut self, wake: Wake) {
        self.channel.subscribe(wake);
    }

    fn fetch(&mut self, paths: &[datamodel::Path]) -> Result<(), Fault> {
        let model = self.memory.tree().model();
        let may_be_radios = |path: &&datamodel::Path| {
            let is_above =
                |object: &&str| datamodel::Path::parse(object).is_ok_and(|object| path.contains(&object));
            let has_vendors = || model.below(&path.schema()).any(|below| is_vendors(below.path().as_str()));
            is_radios(path.as_str()) || TOLD.iter().any(is_above) || has_vendors()
        };
        let wanted: Vec<&str> = paths.iter().filter(may_be_radios).map(datamodel::Path::as_str).collect();
        let wanted = if wanted.len() > MOST_PATHS { vec!["Device."] } else { wanted };
        if wanted.is_empty() {
            return Ok(());
        }
        self.call(&Request::new("get", &wanted))?;
        self.believe();
        Ok(())
    }

    fn set(&mut self, list: &[ParameterValueStruct], now: Timestamp) -> Result<(), Fault> {
        let good = self.memory.tree().check(list)?.into_iter();
        let named = good.map(|(path, value)| (path.to_string(), value));
        let values: Values = named.filter(|(path, _)| is_radios(path)).collect();
        let request = (!values.is_empty()).then(|| Request::new("set", &[]).with(values));
        self.transact(|memory| memory.set(list, now), |_, ()| request)
    }

    fn add(&mut self, table: &datamodel::Path) -> Result<u32, Fault> {
        let hand_over = |after: &Memory, number: &u32| {
            let request = Request::new("add", &[table.as_str(), &number.to_string()]);
            is_radios(table.as_str()).then(|| request.with(values(after, &table.row(*number))))
        };
        self.transact(|memory| memory.add(table), hand_over)
    }

    fn delete(&mut self, row: &datamodel::Path) -> Result<(), Fault> {
        let request = is_radios(row.as_str()).then(|| Request::new("delete", &[row.as_str()]));
        self.transact(|memory| memory.delete(row), |_, ()| request)
    }

    fn gps_time(&mut self, _now: Timestamp) -> Option<Timestamp> {
        self.gps_time.take()
    }

    fn alarms(&mut self) -> Vec<AlarmNews> {
        std::mem::take(&mut self.alarms)
    }

    fn measurements(&mut self, period: &Period) -> Result<Vec<Measurement>, Fault> {
        let (begin, end) = (period.begin.to_string(), period.end.to_string());
        Ok(self.call(&Request::new("measure", &[&begin, &end]))?.measurements)
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = now;
        self.hear();
        if !self.is_started && self.attempts.is_due(now) {
            self.start();
        }
        self.poll();
        self.tell_silence();
        self.believe();
    }

    fn conditions(&self) -> Conditions {
        self.conditions
    }

    fn silence(&mut self, is_silent: bool) {
        self.is_silent = is_silent;
        self.tell_silence();
    }

    fn deadline(&self) -> Option<Timestamp> {
        if self.is_started { self.next_poll() } else { self.attempts.next().or(Some(self.now)) }
    }

    fn power_on(&mut self, now: Timestamp) {
        self.memory.power_on(now);
        self.begin_anew(now);
    }

    fn reboot(&mut self, now: Timestamp) {
        self.insist(&Request::new("reboot", &[]));
        self.memory.reboot(now);
        self.begin_anew(now);
    }

    fn factory_reset(&mut self, now: Timestamp) {
        self.insist(&Request::new("factory-reset", &[]));
        self.memory.factory_reset(now);
        self.begin_anew(now);
    }

    fn start_image(&mut self, image: &BootImage, now: Timestamp) -> Result<(), Fault> {
        let file = image.file.as_deref().map(Path::to_string_lossy).unwrap_or_default();
        self.call(&Request::new(BOOT, &[&image.version, &file]))?;
        self.memory.image_started(now);
        self.begin_anew(now);
        Ok(())
    }

    /// The protocol has an operation for it; a vendor's side that cannot says so there.
    fn starts_images(&self) -> bool {
        true
    }

    fn revert(&mut self, former: Memory, _now: Timestamp) {
        (self.memory, self.is_started) = (former, false);
    }

    fn install(&mut self, file_type: &str, content: &[u8]) -> Result<(), Fault> {
        let file = self.folder.join("install");
        let outcome = write_private(&file, content)
            .map_err(|error| Fault::new(FaultCode::INTERNAL_ERROR, format!("cannot keep the file: {error}")));
        let name = file.to_string_lossy();
        let outcome = outcome.and_then(|()| self.call(&Request::new(INSTALL, &[file_type, &name])));
        // It may never have been written.
        let _ = fs::remove_file(&file);
        outcome?;
        self.believe();
        self.memory.count_install();
        Ok(())
    }
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
