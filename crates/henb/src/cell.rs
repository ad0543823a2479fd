//! A cell between two messages: its device, its agenda, and what it has promised and not yet done.
//!
//! Everything in here happens at once and in memory; [`Cell::state`] is what a save keeps. Whoever changes a cell saves
//! it before the outside can see the change.
//!
//! ```text
//!   power on ─▶ 1 BOOT (0 BOOTSTRAP for a new URL) ─▶ tick ─▶ inform ─▶ delivered ─▶ promises: reboot, transfers
//! ```

mod air;
mod alarms;
mod clock;
mod connection_request;
mod diagnostics;
mod discovery;
mod firmware;
mod inform;
mod performance;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use cwmp::{Agenda, DateTime, EventCode, EventStruct, Fault, FaultStruct, Quirks, ScheduleInform, Text};
use datamodel::Path;
use jiff::Timestamp;
use profile::{Clock, HemsUrl, RestoredClock, Source, Standing, TransportMode, UrlError};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    air::Air,
    alarms::{Alarms, event::Rings},
    backup,
    device::{CONFIGURATION, CONFIGURATION_1, Device, DeviceAlarms, LOG, LOG_1, Notify, path},
    diagnostics::Diagnostics,
    log,
    performance::Counting,
    reach::{Places, Reach},
    recovery::Recovery,
    state::State,
    transfer::Transfer,
    trust::Trust,
};

/// Most scheduled Informs that wait at a time.
pub(crate) const MOST_SCHEDULES: usize = 16;

/// A session that an ACS asked for. (TR-069 A.4.1.2)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// When, by the cell's clock.
    pub at: Timestamp,
    /// What the Inform repeats.
    pub command_key: Text,
}

