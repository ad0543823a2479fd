//! A cell between two messages: its device, its agenda, and what it has promised and not yet done.
//!
//! Everything in here happens at once and in memory; [`Cell::state`] is what a save keeps. Whoever changes a cell saves
//! it before the outside can see the change.
//!
//! ```text
//!   power on ─▶ 1 BOOT (0 BOOTSTRAP for a new URL) ─▶ tick ─▶ inform ─▶ delivered ─▶ promises: reboot, transfers
//! ```

use std::{collections::BTreeSet, sync::Arc, time::Duration, time::Instant};

use cwmp::{
    AcsMethod, Agenda, DateTime, DeviceId, EventCode, EventStruct, FaultStruct, Inform, ParameterValueStruct,
    Text, TransferComplete,
};
use datamodel::Path;
use jiff::Timestamp;
use profile::{
    Clock, ClockCorrection, ClockError, HemsUrl, RestoredClock, Source, Standing, TransportMode, UrlError,
};

use crate::{
    alarms::{Alarm, Alarms},
    device::{Device, FIRMWARE, path},
    recovery::Recovery,
    state::State,
    transfer::Transfer,
    trust::Trust,
};

/// A cell in memory.
pub(crate) struct Cell {
    pub(crate) device: Box<dyn Device>,
    pub(crate) agenda: Agenda,
    pub(crate) mode: TransportMode,
    pub(crate) transfers: Vec<Transfer>,
    pub(crate) reboot: Option<Text>,
    pub(crate) trust: Trust,
    pub(crate) recovery: Recovery,
    alarms: Alarms,
    changed: BTreeSet<Path>,
    contacted: Option<String>,
    configured: String,
    clock: Arc<RestoredClock>,
    booted: Instant,
}

impl Cell {
    /// Switches a cell on: with what a state kept, or from the factory's values.
    pub(crate) fn power_on(
        device: Box<dyn Device>,
        state: Option<State>,
        url: &HemsUrl,
        mode: TransportMode,
        clock: Arc<RestoredClock>,
    ) -> Self {
        let configured = url.to_string();
        let is_new = state.as_ref().is_none_or(|state| state.configured != configured);
        let mut cell = Self {
            device,
            agenda: Agenda::default(),
            mode,
            transfers: Vec::new(),
            reboot: None,
            trust: Trust::default(),
            recovery: Recovery::default(),
            alarms: Alarms::default(),
            changed: BTreeSet::new(),
            contacted: None,
            configured,
            clock,
            booted: Instant::now(),
        };
        if let Some(state) = state {
            (cell.agenda, cell.changed, cell.contacted) = (state.agenda, state.changed, state.contacted);
            (cell.reboot, cell.transfers) = (state.reboot, state.transfers);
            (cell.trust, cell.recovery, cell.alarms) = (state.trust, state.recovery, state.alarms);
        }
        if is_new {
            cell.device.put(path::URL, &cell.configured);
        }
        cell.boot();
        cell
    }

    /// Starts the device and notes why the next session opens: a promised reboot happens here at the latest. (C-20)
    fn boot(&mut self) {
        self.booted = Instant::now();
        if let Some(command_key) = self.reboot.take() {
            self.device.reboot(self.now());
            self.agenda.raise(EventCode::M_REBOOT, command_key);
        } else {
            self.device.power_on(self.now());
        }
        self.agenda.raise(EventCode::BOOT, "");
        self.apply_settings();
    }

    /// An ACS that never took our BOOTSTRAP is owed one. (C-02, D-06)
    fn note_url(&mut self) {
        let url = self.url().ok().map(|url| url.to_string());
        let is_noted = self.agenda.events().iter().any(|event| event.event_code == EventCode::BOOTSTRAP);
        if url.is_some() && url != self.contacted && !is_noted {
            self.agenda.raise(EventCode::BOOTSTRAP, "");
        }
    }

    /// Does a promised reboot; true when there was one.
    pub(crate) fn reboot_as_promised(&mut self) -> bool {
        let promised = self.reboot.is_some();
        if promised {
            self.boot();
        }
        promised
    }

    /// What the cell's clock says.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What a save keeps.
    pub(crate) fn state(&self) -> State {
        let kept = self.clock.kept();
        State {
            format: State::format(),
            number: 0,
            clock: kept.at,
            corrections: kept.corrections,
            leapt: kept.leapt,
            trust: self.trust.clone(),
            recovery: self.recovery,
            alarms: self.alarms.clone(),
            configured: self.configured.clone(),
            contacted: self.contacted.clone(),
            agenda: self.agenda.clone(),
            changed: self.changed.clone(),
            reboot: self.reboot.clone(),
            transfers: self.transfers.clone(),
            device: self.device.snapshot(),
        }
    }

