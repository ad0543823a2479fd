//! A radio stack that reads a configuration file: the file is rendered from a template, and the stack restarted.
//!
//! ```text
//!   ACS ─set─▶ rendered ─a value that the format cannot hold─▶ 9007, nothing done
//!                 └─ the same ─▶ stored
//!                 └─ another ──▶ written (beside, flushed, renamed) ─▶ stack restarted ─▶ stored
//!                                     └─ fails ─▶ the old file again, the stack with it, 9002, nothing stored
//!   AdminState false, silenced, power-on ─▶ stack stopped
//! ```
//!
//! The stack runs where AdminState is true and nothing keeps the cell off the air, and only then. Whether it serves is
//! said by a program of the operator's, the probe; without one, a stack that was started serves. Programs block for the
//! configured time at most, as in [`super::command`].

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use cwmp::{Fault, FaultCode, ParameterValueStruct, SetParameterValuesFault};
use jiff::Timestamp;

use super::{
    AlarmNews, BootImage, Device, DeviceAlarm, Factory, Memory, PerceivedSeverity, Program, ProgramError,
    Snapshot, Template, backoff::Backoff, path,
};
use crate::{agent::chain, durable::replace};

/// The alarm of a stack that is not in the state that it should be in.
const STACK: &str = "radio-stack";

/// How often the probe is run.
const PROBE: Duration = Duration::from_secs(10);

/// A radio stack, as the configuration describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its configuration with placeholders.
    pub template: Template,
    /// The file that it reads.
    pub output: PathBuf,
    /// Starts it, or starts it again.
    pub restart: Program,
    /// Stops it: the radio is silent when this has ended.
    pub stop: Program,
    /// Ends with 0 while the stack serves.
    pub probe: Option<Program>,
    /// Starts a firmware image; without it the cell takes none.
    pub boot: Option<Program>,
}

/// What the stack does, as far as one knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    Yes,
    No,
    /// After a power-on, or a program that failed.
    Unknown,
}

/// A device whose radio is a stack with a configuration file.
pub struct FileDevice {
    memory: Memory,
    stack: Stack,
    running: Running,
    is_silent: bool,
    /// File and stack are as the memory says.
    is_settled: bool,
    attempts: Backoff,
    probed: Option<Timestamp>,
    /// The time of the last tick.
    now: Timestamp,
    alarms: Vec<AlarmNews>,
}

impl FileDevice {
    /// A device as it left the factory, or as it was when `kept` was taken; nothing is run before the first tick.
    #[must_use]
    pub fn new(factory: &Factory, stack: Stack, kept: Option<&Snapshot>) -> Self {
        Self {
            memory: Memory::new(factory, kept),
            stack,
            running: Running::Unknown,
            is_silent: false,
            is_settled: false,
            attempts: Backoff::default(),
            probed: None,
            now: Timestamp::UNIX_EPOCH,
            alarms: Vec::new(),
        }
    }

    /// Changes memory, file and stack, or none of them; what must be undone at the stack is done at the next tick.
    fn transact<T>(&mut self, change: impl FnOnce(&mut Memory) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut after = self.memory.clone();
        let outcome = change(&mut after)?;
        self.apply(&after)?;
        self.memory = after;
        self.settled();
        Ok(outcome)
    }

    /// Brings file and stack into line with the memory, or says that they are not.
    fn settle(&mut self) {
        let values = self.memory.clone();
        match self.apply(&values) {
            Ok(()) => self.settled(),
            Err(fault) => self.unsettled(&blame(fault, &[])),
        }
    }

    fn apply(&mut self, values: &Memory) -> Result<(), Fault> {
        let text = self.render(values)?;
        let output = self.stack.output.clone();
        let old = fs::read(&output).ok();
        let is_other = old.as_deref() != Some(text.as_bytes());
        if is_other {
            replace(&output, text.as_bytes()).map_err(|error| failed(&error))?;
        }
        if let Err(error) = self.steer(values, is_other) {
            (self.running, self.is_settled) = (Running::Unknown, false);
            if is_other {
                put_back(&output, old.as_deref());
            }
            return Err(failed(&error));
        }
        Ok(())
    }

    fn render(&self, values: &Memory) -> Result<String, Fault> {
        let rendered = self.stack.template.render(|path| values.value(path.as_str()));
        rendered.map_err(|details| Fault { details, ..Fault::from(FaultCode::INVALID_ARGUMENTS) })
    }

    /// Starts or stops the stack where that is needed.
    fn steer(&mut self, values: &Memory, is_other: bool) -> Result<(), ProgramError> {
        let shall_run = values.is_true(path::ADMIN_STATE) && !self.is_silent;
        let (wanted, program) =
            if shall_run { (Running::Yes, &self.stack.restart) } else { (Running::No, &self.stack.stop) };
        if self.running != wanted || shall_run && is_other {
            program.run(&[])?;
            (self.running, self.probed) = (wanted, None);
        }
        Ok(())
    }

    fn settled(&mut self) {
        self.is_settled = true;
        if self.attempts.succeeded() > 0 {
            self.alarms.push(AlarmNews::Cleared { alarm_identifier: STACK.to_owned() });
        }
        let runs = self.running == Running::Yes;
        if self.stack.probe.is_none() || !runs {
            self.show(runs);
        }
    }

    fn unsettled(&mut self, fault: &Fault) {
        self.is_settled = false;
        self.show(false);
        if self.attempts.failed(self.now) == 1 {
            self.alarms.push(AlarmNews::Raised(alarm(&fault.to_string())));
        }
    }

