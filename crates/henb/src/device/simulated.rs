//! A simulated radio: what a cell does between "unlocked" and "on the air". (decision 23)
//!
//! ```text
//!   AdminState true ──delay──▶ S1 up ──▶ OpState and RFTxStatus true
//!   S1 lost ──▶ OpState false ──the operator's time──▶ silenced: RFTxStatus false
//!   AdminState false, power-on, no S1 server ──▶ both false at once
//! ```
//!
//! The delay has a part drawn from the seed, so that a fleet does not come up in one moment, and the same seed gives
//! the same run.

use std::{fs::File, io::Read, time::Duration};

use cwmp::{Fault, FaultCode, ParameterValueStruct};
use jiff::{SignedDuration, Timestamp};

use super::{BootImage, Conditions, Device, Factory, Measurement, Memory, Period, Snapshot, path, traffic};

/// How a simulated radio behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Radio {
    /// From unlocking to S1 up, plus up to half of it by the seed.
    pub delay: Duration,
    /// Where the drawn part comes from.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Vec<RadioFault>,
    /// How far ahead of the cell's clock the time is that the receiver finds at power-on; nothing finds none.
    pub gps_ahead: Option<SignedDuration>,
}

/// What a simulated radio can be told to do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RadioFault {
    /// S1 never comes up.
    S1NeverUp,
    /// S1 is lost once, a delay after it came up, and comes back.
    S1LostOnce,
    /// S1 is lost a delay after it came up, and does not come back by itself.
    S1Lost,
    /// The hosting party must be authenticated, and never is.
    NoHostingParty,
    /// Every installation fails, and no image but the factory's boots.
    InstallFails,
}

impl RadioFault {
    /// All of them with the words of the configuration.
    pub const ALL: [(&str, Self); 5] = [
        ("s1-never-up", Self::S1NeverUp),
        ("s1-lost-once", Self::S1LostOnce),
        ("s1-lost", Self::S1Lost),
        ("no-hosting-party", Self::NoHostingParty),
        ("install-fails", Self::InstallFails),
    ];
}

/// How an image begins that does not boot.
const BROKEN_IMAGE: &[u8] = b"HEARTH-IMAGE broken";

/// What the radio will do at its next deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Nothing,
    ComeUp { at: Timestamp },
    LoseS1 { at: Timestamp },
}

/// A device with a radio that is only played.
#[derive(Debug, Clone)]
pub struct Simulated {
    memory: Memory,
    radio: Radio,
    next: Next,
    draws: u64,
    has_lost_s1: bool,
    has_s1: bool,
    /// S1 was up and is not any more.
    is_cut_off: bool,
    is_silent: bool,
    has_fix: bool,
}

impl Simulated {
    /// A device as it left the factory, or as it was when `kept` was taken.
    #[must_use]
    pub fn new(factory: &Factory, radio: Radio, kept: Option<&Snapshot>) -> Self {
        Self {
            memory: Memory::new(factory, kept),
            radio,
            next: Next::Nothing,
            draws: 0,
            has_lost_s1: false,
            has_s1: false,
            is_cut_off: false,
            is_silent: false,
            has_fix: false,
        }
    }

    /// Brings the radio into line with AdminState and the configuration.
    fn follow(&mut self, now: Timestamp) {
        let may_serve =
            self.memory.is_true(path::ADMIN_STATE) && !self.memory.value(path::S1_SERVERS).is_empty();
        if !may_serve {
            self.next = Next::Nothing;
            (self.has_s1, self.is_cut_off) = (false, false);
        } else if !self.has_s1 && self.next == Next::Nothing {
            self.next = Next::ComeUp { at: self.after_delay(now) };
        }
        self.show();
    }

    /// Without S1 the cell serves nobody, and transmits until it is silenced.
    fn show(&mut self) {
        let value = |is_true| if is_true { "true" } else { "false" };
        let may_transmit = (self.has_s1 || self.is_cut_off) && !self.is_silent;
        self.memory.change(path::OP_STATE, value(self.has_s1 && !self.is_silent));
        self.memory.change(path::RF_TX_STATUS, value(may_transmit));
    }

    fn come_up(&mut self, now: Timestamp) {
        self.next = Next::Nothing;
        if self.has(RadioFault::S1NeverUp) {
            return;
        }
        (self.has_s1, self.is_cut_off) = (true, false);
        self.show();
        let loses_it = self.has(RadioFault::S1Lost) || self.has(RadioFault::S1LostOnce) && !self.has_lost_s1;
        if loses_it {
            self.next = Next::LoseS1 { at: self.after_delay(now) };
        }
    }

