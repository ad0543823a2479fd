//! What a CPE has to say, and when it calls next. (TR-069 3.2.1, 3.7.1.5)
//!
//! ```text
//!  raise / queue ──▶ pending ──session──▶ informed / answered ──▶ gone
//!                       ▲                        │
//!                       └──── failed: wait ◀─────┘   5..10 s, doubling, level from the tenth
//! ```
//!
//! One rule: an event leaves the agenda when its InformResponse arrived, a call when its response
//! did, and before that only as its row of the table of events says ([`EventCode::retry`]). The agenda is plain data: saved after each change it survives a power cut,
//! its retry wait included. Times are of the CPE's own clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AcsMethod, EventCode, EventStruct, Retry, Text};

/// The retry after which the wait no longer grows. (TR-069 3.2.1.1, C-10)
const LEVEL: u32 = 10;

/// How many events one Inform may carry; the oldest that are not the standard's own make room. (H-27)
const MOST_EVENTS: usize = 64;

/// The pending events, calls and waits of one CPE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agenda {
    events: Vec<EventStruct>,
    calls: Vec<AcsMethod>,
    retry_count: u32,
    /// No session before this, after one that failed.
    retry_at: Option<Timestamp>,
    interval: Option<Duration>,
    periodic_at: Option<Timestamp>,
    /// The least time between sessions that only a change of a parameter asks for. (C-12)
    #[serde(default)]
    throttle: Duration,
    /// No session for changes alone before this.
    #[serde(default)]
    changes_at: Option<Timestamp>,
    /// What was raised again since an Inform said it: its InformResponse does not deliver that.
    #[serde(skip)]
    again: Option<Vec<EventStruct>>,
    minimum_wait_s: u32,
    /// In thousandths: 2000 doubles.
    multiplier: u32,
}

impl Default for Agenda {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            calls: Vec::new(),
            retry_count: 0,
            retry_at: None,
            interval: None,
            periodic_at: None,
            throttle: Duration::ZERO,
            changes_at: None,
            again: None,
            minimum_wait_s: 5,
            multiplier: 2000,
        }
    }
}

impl Agenda {
    /// Notes that something happened. BOOTSTRAP clears what was pending before it; the same single
    /// event is noted once. (TR-069 3.7.1.5, C-07)
    pub fn raise(&mut self, code: EventCode, command_key: impl Into<Text>) {
        let event = EventStruct { event_code: code, command_key: command_key.into() };
        self.note_again(&event);
        if event.event_code == EventCode::BOOTSTRAP {
            self.events.retain(|pending| {
                pending.event_code.outlives_bootstrap() && pending.event_code != EventCode::BOOTSTRAP
            });
            self.events.insert(0, event);
        } else if !self.events.contains(&event) {
            self.events.push(event);
        }
        self.make_room();
    }

    /// What is raised while an Inform travels is not what that says, whoever added it there.
    fn note_again(&mut self, event: &EventStruct) {
        if let Some(again) = self.again.as_mut().filter(|again| !again.contains(event)) {
            again.push(event.clone());
        }
    }

    /// Drops the oldest event that may be dropped; where none may, the oldest that says nothing of a transfer.
    fn make_room(&mut self) {
        if self.events.len() <= MOST_EVENTS {
            return;
        }
        let oldest =
            |pick: fn(&EventCode) -> bool| self.events.iter().position(|event| pick(&event.event_code));
        let dropped = oldest(|code| code.retry() != Retry::Always)
            .or_else(|| oldest(|code| !code.outlives_bootstrap()))
            .unwrap_or(MOST_EVENTS);
        self.events.remove(dropped);
    }

    /// The CPE restarts: what does not outlive that is forgotten. (TR-069 3.7.1.5)
    pub fn rebooted(&mut self) {
        self.events.retain(|event| event.event_code.retry() == Retry::Always);
        self.again = None;
    }

    /// Notes a call that the next session makes after its Inform.
    pub fn queue(&mut self, call: AcsMethod) {
        self.calls.push(call);
    }