    /// Lets the device act; true when something changed that the ACS wants to know. (C-02)
    pub(crate) fn tick(&mut self) -> bool {
        if let Some(time) = self.device.gps_time(self.now()) {
            self.hear_time(time, Source::Gps);
        }
        self.device.tick(self.now());
        let changes = self.device.changes();
        let has_news = !changes.is_empty();
        if has_news {
            self.changed.extend(changes);
            self.agenda.raise(EventCode::VALUE_CHANGE, "");
        }
        has_news
    }

    /// Whether a session is due. (C-31)
    pub(crate) fn is_due(&mut self) -> bool {
        let now = self.now();
        self.agenda.is_due(now) && self.device.value(path::ENABLE_CWMP) == "true"
    }

    /// How long nothing will be due, at most `longest`.
    pub(crate) fn idle(&self, longest: Duration) -> Duration {
        let agenda = self.agenda.deadline().filter(|_| self.device.value(path::ENABLE_CWMP) == "true");
        let transfer = self.transfers.first().map(|transfer| transfer.not_before);
        let next = [agenda, transfer, self.device.deadline()].into_iter().flatten().min();
        let wait = next.map(|at| Duration::try_from(at.duration_since(self.now())).unwrap_or_default());
        wait.unwrap_or(longest).min(longest)
    }

    /// Where the H(e)MS is: what an ACS set or the configuration gave, under the mode's rules either way. (P-11)
    pub(crate) fn url(&self) -> Result<HemsUrl, UrlError> {
        HemsUrl::parse(&self.device.value(path::URL), self.mode)
    }

    /// The Inform of a session that opens now. (TR-069 A.3.3.1, C-01, C-04)
    pub(crate) fn inform(&mut self) -> Inform {
        self.refresh();
        let fact = |name: &str| Text::from(self.device.value(&format!("Device.DeviceInfo.{name}")));
        Inform {
            device_id: DeviceId {
                manufacturer: fact("Manufacturer"),
                oui: fact("ManufacturerOUI"),
                product_class: fact("ProductClass"),
                serial_number: fact("SerialNumber"),
            },
            event: self.agenda.events(),
            max_envelopes: 1,
            current_time: self.current_time(),
            retry_count: self.agenda.retry_count(),
            parameter_list: self.inform_parameters(),
        }
    }

    fn inform_parameters(&self) -> Vec<ParameterValueStruct> {
        let mut list = self.device.forced_inform();
        for path in &self.changed {
            let is_new = list.iter().all(|entry| entry.name != path.as_str());
            list.extend(self.device.get(path).ok().filter(|_| is_new).into_iter().flatten());
        }
        list
    }

    /// Relative time until the clock is synchronised: the clock that checks certificates is another parameter. (K-07)
    fn current_time(&self) -> DateTime {
        if self.clock.synchronised() {
            DateTime::from(self.now())
        } else {
            DateTime::relative(self.booted.elapsed())
        }
    }

    /// Writes down what only the agent knows.
    pub(crate) fn refresh(&mut self) {
        let status = match self.clock.standing() {
            _ if self.device.value(path::TIME_ENABLE) == "false" => "Disabled",
            Standing::Unsynchronised => "Unsynchronized",
            Standing::Synchronised => "Synchronized",
            Standing::Failed => "Error_FailedToSynchronize",
        };
        let current = self.current_time();
        self.device.put(path::TIME_STATUS, status);
        self.device.put(path::LOCAL_TIME, &current.0);
        self.device.put(path::LOCAL_CLOCK, &DateTime::from(self.now()).0);
        self.device.put(path::UP_TIME, &self.booted.elapsed().as_secs().to_string());
    }

    /// The InformResponse arrived: its events and changes are delivered. (C-07)
    pub(crate) fn informed(&mut self, events: &[EventStruct], url: &HemsUrl) {
        let now = self.now();
        self.agenda.informed(events, now);
        let has = |code: &EventCode| events.iter().any(|event| event.event_code == *code);
        if has(&EventCode::VALUE_CHANGE) {
            self.changed.clear();
        }
        if has(&EventCode::BOOTSTRAP) {
            self.contacted = Some(url.to_string());
        }
    }

    /// Takes over what the ACS changed about the agent itself.
    pub(crate) fn apply_settings(&mut self) {
        let number = |path: &str| self.device.value(path).parse::<u32>().ok();
        let interval =
            number(path::PERIODIC_INTERVAL).filter(|_| self.device.value(path::PERIODIC_ENABLE) == "true");
        let (least, multiplier) = (number(path::RETRY_MINIMUM), number(path::RETRY_MULTIPLIER));
        let (now, phase) = (self.now(), self.periodic_phase());
        self.agenda.set_periodic(interval.map(|seconds| Duration::from_secs(seconds.into())), phase, now);
        let throttle = number(path::THROTTLE).unwrap_or(0);
        self.agenda.set_throttle(Duration::from_secs(throttle.into()));
        self.agenda.set_retry(least.unwrap_or(5), multiplier.unwrap_or(2000));
        self.note_url();
    }