    fn lose_s1(&mut self, now: Timestamp) {
        self.has_lost_s1 = true;
        (self.has_s1, self.is_cut_off) = (false, true);
        self.next = if self.has(RadioFault::S1Lost) {
            Next::Nothing
        } else {
            Next::ComeUp { at: self.after_delay(now) }
        };
        self.show();
    }

    fn switch_off(&mut self) {
        self.next = Next::Nothing;
        (self.has_s1, self.is_cut_off) = (false, false);
    }

    fn has(&self, fault: RadioFault) -> bool {
        self.radio.faults.contains(&fault)
    }

    fn after_delay(&mut self, now: Timestamp) -> Timestamp {
        self.draws += 1;
        let half = u64::try_from(self.radio.delay.as_millis() / 2).unwrap_or(u64::MAX);
        let drawn = mix(self.radio.seed ^ mix(self.draws)) % half.saturating_add(1);
        now.checked_add(self.radio.delay.saturating_add(Duration::from_millis(drawn)))
            .unwrap_or(Timestamp::MAX)
    }
}

/// Spreads a number over all bits: the finishing step of the splitmix64 generator.
pub(super) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Device for Simulated {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn set(&mut self, list: &[ParameterValueStruct], now: Timestamp) -> Result<(), Fault> {
        self.memory.set(list, now)?;
        self.follow(now);
        Ok(())
    }

    fn measurements(&mut self, period: &Period) -> Result<Vec<Measurement>, Fault> {
        let is_serving = self.memory.is_true(path::OP_STATE);
        let counted = traffic::traffic(self.radio.seed, period, is_serving);
        counted.stats.iter().for_each(|(place, value)| self.memory.change(place, value));
        Ok(counted.measurements)
    }

    fn gps_time(&mut self, now: Timestamp) -> Option<Timestamp> {
        let ahead = self.radio.gps_ahead.filter(|_| !self.has_fix)?;
        self.has_fix = true;
        now.checked_add(ahead).ok()
    }

    fn tick(&mut self, now: Timestamp) {
        match self.next {
            Next::ComeUp { at } if at <= now => self.come_up(now),
            Next::LoseS1 { at } if at <= now => self.lose_s1(now),
            Next::Nothing | Next::ComeUp { .. } | Next::LoseS1 { .. } => {}
        }
    }

    fn conditions(&self) -> Conditions {
        Conditions { has_link: !self.is_cut_off, awaits_hosting_party: self.has(RadioFault::NoHostingParty) }
    }

    fn silence(&mut self, is_silent: bool) {
        if is_silent != self.is_silent {
            self.is_silent = is_silent;
            self.show();
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        match self.next {
            Next::Nothing => None,
            Next::ComeUp { at } | Next::LoseS1 { at } => Some(at),
        }
    }

    fn power_on(&mut self, now: Timestamp) {
        self.has_fix = false;
        self.switch_off();
        self.memory.power_on(now);
    }

    fn reboot(&mut self, now: Timestamp) {
        self.switch_off();
        self.memory.reboot(now);
    }

    fn start_image(&mut self, image: &BootImage, now: Timestamp) -> Result<(), Fault> {
        let refused = |text: &str| Err(Fault::new(FaultCode::DOWNLOAD_FAILURE, text));
        if let Some(file) = &image.file {
            if self.has(RadioFault::InstallFails) {
                return refused("the simulated flash is broken");
            }
            let mut start = [0; BROKEN_IMAGE.len()];
            let read = File::open(file).and_then(|mut file| file.read_exact(&mut start));
            if read.is_ok() && start == BROKEN_IMAGE {
                return refused("the simulated boot loader found no kernel");
            }
        }
        self.switch_off();
        self.memory.image_started(now);
        Ok(())
    }

    fn starts_images(&self) -> bool {
        true
    }

    fn revert(&mut self, former: Memory, now: Timestamp) {
        self.memory = former;
        self.follow(now);
    }

    fn factory_reset(&mut self, now: Timestamp) {
        self.next = Next::Nothing;
        self.memory.factory_reset(now);
    }

    fn install(&mut self, file_type: &str, content: &[u8]) -> Result<(), Fault> {
        if self.has(RadioFault::InstallFails) {
            return Err(Fault::new(FaultCode::DOWNLOAD_FAILURE, "the simulated flash is broken"));
        }
        self.memory.install(file_type, content)
    }
}

#[cfg(test)]
mod tests {
    use datamodel::Path;

    use super::*;
    use crate::device::factory::sample;

    const DELAY: Duration = Duration::from_secs(10);

    fn cell(faults: &[RadioFault]) -> Simulated {
        let radio = Radio { delay: DELAY, seed: 7, faults: faults.to_vec(), gps_ahead: None };
        Simulated::new(&sample(), radio, None)
    }

    fn set(cell: &mut Simulated, place: &str, value: cwmp::Value, now: Timestamp) {
        cell.set(&[ParameterValueStruct::new(place.to_owned(), value)], now).unwrap();
    }

    fn unlock(cell: &mut Simulated, now: Timestamp) {
        set(cell, path::S1_SERVERS, cwmp::Value::string("192.0.2.1"), now);
        set(cell, path::ADMIN_STATE, cwmp::Value::boolean(true), now);
    }

    fn is_up(cell: &Simulated) -> bool {
        cell.memory.is_true(path::OP_STATE) && cell.memory.is_true(path::RF_TX_STATUS)
    }

    #[test]
    fn an_unlocked_radio_comes_up_after_its_delay_and_says_so_once() {
        let start = Timestamp::UNIX_EPOCH;
        let mut cell = cell(&[]);
        unlock(&mut cell, start);
        let due = cell.deadline().unwrap();
        assert!(due >= start + DELAY && due <= start + DELAY + DELAY / 2);
        cell.tick(due - Duration::from_millis(1));
        assert!(!is_up(&cell));
        cell.tick(due);
        assert!(is_up(&cell));
        assert_eq!(cell.changes().len(), 2);
        assert_eq!((cell.changes().len(), cell.deadline()), (0, None));
    }

    #[test]
    fn d07_a_locked_or_unconfigured_radio_stays_silent() {
        let start = Timestamp::UNIX_EPOCH;
        let mut cell = cell(&[]);
        set(&mut cell, path::ADMIN_STATE, cwmp::Value::boolean(true), start);
        assert_eq!(cell.deadline(), None);
        unlock(&mut cell, start);
        cell.tick(Timestamp::MAX);
        assert!(is_up(&cell));
        set(&mut cell, path::ADMIN_STATE, cwmp::Value::boolean(false), start);
        assert!(!is_up(&cell));
    }

    #[test]
    fn m08_a_reboot_locks_the_radio() {
        let mut cell = cell(&[]);
        unlock(&mut cell, Timestamp::UNIX_EPOCH);
        cell.tick(Timestamp::MAX);
        cell.reboot(Timestamp::MAX);
        assert!(!is_up(&cell) && !cell.memory.is_true(path::ADMIN_STATE));
        assert_eq!(cell.deadline(), None);
    }

    #[test]
    fn x05_a_radio_without_s1_transmits_until_it_is_silenced_and_again_when_s1_is_back() {
        let mut cell = cell(&[RadioFault::S1LostOnce]);
        unlock(&mut cell, Timestamp::UNIX_EPOCH);
        let transmits = |cell: &Simulated| cell.memory.is_true(path::RF_TX_STATUS);
        (0..2).for_each(|_| cell.tick(Timestamp::MAX.min(cell.deadline().unwrap())));
        assert!(!cell.conditions().has_link && !is_up(&cell) && transmits(&cell));
        cell.silence(true);
        assert!(!transmits(&cell));
        assert!(cell.changes().contains_key(&Path::parse(path::RF_TX_STATUS).unwrap()));
        cell.tick(cell.deadline().unwrap());
        assert!(cell.conditions().has_link && !transmits(&cell), "it is silenced still");
        cell.silence(false);
        assert!(is_up(&cell));
    }

    #[test]
    fn x06_a_radio_without_its_hosting_party_says_so() {
        assert!(cell(&[RadioFault::NoHostingParty]).conditions().awaits_hosting_party);
        assert!(!cell(&[]).conditions().awaits_hosting_party);
    }

    #[test]
    fn faults_happen_as_told() {
        let mut never = cell(&[RadioFault::S1NeverUp]);
        unlock(&mut never, Timestamp::UNIX_EPOCH);
        never.tick(Timestamp::MAX);
        assert!(!is_up(&never));

        let mut lost = cell(&[RadioFault::S1LostOnce]);
        unlock(&mut lost, Timestamp::UNIX_EPOCH);
        let mut history = Vec::new();
        while let Some(at) = lost.deadline() {
            lost.tick(at);
            history.push(is_up(&lost));
        }
        assert_eq!(history, [true, false, true]);

        let mut broken = cell(&[RadioFault::InstallFails]);
        let image = |file| BootImage { version: "2".to_owned(), file };
        assert!(broken.start_image(&image(Some("image-2".into())), Timestamp::UNIX_EPOCH).is_err());
        assert!(broken.start_image(&image(None), Timestamp::UNIX_EPOCH).is_ok());
    }
}