    /// Notes a Connection Request: a session at once, whatever is waited for; what failed before is still counted.
    /// (TR-069 3.2.2, R-07)
    pub fn connection_request(&mut self) {
        self.raise(EventCode::CONNECTION_REQUEST, "");
        self.retry_at = None;
    }

    /// What the next Inform reports, the periodic event included when it is due.
    #[must_use]
    pub fn events(&self) -> Vec<EventStruct> {
        self.events.clone()
    }

    /// What an Inform says that is sent now: whatever is raised from here on is news, the same event included.
    pub fn say(&mut self) -> Vec<EventStruct> {
        self.again = Some(Vec::new());
        self.events()
    }

    /// What the next session calls after its Inform.
    #[must_use]
    pub fn calls(&self) -> Vec<AcsMethod> {
        self.calls.clone()
    }

    /// How many sessions failed in a row. (TR-069 3.2.1.1)
    #[must_use]
    pub fn retry_count(&self) -> u32 {
        self.retry_count
    }

    /// When the next session is due, by what is known now: at once, after a wait, or never.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        if !self.has_something() {
            return self.periodic_at;
        }
        let throttled = self.changes_at.filter(|_| self.has_only_changes());
        let due = self.retry_at.max(throttled).unwrap_or(Timestamp::MIN);
        Some(self.periodic_at.map_or(due, |periodic| periodic.min(due)))
    }

    /// Whether a session is due; a periodic one is then pending as an event.
    pub fn is_due(&mut self, now: Timestamp) -> bool {
        if self.periodic_at.is_some_and(|at| at <= now) {
            self.raise(EventCode::PERIODIC, "");
            self.periodic_at = self.interval.and_then(|interval| now.checked_add(interval).ok());
        }
        let waits = self.retry_at.max(self.changes_at.filter(|_| self.has_only_changes()));
        self.has_something() && waits.is_none_or(|at| at <= now)
    }

    /// Whether nothing but changed parameters asks for a session. (C-12)
    fn has_only_changes(&self) -> bool {
        let is_change = |event: &EventStruct| event.event_code == EventCode::VALUE_CHANGE;
        self.calls.is_empty() && !self.events.is_empty() && self.events.iter().all(is_change)
    }

    /// A failed session is retried though its events were delivered: the ACS may have wanted more. (TR-069 3.2.1.1)
    fn has_something(&self) -> bool {
        !self.events.is_empty() || !self.calls.is_empty() || self.retry_at.is_some()
    }

    /// The InformResponse arrived: these events are delivered.
    pub fn informed(&mut self, delivered: &[EventStruct], now: Timestamp) {
        let has_change = delivered.iter().any(|event| event.event_code == EventCode::VALUE_CHANGE);
        if has_change {
            self.changes_at = now.checked_add(self.throttle).ok();
        }
        let again = self.again.take().unwrap_or_default();
        self.events.retain(|event| !delivered.contains(event) || again.contains(event));
    }

    /// The response to this call arrived.
    pub fn answered(&mut self, call: &AcsMethod) {
        if let Some(at) = self.calls.iter().position(|queued| queued == call) {
            self.calls.remove(at);
        }
    }

    /// The session ended well: nothing holds the next one back.
    pub fn closed(&mut self) {
        (self.retry_count, self.retry_at) = (0, None);
    }

    /// The session failed: the next one waits, by the retry table and `seed`. (TR-069 3.2.1.1, C-10) Where the ACS
    /// had knocked and there is nothing else to say, there is none: it will knock again.
    pub fn failed(&mut self, now: Timestamp, seed: u64) {
        self.again = None;
        let pending = self.events.len();
        self.events.retain(|event| event.event_code.retry() != Retry::Never);
        if self.events.len() < pending && self.events.is_empty() && self.calls.is_empty() {
            return self.closed();
        }
        self.retry_count = self.retry_count.saturating_add(1);
        let (least, most) = self.retry_wait(self.retry_count);
        let spread_ms = u64::try_from((most - least).as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let wait = least + Duration::from_millis(seed % spread_ms);
        self.retry_at = now.checked_add(wait).ok();
    }

    /// The least and the most wait before attempt `retry`, which counts from 1. (TR-069 3.2.1.1, C-10)
    ///
    /// The random part matters: after a power cut every cell of a street calls at once.
    #[must_use]
    pub fn retry_wait(&self, retry: u32) -> (Duration, Duration) {
        let steps = retry.clamp(1, LEVEL);
        let wait = |power: u32| {
            let factor = (f64::from(self.multiplier) / 1000.0).powi(power.try_into().unwrap_or(0));
            Duration::from_secs_f64((f64::from(self.minimum_wait_s) * factor).min(MOST_WAIT_S))
        };
        (wait(steps - 1), wait(steps))
    }

    /// Sets the periodic interval, or none; the next one counts from `now`, or stands in phase with
    /// `phase` where that time and the absolute time are known. (C-33, K-09)
    pub fn set_periodic(&mut self, interval: Option<Duration>, phase: Option<Timestamp>, now: Timestamp) {
        let next = interval.and_then(|interval| next_in_phase(interval, phase, now));
        let is_new = self.interval != interval || (interval.is_some() && self.periodic_at.is_none());
        if is_new || phase.is_some() {
            self.interval = interval;
            self.periodic_at = next;
        }
    }

    /// The CPE's clock was moved by so much, back or forth: what is waited for stays as far away as it was. (K-09)
    pub fn clock_moved(&mut self, by: SignedDuration) {
        for at in [&mut self.retry_at, &mut self.periodic_at, &mut self.changes_at] {
            *at = at.map(|at| at.checked_add(by).unwrap_or(Timestamp::MAX));
        }
    }

    /// Sets the least time between sessions that only a change of a parameter asks for. (C-12)
    pub fn set_throttle(&mut self, throttle: Duration) {
        self.throttle = throttle;
    }

    /// Sets the retry table's first wait in seconds and its multiplier in thousandths. (C-10)
    pub fn set_retry(&mut self, minimum_wait_s: u32, multiplier: u32) {
        (self.minimum_wait_s, self.multiplier) =
            (minimum_wait_s.clamp(1, 65_535), multiplier.clamp(1000, 65_535));
    }
}