/// A cell in memory.
pub(crate) struct Cell {
    pub(crate) device: Box<dyn Device>,
    pub(crate) agenda: Agenda,
    pub(crate) mode: TransportMode,
    pub(crate) transfers: Vec<Transfer>,
    pub(crate) reboot: Option<Text>,
    pub(crate) reach: Reach,
    air: Air,
    /// A FactoryReset was answered and is still to be done. (C-21)
    pub(crate) reset: bool,
    schedules: Vec<Schedule>,
    /// What the product does wrong that this cell plays.
    pub(crate) quirks: Quirks,
    pub(crate) discards_credentials: bool,
    pub(crate) trust: Trust,
    pub(crate) recovery: Recovery,
    /// Its owner lets it listen for Connection Requests. (R-04)
    pub(crate) listens: bool,
    pub(crate) diagnostics: Diagnostics,
    alarms: Alarms,
    device_alarms: DeviceAlarms,
    rings: Rings,
    /// Something happened to an alarm since the last tick.
    has_alarms: bool,
    counting: Counting,
    pub(crate) images: firmware::Images,
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
            reach: Reach::default(),
            air: Air::default(),
            reset: false,
            schedules: Vec::new(),
            quirks: Quirks::default(),
            discards_credentials: false,
            trust: Trust::default(),
            recovery: Recovery::default(),
            listens: false,
            diagnostics: Diagnostics::default(),
            alarms: Alarms::default(),
            device_alarms: DeviceAlarms::default(),
            rings: Rings::default(),
            has_alarms: false,
            counting: Counting::default(),
            images: firmware::Images::default(),
            changed: BTreeSet::new(),
            contacted: None,
            configured,
            clock,
            booted: Instant::now(),
        };
        if let Some(state) = state {
            (cell.agenda, cell.changed, cell.contacted) = (state.agenda, state.changed, state.contacted);
            (cell.reboot, cell.transfers, cell.reach) = (state.reboot, state.transfers, state.reach);
            (cell.reset, cell.schedules, cell.listens) = (state.reset, state.schedules, state.listens);
            (cell.trust, cell.recovery, cell.alarms) = (state.trust, state.recovery, state.alarms);
            (cell.images.state, cell.rings) = (state.firmware, state.rings);
        }
        let version = cell.device.value(path::SOFTWARE);
        cell.images.state.named(&version);
        cell.show_images();
        if is_new || cell.is_new() {
            // Whoever configures the cell by hand means it: there is no way back to what an ACS once set.
            cell.reach = Reach::default();
            cell.device.put(path::URL, &cell.configured);
        }
        cell.boot();
        cell
    }

    /// Starts the device and notes why the next session opens: what was promised happens here at the latest. (C-20)
    fn boot(&mut self) {
        self.booted = Instant::now();
        self.agenda.rebooted();
        self.counting.interrupted();
        if std::mem::take(&mut self.reset) {
            tracing::info!("back at the factory's values, as the H(e)MS asked");
            self.forget();
        } else if let Some(command_key) = self.reboot.take() {
            tracing::info!(?command_key, "restarted as the H(e)MS asked");
            self.device.reboot(self.now());
            self.agenda.raise(EventCode::M_REBOOT, command_key);
        } else {
            self.device.power_on(self.now());
        }
        self.agenda.raise(EventCode::BOOT, "");
        // The device says anew what stands.
        self.device_alarms = DeviceAlarms::default();
        self.clear_diagnostics();
        self.apply_settings();
    }

    /// Goes back to what the factory set: no ACS is known, and nobody is owed anything. (C-21, D-10)
    fn forget(&mut self) {
        self.device.factory_reset(self.now());
        self.device.put(path::URL, &self.configured);
        self.device.put(path::CONNECTION_REQUEST_ENABLE, &self.listens.to_string());
        (self.agenda, self.contacted, self.reboot) = (Agenda::default(), None, None);
        self.changed.clear();
        self.schedules.clear();
        self.transfers.clear();
        self.rings = Rings::default();
        self.images.state.upgrade = None;
        self.show_images();
    }

    /// An ACS that never took our BOOTSTRAP is owed one. (C-02, D-06)
    fn note_url(&mut self) {
        let url = self.url().ok().map(|url| url.to_string());
        let is_noted = self.agenda.events().iter().any(|event| event.event_code == EventCode::BOOTSTRAP);
        if url.is_some() && url != self.contacted && !is_noted {
            self.agenda.raise(EventCode::BOOTSTRAP, "");
        }
    }

    /// Does a promised reboot or reset; true when there was one.
    pub(crate) fn restart_as_promised(&mut self) -> bool {
        let promised = self.reboot.is_some() || self.reset;
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
            listens: self.listens,
            alarms: self.alarms.clone(),
            rings: self.rings,
            firmware: self.images.state.clone(),
            configured: self.configured.clone(),
            contacted: self.contacted.clone(),
            agenda: self.agenda.clone(),
            changed: self.changed.clone(),
            reboot: self.reboot.clone(),
            reset: self.reset,
            schedules: self.schedules.clone(),
            transfers: self.transfers.clone(),
            reach: self.reach.clone(),
            device: self.device.snapshot(),
        }
    }

    /// Lets the device act, and time pass; true when something is to be told, at once or with the next Inform. (C-02)
    pub(crate) fn tick(&mut self) -> bool {
        if let Some(time) = self.device.gps_time(self.now()) {
            self.hear_time(time, Source::Gps);
        }
        self.device.tick(self.now());
        self.mind_the_air();
        self.hear_alarms();
        let changes = self.device.changes();
        let has_news = self.note_changes(changes);
        let has_news = self.mind_the_trial() || has_news;
        // Whoever raised an alarm meanwhile: it is durable before it is told.
        let has_alarms = std::mem::take(&mut self.has_alarms);
        self.raise_schedules() || has_news || has_alarms
    }

    /// What changed is told as its attributes say; true where that is anything. (C-02, C-03)
    fn note_changes(&mut self, changes: BTreeMap<Path, Notify>) -> bool {
        if changes.values().any(|notify| *notify == Notify::Active) {
            self.agenda.raise(EventCode::VALUE_CHANGE, "");
        }
        let has_news = !changes.is_empty();
        self.changed.extend(changes.into_keys());
        has_news
    }

    fn raise_schedules(&mut self) -> bool {
        let now = self.now();
        let (due, left) =
            std::mem::take(&mut self.schedules).into_iter().partition(|schedule| schedule.at <= now);
        self.schedules = left;
        let due: Vec<Schedule> = due;
        for schedule in &due {
            self.agenda.raise(EventCode::SCHEDULED, "");
            self.agenda.raise(EventCode::M_SCHEDULE_INFORM, schedule.command_key.clone());
        }
        !due.is_empty()
    }

    /// Notes a session for later; false where too many are noted already.
    pub(crate) fn schedule_inform(&mut self, call: ScheduleInform) -> bool {
        let wait = Duration::from_secs(call.delay_seconds.into());
        let at = self.now().checked_add(wait).unwrap_or(Timestamp::MAX);
        let has_room = self.schedules.len() < MOST_SCHEDULES;
        if has_room {
            self.schedules.push(Schedule { at, command_key: call.command_key });
        }
        has_room
    }

    /// Queues a transfer by its time.
    pub(crate) fn queue_transfer(&mut self, transfer: Transfer) {
        let place = self.transfers.partition_point(|pending| pending.not_before <= transfer.not_before);
        self.transfers.insert(place, transfer);
    }

    /// Where the cell looks for its operator now.
    pub(crate) fn places(&self) -> Places {
        path::PLACES.iter().map(|place| ((*place).to_owned(), self.device.value(place))).collect()
    }

    /// A session failed; what leads nowhere is given up for what worked, and the H(e)MS hears of it. (X-07)
    pub(crate) fn session_failed(&mut self, places: &Places) {
        let Some(working) = self.reach.failed(places) else { return };
        tracing::warn!(
            from = places.get(path::URL),
            to = working.get(path::URL),
            "back to the last H(e)MS that worked"
        );
        for (place, value) in &working {
            self.device.put(place, value);
            self.changed.extend(Path::parse(place));
        }
        let owed = |event: &EventStruct| event.event_code == EventCode::BOOTSTRAP;
        let owed: Vec<EventStruct> = self.agenda.events().into_iter().filter(owed).collect();
        self.agenda.informed(&owed, self.now());
        self.agenda.raise(EventCode::VALUE_CHANGE, "");
        self.apply_settings();
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
        let schedule = self.schedules.iter().map(|schedule| schedule.at).min();
        let next = [agenda, transfer, schedule, self.device.deadline(), self.performance_deadline()]
            .into_iter()
            .flatten()
            .min();
        let wait = next.map(|at| Duration::try_from(at.duration_since(self.now())).unwrap_or_default());
        let silence = self.air.wait(self.allowed_link_loss(), Instant::now());
        wait.into_iter()
            .chain(silence)
            .chain(self.trial_wait())
            .chain(self.diagnostics.wait(Instant::now()))
            .min()
            .unwrap_or(longest)
            .min(longest)
    }

    /// Where the H(e)MS is: what an ACS set or the configuration gave, under the mode's rules either way. (P-11)
    pub(crate) fn url(&self) -> Result<HemsUrl, UrlError> {
        HemsUrl::parse(&self.device.value(path::URL), self.mode)
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
        self.confirm_image();
        self.agenda.informed(events, now);
        let has = |code: &EventCode| events.iter().any(|event| event.event_code == *code);
        // What changed while the Inform travelled is told once more, and what it told with it.
        if has(&EventCode::VALUE_CHANGE) && !self.has_news() {
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
        let (now, phase) = (self.now(), self.phase(self.device.value(path::PERIODIC_TIME)));
        self.agenda.set_periodic(interval.map(|seconds| Duration::from_secs(seconds.into())), phase, now);
        let throttle = number(path::THROTTLE).unwrap_or(0);
        self.agenda.set_throttle(Duration::from_secs(throttle.into()));
        self.agenda.set_retry(least.unwrap_or(5), multiplier.unwrap_or(2000));
        self.show_alarms();
        self.note_url();
    }

    /// A transfer ended: the effect and the news of it become one change. (TR-069 A.3.3.2, C-24)
    pub(crate) fn end_transfer(&mut self, transfer: &Transfer, started: Timestamp, outcome: FaultStruct) {
        self.tell(transfer, started, outcome);
    }

    /// A file that an ACS may read. (TR-069 A.4.1.5)
    pub(crate) fn file(&self, file_type: &str) -> Result<Vec<u8>, Fault> {
        match file_type {
            CONFIGURATION | CONFIGURATION_1 => backup::write(self),
            LOG | LOG_1 => Ok(log::LOG.content()),
            file_type => self.device.upload(file_type),
        }
    }

    /// Whether a change by the device asks for a session.
    pub(crate) fn has_news(&self) -> bool {
        self.agenda.events().iter().any(|event| event.event_code == EventCode::VALUE_CHANGE)
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