    fn show(&mut self, serves: bool) {
        let value = if serves { "true" } else { "false" };
        self.memory.change(path::OP_STATE, value);
        self.memory.change(path::RF_TX_STATUS, value);
    }

    fn probe(&mut self) {
        let is_due = self.probed.is_none_or(|at| self.now < at || self.now >= after(at));
        let may_ask = self.is_settled && self.running == Running::Yes && is_due;
        let Some(probe) = self.stack.probe.as_ref().filter(|_| may_ask) else { return };
        let serves = probe.run(&[]).is_ok();
        self.probed = Some(self.now);
        self.show(serves);
    }

    fn begin_anew(&mut self, now: Timestamp) {
        (self.running, self.is_settled, self.now) = (Running::Unknown, false, now);
        (self.attempts, self.probed) = (Backoff::default(), None);
        self.alarms.clear();
    }
}

fn after(probe: Timestamp) -> Timestamp {
    probe.checked_add(PROBE).unwrap_or(Timestamp::MAX)
}

fn failed(error: &dyn std::error::Error) -> Fault {
    let text = chain(error);
    tracing::warn!("the radio's stack does not take it: {text}");
    Fault::new(FaultCode::INTERNAL_ERROR, format!("the radio's stack does not take it: {text}"))
}

/// Whoever asked hears of the parameters that it named; that another one cannot be written is not its doing. (C-13)
fn blame(mut fault: Fault, list: &[ParameterValueStruct]) -> Fault {
    let is_named = |bad: &SetParameterValuesFault| list.iter().any(|entry| entry.name == bad.parameter_name);
    let other = fault.details.iter().find(|bad| !is_named(bad));
    let other = other.map(|bad| format!("{}: {}", bad.parameter_name, bad.fault_string));
    fault.details.retain(is_named);
    match other {
        Some(text) if fault.details.is_empty() => Fault::new(FaultCode::INTERNAL_ERROR, text),
        _ => fault,
    }
}

/// The file that worked, or none where there was none.
fn put_back(output: &Path, old: Option<&[u8]>) {
    let outcome = match old {
        Some(old) => replace(output, old),
        None => fs::remove_file(output),
    };
    if let Err(error) = outcome {
        tracing::error!(%error, "cannot put the radio's former configuration back");
    }
}

fn alarm(reason: &str) -> DeviceAlarm {
    DeviceAlarm {
        alarm_identifier: STACK.to_owned(),
        managed_object_instance: "Device.Services.FAPService.1.".to_owned(),
        event_type: "Processing Error Alarm".to_owned(),
        probable_cause: "Software Program Abnormally Terminated".to_owned(),
        specific_problem: "the radio's stack cannot be started or stopped".to_owned(),
        perceived_severity: PerceivedSeverity::Critical,
        additional_text: reason.to_owned(),
        additional_information: String::new(),
    }
}

impl Device for FileDevice {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn set(&mut self, list: &[ParameterValueStruct], now: Timestamp) -> Result<(), Fault> {
        self.transact(|memory| memory.set(list, now)).map_err(|fault| blame(fault, list))
    }

    fn add(&mut self, table: &datamodel::Path) -> Result<u32, Fault> {
        self.transact(|memory| memory.add(table)).map_err(|fault| blame(fault, &[]))
    }

    fn delete(&mut self, row: &datamodel::Path) -> Result<(), Fault> {
        self.transact(|memory| memory.delete(row)).map_err(|fault| blame(fault, &[]))
    }

    fn alarms(&mut self) -> Vec<AlarmNews> {
        std::mem::take(&mut self.alarms)
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = now;
        if !self.is_settled && self.attempts.is_due(now) {
            self.settle();
        }
        self.probe();
    }

    fn silence(&mut self, is_silent: bool) {
        if is_silent != self.is_silent {
            self.is_silent = is_silent;
            self.settle();
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        if !self.is_settled {
            return self.attempts.next().or(Some(self.now));
        }
        let runs = self.running == Running::Yes && self.stack.probe.is_some();
        runs.then(|| self.probed.map_or(self.now, after))
    }

    fn power_on(&mut self, now: Timestamp) {
        self.memory.power_on(now);
        self.begin_anew(now);
    }

    fn reboot(&mut self, now: Timestamp) {
        self.memory.reboot(now);
        self.begin_anew(now);
    }

    fn start_image(&mut self, image: &BootImage, now: Timestamp) -> Result<(), Fault> {
        let refused = |text: String| Fault::new(FaultCode::DOWNLOAD_FAILURE, text);
        let boot =
            self.stack.boot.as_ref().ok_or_else(|| refused("device.file.boot is missing".to_owned()))?;
        let file = image.file.as_deref().map(Path::to_string_lossy);
        let arguments: Vec<&str> = ["--", &image.version].into_iter().chain(file.as_deref()).collect();
        boot.run(&arguments)
            .map_err(|error| refused(format!("the image does not boot: {}", chain(&error))))?;
        self.memory.image_started(now);
        self.begin_anew(now);
        Ok(())
    }

    fn starts_images(&self) -> bool {
        self.stack.boot.is_some()
    }

    fn revert(&mut self, former: Memory, _now: Timestamp) {
        (self.memory, self.is_settled) = (former, false);
    }

    fn factory_reset(&mut self, now: Timestamp) {
        self.memory.factory_reset(now);
        self.begin_anew(now);
    }

    fn install(&mut self, file_type: &str, _content: &[u8]) -> Result<(), Fault> {
        let text = format!("the radio's stack takes no {file_type}");
        Err(Fault::new(FaultCode::DOWNLOAD_FAILURE, text))
    }

    fn file_types(&self) -> &'static [&'static str] {
        &[]
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