    /// The time that periodic sessions stand in phase with; nothing while the cell's own time is not known. (C-33, K-09)
    fn periodic_phase(&self) -> Option<Timestamp> {
        let said = self.device.value(path::PERIODIC_TIME);
        self.clock.synchronised().then(|| DateTime(said.into()).timestamp()).flatten()
    }

    /// A trusted source named a time: the clock takes it or does not, and what is waited for stays as far away. (K-02)
    pub(crate) fn hear_time(&mut self, time: Timestamp, source: Source) {
        let (before, was_synchronised) = (self.now(), self.clock.synchronised());
        match self.clock.advance(time, source) {
            Ok(()) => self.follow_clock(before),
            Err(error) => tracing::debug!(%error, ?source, "a time that the clock does not take"),
        }
        // Only now do phases count. (K-09)
        if self.clock.synchronised() && !was_synchronised {
            tracing::info!(?source, "the clock is synchronised");
            self.apply_settings();
        }
    }

    /// Sets the clock by the operator's signed word. (K-02)
    pub(crate) fn correct_clock(&mut self, correction: &ClockCorrection) -> Result<(), ClockError> {
        let before = self.now();
        if self.clock.correct(correction.time, correction.sequence)? {
            self.follow_clock(before);
            let text = format!("from {before} to {}, by correction {}", correction.time, correction.sequence);
            self.raise(Alarm::ClockCorrected, &text);
        }
        Ok(())
    }

    fn follow_clock(&mut self, before: Timestamp) {
        let moved = self.now().duration_since(before);
        self.agenda.clock_moved(moved);
        for transfer in &mut self.transfers {
            transfer.not_before = transfer.not_before.checked_add(moved).unwrap_or(Timestamp::MAX);
        }
    }

    /// Raises an alarm and tells of it, once. (A-19)
    pub(crate) fn raise(&mut self, alarm: Alarm, text: &str) {
        if self.alarms.raise(alarm, text, self.now()) {
            tracing::warn!(alarm = alarm.identifier(), "{text}");
            self.tell_alarms();
        }
    }

    /// Clears an alarm and tells of it.
    pub(crate) fn clear(&mut self, alarm: Alarm) {
        if self.alarms.clear(alarm) {
            tracing::info!(alarm = alarm.identifier(), "an alarm is cleared");
            self.tell_alarms();
        }
    }

    /// Somebody else heard what was pending: the serving H(e)MS is owed a session. (G-03)
    pub(crate) fn call_back(&mut self) {
        self.note_url();
        self.tell_alarms();
    }

    /// The next Inform carries the count and every alarm that stands.
    fn tell_alarms(&mut self) {
        self.device.put_rows(path::ALARMS, &self.alarms.rows());
        self.changed
            .extend([path::ALARM_COUNT, path::ALARMS].into_iter().filter_map(|path| Path::parse(path).ok()));
        self.agenda.raise(EventCode::VALUE_CHANGE, "");
    }

    /// A transfer ended: the effect and the news of it become one change. (TR-069 A.3.3.2, C-24)
    pub(crate) fn end_transfer(&mut self, transfer: &Transfer, started: Timestamp, outcome: FaultStruct) {
        let is_success = outcome.fault_code.0 == 0;
        let command_key = transfer.download.command_key.clone();
        // By what was asked for: a correction of the clock moves the times of those that wait.
        if let Some(at) = self.transfers.iter().position(|pending| pending.download == transfer.download) {
            self.transfers.remove(at);
        }
        self.agenda.queue(AcsMethod::TransferComplete(TransferComplete {
            command_key: command_key.clone(),
            fault_struct: outcome,
            start_time: started.into(),
            complete_time: self.now().into(),
        }));
        self.agenda.raise(EventCode::TRANSFER_COMPLETE, "");
        self.agenda.raise(EventCode::M_DOWNLOAD, command_key);
        if is_success && transfer.download.file_type == FIRMWARE {
            self.device.reboot(self.now());
            self.booted = Instant::now();
            self.agenda.raise(EventCode::BOOT, "");
        }
    }

    /// Whether a change by the device waits to be told.
    pub(crate) fn has_news(&self) -> bool {
        !self.changed.is_empty()
    }

    /// AdminState, OpState and RFTxStatus are all true. (decision 23)
    pub(crate) fn is_on_air(&self) -> bool {
        [path::ADMIN_STATE, path::OP_STATE, path::RF_TX_STATUS]
            .iter()
            .all(|place| self.device.value(place) == "true")
    }
}

#[cfg(test)]
#[path = "cell_tests.rs"]
mod tests;