/// The first time after `now` that is a whole number of intervals away from `phase`.
fn next_in_phase(interval: Duration, phase: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let Some(phase) = phase else { return now.checked_add(interval).ok() };
    let step = i64::try_from(interval.as_secs()).ok().filter(|step| *step > 0)?;
    let passed = (now.as_second() - phase.as_second()).rem_euclid(step);
    Timestamp::from_second(now.as_second().checked_add(step - passed)?).ok()
}

/// A multiplier of 65.5 would reach centuries: a day is as long as a cell may stay away.
const MOST_WAIT_S: f64 = 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DateTime, FaultStruct, TransferComplete};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn c07_an_event_stays_until_its_inform_was_answered() {
        let mut agenda = Agenda::default();
        agenda.raise(EventCode::BOOT, "");
        assert!(agenda.is_due(at(0)));
        let said = agenda.events();
        agenda.raise(EventCode::VALUE_CHANGE, "");
        agenda.informed(&said, at(0));
        assert_eq!(agenda.events(), [EventCode::VALUE_CHANGE.into()]);
    }

    #[test]
    fn c07_bootstrap_clears_what_was_pending_but_results_of_transfers() {
        let mut agenda = Agenda::default();
        agenda.raise(EventCode::VALUE_CHANGE, "");
        agenda.raise(EventCode::M_DOWNLOAD, "key");
        agenda.raise(EventCode::BOOTSTRAP, "");
        let codes: Vec<_> = agenda.events().into_iter().map(|event| event.event_code).collect();
        assert_eq!(codes, [EventCode::BOOTSTRAP, EventCode::M_DOWNLOAD]);
    }

    #[test]
    fn c07_bootstrap_leaves_every_event_that_outlives_it_and_no_other() {
        for code in EventCode::all() {
            let mut agenda = Agenda::default();
            agenda.raise(code.clone(), "key");
            agenda.raise(EventCode::BOOTSTRAP, "");
            let stays = agenda.events().iter().any(|event| event.event_code == code);
            assert_eq!(stays, code.outlives_bootstrap(), "{code}");
            assert_eq!(agenda.events()[0].event_code, EventCode::BOOTSTRAP);
        }
    }

    #[test]
    fn c07_a_restart_leaves_what_must_survive_it() {
        for code in EventCode::all() {
            let mut agenda = Agenda::default();
            agenda.raise(code.clone(), "key");
            agenda.rebooted();
            assert_eq!(agenda.events().len(), usize::from(code.retry() == Retry::Always), "{code}");
        }
    }

    #[test]
    fn c07_a_connection_request_is_not_said_again_and_everything_else_is() {
        for code in EventCode::all() {
            let mut agenda = Agenda::default();
            agenda.raise(code.clone(), "");
            agenda.failed(at(0), 0);
            assert_eq!(agenda.deadline().is_some(), code.retry() != Retry::Never, "{code}");
        }
        let mut agenda = Agenda::default();
        agenda.raise(EventCode::CONNECTION_REQUEST, "");
        agenda.raise(EventCode::PERIODIC, "");
        agenda.failed(at(0), 0);
        assert_eq!(agenda.events(), [EventCode::PERIODIC.into()]);
    }

    #[test]
    fn c07_what_is_raised_again_while_an_inform_travels_is_said_again() {
        let mut agenda = Agenda::default();
        agenda.raise(EventCode::VALUE_CHANGE, "");
        agenda.raise(EventCode::BOOT, "");
        let said = agenda.say();
        agenda.raise(EventCode::VALUE_CHANGE, "");
        agenda.informed(&said, at(0));
        assert_eq!(agenda.events(), [EventCode::VALUE_CHANGE.into()]);
        let mut said = agenda.say();
        said.push(EventCode::PERIODIC.into());
        agenda.raise(EventCode::PERIODIC, "");
        agenda.informed(&said, at(1));
        assert_eq!(agenda.events(), [EventCode::PERIODIC.into()]);
    }

    #[test]
    fn h27_news_of_transfers_finds_room_among_any_others() {
        let mut agenda = Agenda::default();
        (0..64).for_each(|number| agenda.raise(EventCode::M_SCHEDULE_INFORM, number.to_string()));
        agenda.raise(EventCode::PERIODIC, "");
        assert!(!agenda.events().contains(&EventCode::PERIODIC.into()), "the first to go");
        agenda.raise(EventCode::M_DOWNLOAD, "key");
        assert_eq!(agenda.events().len(), 64);
        assert_eq!(agenda.events()[63].event_code, EventCode::M_DOWNLOAD);
    }

    #[test]
    fn c07_a_call_stays_until_it_was_answered_and_survives_a_power_cut() {
        let (start_time, complete_time) = (DateTime::UNKNOWN, DateTime::UNKNOWN);
        let fault_struct = FaultStruct::success();
        let call = TransferComplete { command_key: "key".into(), fault_struct, start_time, complete_time };
        let mut agenda = Agenda::default();
        agenda.queue(call.clone().into());
        agenda.failed(at(100), 7);
        let saved = serde_json::to_string(&agenda).unwrap();
        let mut restored: Agenda = serde_json::from_str(&saved).unwrap();
        assert_eq!(restored, agenda);
        assert!(!restored.is_due(at(101)));
        assert!(restored.is_due(at(111)));
        restored.answered(&call.into());
        restored.closed();
        assert!(!restored.is_due(at(112)));
    }

    #[test]
    fn c10_the_wait_is_5_to_10_seconds_doubles_and_levels_at_the_tenth() {
        let agenda = Agenda::default();
        let seconds = |retry| {
            let (least, most) = agenda.retry_wait(retry);
            (least.as_secs(), most.as_secs())
        };
        let table: Vec<_> = (1..=11).map(seconds).collect();
        assert_eq!(table[..3], [(5, 10), (10, 20), (20, 40)]);
        assert_eq!(table[9..], [(2560, 5120), (2560, 5120)]);
    }

    #[test]
    fn c10_success_resets_the_retry_count() {
        let mut agenda = Agenda::default();
        agenda.raise(EventCode::BOOT, "");
        agenda.failed(at(0), u64::MAX);
        assert_eq!(agenda.retry_count(), 1);
        let wait = agenda.deadline().unwrap().as_second();
        assert!((5..=10).contains(&wait), "{wait}");
        agenda.closed();
        assert_eq!((agenda.retry_count(), agenda.is_due(at(10))), (0, true));
    }

    #[test]
    fn r07_c02_a_connection_request_waits_for_no_retry_and_is_one_event() {
        let mut agenda = Agenda::default();
        agenda.raise(EventCode::BOOT, "");
        agenda.failed(at(0), 7);
        assert!(!agenda.is_due(at(1)));
        agenda.connection_request();
        agenda.connection_request();
        assert!(agenda.is_due(at(1)));
        assert_eq!(agenda.events(), [EventCode::BOOT.into(), EventCode::CONNECTION_REQUEST.into()]);
        assert_eq!(agenda.retry_count(), 1, "the failures before it are told all the same");
        agenda.informed(&agenda.events(), at(2));
        agenda.closed();
        assert!(!agenda.is_due(at(2)), "one session answers it");
    }

    #[test]
    fn c02_each_interval_is_one_periodic_event() {
        let mut agenda = Agenda::default();
        agenda.set_periodic(Some(Duration::from_secs(60)), None, at(0));
        assert!(!agenda.is_due(at(59)));
        assert_eq!(agenda.deadline(), Some(at(60)));
        assert!(agenda.is_due(at(200)));
        assert_eq!(agenda.events(), [EventCode::PERIODIC.into()]);
    }

    #[test]
    fn c33_periodic_sessions_stand_in_phase_with_the_time_that_the_acs_names() {
        let next = |phase, now| {
            let mut agenda = Agenda::default();
            agenda.set_periodic(Some(Duration::from_secs(3600)), Some(at(phase)), at(now));
            agenda.deadline().unwrap().as_second()
        };
        assert_eq!(next(600, 1_000), 4_200);
        assert_eq!(next(600, 599), 600);
        assert_eq!(next(600, 600), 4_200);
        assert_eq!(next(1_000_000, 1_000), 2_800, "a phase in the future counts backwards too");
    }

    #[test]
    fn k09_a_clock_that_is_set_leaves_the_waits_as_long_as_they_were() {
        let mut agenda = Agenda::default();
        agenda.set_periodic(Some(Duration::from_secs(60)), None, at(0));
        agenda.clock_moved(SignedDuration::from_secs(7200));
        assert!(!agenda.is_due(at(7200)));
        assert_eq!(agenda.deadline(), Some(at(7260)));
        agenda.clock_moved(SignedDuration::from_secs(-7000));
        assert_eq!(agenda.deadline(), Some(at(260)));
    }

    #[test]
    fn c12_changes_alone_wait_for_the_throttle_and_nothing_else_does() {
        let mut agenda = Agenda::default();
        agenda.set_throttle(Duration::from_secs(30));
        agenda.raise(EventCode::VALUE_CHANGE, "");
        assert!(agenda.is_due(at(100)), "the first change goes at once");
        agenda.informed(&agenda.events(), at(100));
        agenda.raise(EventCode::VALUE_CHANGE, "");
        assert!(!agenda.is_due(at(129)));
        assert_eq!(agenda.deadline(), Some(at(130)));
        agenda.raise(EventCode::M_REBOOT, "k");
        assert!(agenda.is_due(at(129)), "a reboot takes the change along");
    }

    #[test]
    fn h27_no_more_than_64_events_and_bootstrap_stays() {
        let mut agenda = Agenda::default();
        agenda.raise(EventCode::BOOTSTRAP, "");
        for number in 0..200 {
            agenda.raise(EventCode::M_SCHEDULE_INFORM, number.to_string());
        }
        assert_eq!(agenda.events().len(), 64);
        assert_eq!(agenda.events()[0].event_code, EventCode::BOOTSTRAP);
    }
}
