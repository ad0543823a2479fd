//! What the agent drives: the seam between CWMP and a radio. (decision 23)
//!
//! A vendor implements [`Device`] in Rust, or without any Rust: [`Command`] asks a vendor's program, [`FileDevice`] writes
//! a radio stack's configuration. [`Memory`] keeps values and does nothing; [`Simulated`] plays a radio. A device knows
//! nothing of sessions, events or files: the agent asks it, tells it, and looks at what it changed by itself. Time
//! comes in as an argument, from the cell's own clock.
//!
//! ```text
//!   execute ──fetch, get, names, check, set, add, delete──▶ Device ◀──tick, deadline, changes, alarms── agent
//!                                                             │       silence, reboot, install, measurements
//!                     Memory: the tree that obeys the model ◀─┘
//! ```
//!
//! Methods are synchronous, and the agent calls them in the one task that drives its cell. A method may block, but for
//! a bounded time that stays below what a H(e)MS waits for in a session (30 s, S-05): nothing but this cell waits.

mod alarm;
mod attributes;
mod backoff;
mod command;
mod factory;
mod file;
mod measurement;
mod memory;
mod program;
mod simulated;
mod template;
mod traffic;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use cwmp::{
    Fault, FaultCode, ParameterAttributeStruct, ParameterInfoStruct, ParameterValueStruct,
    SetParameterAttributesStruct,
};
use datamodel::Path;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(crate) use alarm::sample_alarm;
pub use alarm::{AlarmNews, DeviceAlarm, PerceivedSeverity};
pub(crate) use alarm::{DeviceAlarms, Standing};
pub use attributes::{Attributes, Notify};
pub use command::{Command, Way};
pub use factory::Factory;
#[cfg(test)]
pub(crate) use factory::sample;
pub use file::{FileDevice, Stack};
pub use measurement::{Measurement, Period};
pub use memory::Memory;
pub(crate) use program::INSTALL_LIMIT;
pub(crate) use program::check as check_program;
pub use program::{Program, ProgramError};
pub use simulated::{Radio, RadioFault, Simulated};
pub use template::{Format, Template, TemplateError};

/// A H(e)NB as the agent sees it.
///
/// A vendor's type holds a [`Memory`], names it, and overrides what its radio does: [`Device::set`], [`Device::add`] and
/// [`Device::delete`] to hand over what the ACS wants, [`Device::tick`] and [`Memory::change`] to tell what the radio did
/// by itself, [`Device::silence`] and [`Device::power_on`] to keep it off the air, and the rest as far as it has it.
/// Everything else is the memory's, which sees to it that the data model is obeyed.
///
/// ```
/// use henb::device::{Device, Memory, path};
///
/// struct Radio {
///     memory: Memory,
///     has_s1: bool,
/// }
///
/// impl Device for Radio {
///     fn memory(&self) -> &Memory {
///         &self.memory
///     }
///
///     fn memory_mut(&mut self) -> &mut Memory {
///         &mut self.memory
///     }
///
///     fn tick(&mut self, _now: jiff::Timestamp) {
///         let is_up = self.has_s1 && self.memory.value(path::ADMIN_STATE) == "true";
///         self.memory.change(path::OP_STATE, if is_up { "true" } else { "false" });
///     }
/// }
/// ```
pub trait Device: Send {
    /// The values that this device stands on; [`Memory`] itself overrides every method that asks for them.
    fn memory(&self) -> &Memory;

    /// The same, to be changed.
    fn memory_mut(&mut self) -> &mut Memory;

    /// Takes what wakes the agent when there is news between two ticks: a change, an alarm, a lost radio.
    fn subscribe(&mut self, _wake: Wake) {}

    /// Brings what lies at or below these paths up to date, just before an ACS reads it.
    ///
    /// # Errors
    /// The fault that the ACS shall see.
    fn fetch(&mut self, _paths: &[Path]) -> Result<(), Fault> {
        Ok(())
    }

    /// What was raised, changed or cleared since the last question; after a power-on everything that stands, anew.
    fn alarms(&mut self) -> Vec<AlarmNews> {
        Vec::new()
    }

    /// What the radio counted in a granularity period, for the performance file. (TS 32.435)
    ///
    /// # Errors
    /// The radio cannot be asked.
    fn measurements(&mut self, _period: &Period) -> Result<Vec<Measurement>, Fault> {
        Ok(Vec::new())
    }

    /// The values at or below a path. (TR-069 A.3.2.2)
    ///
    /// # Errors
    /// The fault that the ACS shall see.
    fn get(&self, path: &Path) -> Result<Vec<ParameterValueStruct>, Fault> {
        self.memory().get(path)
    }

    /// The names at or below a path. (TR-069 A.3.2.3)
    ///
    /// # Errors
    /// The fault that the ACS shall see.
    fn names(&self, path: &Path, next_level: bool) -> Result<Vec<ParameterInfoStruct>, Fault> {
        self.memory().names(path, next_level)
    }

    /// Says whether [`Device::set`] would accept the list, and changes nothing.
    ///
    /// # Errors
    /// 9003 with one detail per bad parameter.
    fn check(&self, list: &[ParameterValueStruct]) -> Result<(), Fault> {
        self.memory().check(list)
    }

    /// Applies all values or none. (TR-069 A.3.2.1, C-13)
    ///
    /// # Errors
    /// 9003 with one detail per bad parameter.
    fn set(&mut self, list: &[ParameterValueStruct], now: Timestamp) -> Result<(), Fault> {
        self.memory_mut().set(list, now)
    }

    /// Makes a row and gives its instance number. (TR-069 A.3.2.6)
    ///
    /// # Errors
    /// The fault that the ACS shall see.
    fn add(&mut self, table: &Path) -> Result<u32, Fault> {
        self.memory_mut().add(table)
    }

    /// Removes a row. (TR-069 A.3.2.7)
    ///
    /// # Errors
    /// The fault that the ACS shall see.
    fn delete(&mut self, row: &Path) -> Result<(), Fault> {
        self.memory_mut().delete(row)
    }

    /// What belongs into every Inform. (C-04)
    fn forced_inform(&self) -> Vec<ParameterValueStruct> {
        self.memory().forced_inform()
    }

    /// The value of one parameter; empty where there is none.
    fn value(&self, path: &str) -> String {
        self.memory().value(path)
    }

    /// The agent's own hand, for what the agent knows and the device does not: keys, clock, addresses.
    fn put(&mut self, path: &str, value: &str) {
        self.memory_mut().put(path, value);
    }

    /// The agent's own hand in a table of the device's: these rows and no others. A row whose first column is as before
    /// keeps its number.
    fn put_rows(&mut self, table: &str, rows: &[Row]) {
        self.memory_mut().put_rows(table, rows);
    }

    /// The agent's own hand in one row: all of it counts as changed, also where it is as before. Gives what is to be told,
    /// and how. (F-09)
    fn overwrite(&mut self, row: &str, columns: &Row) -> BTreeMap<Path, Notify> {
        self.memory_mut().overwrite(row, columns)
    }

    /// The instance numbers of a table.
    fn rows(&self, table: &str) -> Vec<u32> {
        self.memory().rows(table)
    }

    /// A time that a satellite receiver found since the last question; `now` is the cell's clock. (decision 6)
    fn gps_time(&mut self, _now: Timestamp) -> Option<Timestamp> {
        None
    }

    /// The attributes at or below a path. (TR-069 A.3.2.5)
    ///
    /// # Errors
    /// The fault that the ACS shall see.
    fn attributes(&self, path: &Path) -> Result<Vec<ParameterAttributeStruct>, Fault> {
        self.memory().attributes(path)
    }

    /// Changes attributes, all or none. (TR-069 A.3.2.4)
    ///
    /// # Errors
    /// The fault that the ACS shall see.
    fn set_attributes(&mut self, list: &[SetParameterAttributesStruct]) -> Result<(), Fault> {
        self.memory_mut().set_attributes(list)
    }

    /// Parameters that changed by themselves since the last question and are to be told, and how. (C-02, C-03)
    fn changes(&mut self) -> BTreeMap<Path, Notify> {
        self.memory_mut().changes()
    }

    /// Lets the device act on the time that has come.
    fn tick(&mut self, _now: Timestamp) {}

    /// What stands between the cell and the air beside AdminState. (X-05, X-06)
    fn conditions(&self) -> Conditions {
        Conditions { has_link: true, awaits_hosting_party: false }
    }

    /// Keeps the air interface off, or lets AdminState decide again; asked after every tick.
    fn silence(&mut self, is_silent: bool) {
        self.memory_mut().silence(is_silent);
    }

    /// When the device wants its next tick.
    fn deadline(&self) -> Option<Timestamp> {
        None
    }

    /// Puts the device into the state that it has after power-on: the radio is locked. (M-08)
    fn power_on(&mut self, now: Timestamp) {
        self.memory_mut().power_on(now);
    }

    /// Restarts at the ACS's wish or after an installation; ends as [`Device::power_on`].
    fn reboot(&mut self, now: Timestamp) {
        self.memory_mut().reboot(now);
    }

    /// Restarts into an image that was verified, as [`Device::reboot`] does; a device whose own program ends with it is
    /// asked again after the start, until it runs. (W-07)
    ///
    /// # Errors
    /// Why the image does not boot; a device without such a program starts none.
    fn start_image(&mut self, _image: &BootImage, _now: Timestamp) -> Result<(), Fault> {
        Err(Fault::new(FaultCode::DOWNLOAD_FAILURE, "nothing here can start another image"))
    }

    /// Whether [`Device::start_image`] has something that starts an image: a cell without it takes none. (W-01, C-23)
    fn starts_images(&self) -> bool {
        false
    }

    /// Goes back to what the factory set, and ends as [`Device::power_on`]; the firmware stays. (C-21, D-10)
    fn factory_reset(&mut self, now: Timestamp) {
        self.memory_mut().factory_reset(now);
    }

    /// Takes a file of one of the types of [`Device::file_types`].
    ///
    /// # Errors
    /// The fault that TransferComplete shall carry. (C-24)
    fn install(&mut self, file_type: &str, content: &[u8]) -> Result<(), Fault> {
        self.memory_mut().install(file_type, content)
    }

    /// The file types that can be installed. (TR-069 A.3.2.8, C-23)
    fn file_types(&self) -> &'static [&'static str] {
        self.memory().file_types()
    }

    /// The content of a file of one of the types of [`Device::upload_types`].
    ///
    /// # Errors
    /// The fault that TransferComplete shall carry. (C-24)
    fn upload(&self, file_type: &str) -> Result<Vec<u8>, Fault> {
        self.memory().upload(file_type)
    }

    /// The file types that can be read. (TR-069 A.4.1.5, C-23)
    fn upload_types(&self) -> &'static [&'static str] {
        self.memory().upload_types()
    }

    /// Goes back to values and rows as they were before changes of which one was refused; a device that hands changes
    /// over tells its radio all of them again. (W-10)
    fn revert(&mut self, former: Memory, _now: Timestamp) {
        *self.memory_mut() = former;
    }

    /// What must outlive a power cut.
    fn snapshot(&self) -> Snapshot {
        self.memory().snapshot()
    }
}

/// An image that a device shall run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootImage {
    /// What it calls itself.
    pub version: String,
    /// The image alone, without its manifest; nothing for the one from the factory.
    pub file: Option<PathBuf>,
}

/// How things stand beside AdminState.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// The link to the operator's network is there, or was not needed yet. (TS 22.220 5.2, X-05)
    pub has_link: bool,
    /// The hosting party must be authenticated and is not yet. (TS 22.220 5.2, X-06)
    pub awaits_hosting_party: bool,
}

/// Wakes the agent.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The columns of a row and their values.
pub type Row = Vec<(&'static str, String)>;

/// What a device keeps over a power cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Values and rows.
    pub tree: datamodel::Snapshot,
    /// What was done to the device.
    pub journal: Journal,
    /// What an ACS changed of parameters' attributes.
    #[serde(default)]
    pub attributes: BTreeMap<Path, Attributes>,
}

/// Counts effects that nobody wants twice: whoever kills and restarts things compares it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Journal {
    /// Rows made for the ACS.
    pub rows_added: u64,
    /// Rows removed for the ACS.
    pub rows_deleted: u64,
    /// How often AdminState went from false to true.
    pub switch_ons: u64,
    /// Reboots that were asked for or that an installation needed; power-ons do not count.
    pub reboots: u64,
    /// Files installed, and images started.
    pub installs: u64,
    /// Returns to the factory's values.
    pub factory_resets: u64,
}

/// A set of roots that the operator signed: the agent's business, not the device's.
pub const TRUST_BUNDLE: &str = "X 00005E Trust Bundle";
/// The time that the operator signed: the agent's business, not the device's.
pub const CLOCK_CORRECTION: &str = "X 00005E Clock Correction";

/// A firmware image. (TR-069 A.3.2.8)
pub const FIRMWARE: &str = "1 Firmware Upgrade Image";

/// A configuration that an ACS reads back, and its one row by number. (TR-069 A.4.1.5)
pub const CONFIGURATION: &str = "1 Vendor Configuration File";
/// The same by the number of its row.
pub const CONFIGURATION_1: &str = "3 Vendor Configuration File 1";
/// A configuration that an ACS restores. (TR-069 A.3.2.8)
pub const RESTORATION: &str = "3 Vendor Configuration File";
/// The log. (TR-069 A.4.1.5, W-11)
pub const LOG: &str = "2 Vendor Log File";
/// The same by the number of its row.
pub const LOG_1: &str = "4 Vendor Log File 1";

/// Paths that agent and devices speak of by name.
pub mod path {
    /// The ACS's URL. (P-11)
    pub const URL: &str = "Device.ManagementServer.URL";
    /// The key of the last change by the ACS. (C-14)
    pub const PARAMETER_KEY: &str = "Device.ManagementServer.ParameterKey";
    /// Whether the agent calls at all. (C-31)
    pub const ENABLE_CWMP: &str = "Device.ManagementServer.EnableCWMP";
    /// Whether there are periodic sessions.
    pub const PERIODIC_ENABLE: &str = "Device.ManagementServer.PeriodicInformEnable";
    /// Seconds between periodic sessions.
    pub const PERIODIC_INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";
    /// What periodic sessions stand in phase with. (C-33)
    pub const PERIODIC_TIME: &str = "Device.ManagementServer.PeriodicInformTime";
    /// Seconds between sessions that only a change asks for. (C-12)
    pub const THROTTLE: &str = "Device.ManagementServer.DefaultActiveNotificationThrottle";
    /// First retry wait in seconds. (C-10)
    pub const RETRY_MINIMUM: &str = "Device.ManagementServer.CWMPRetryMinimumWaitInterval";
    /// Growth of the retry wait in thousandths. (C-10)
    pub const RETRY_MULTIPLIER: &str = "Device.ManagementServer.CWMPRetryIntervalMultiplier";
    /// Where Connection Requests go; empty while none are taken. (R-03)
    pub const CONNECTION_REQUEST_URL: &str = "Device.ManagementServer.ConnectionRequestURL";
    /// Whether the ACS wants them. (R-03)
    pub const CONNECTION_REQUEST_ENABLE: &str = "Device.ManagementServer.HTTPConnectionRequestEnable";
    /// Only informed when true. (C-04)
    pub const ALIAS_ADDRESSING: &str = "Device.ManagementServer.AliasBasedAddressing";
    /// The clock that certificates are checked with. (decision 6)
    pub const LOCAL_CLOCK: &str = "Device.Time.X_00005E_LocalClock";
    /// Whether the cell asks for the time.
    pub const TIME_ENABLE: &str = "Device.Time.Enable";
    /// Where the time is asked for, followed by 1 to 5.
    pub const NTP_SERVER: &str = "Device.Time.NTPServer";
    /// The cell's certificates and roots. (A-20)
    pub const CERTIFICATES: &str = "Device.Security.Certificate.";
    /// The alarms that stand. (A-19)
    pub const ALARMS: &str = "Device.FaultMgmt.CurrentAlarm.";
    /// How many alarms stand.
    pub const ALARM_COUNT: &str = "Device.FaultMgmt.CurrentAlarmNumberOfEntries";
    /// The kinds of alarms, and how each is told. (F-01)
    pub const SUPPORTED_ALARMS: &str = "Device.FaultMgmt.SupportedAlarm.";
    /// What happened to alarms. (F-04)
    pub const HISTORY_EVENTS: &str = "Device.FaultMgmt.HistoryEvent.";
    /// What is told at once. (F-06)
    pub const EXPEDITED_EVENTS: &str = "Device.FaultMgmt.ExpeditedEvent.";
    /// What is told with the next session. (F-07)
    pub const QUEUED_EVENTS: &str = "Device.FaultMgmt.QueuedEvent.";
    /// Whether the time is known. (K-04)
    pub const TIME_STATUS: &str = "Device.Time.Status";
    /// The time.
    pub const LOCAL_TIME: &str = "Device.Time.CurrentLocalTime";
    /// Seconds since the start.
    pub const UP_TIME: &str = "Device.DeviceInfo.UpTime";
    /// The radio's permission. (M-08)
    pub const ADMIN_STATE: &str = "Device.Services.FAPService.1.FAPControl.LTE.AdminState";
    /// Whether the cell works.
    pub const OP_STATE: &str = "Device.Services.FAPService.1.FAPControl.LTE.OpState";
    /// Whether the transmitter is on.
    pub const RF_TX_STATUS: &str = "Device.Services.FAPService.1.FAPControl.LTE.RFTxStatus";
    /// The name on the box.
    pub const MODEL_NAME: &str = "Device.DeviceInfo.ModelName";
    /// Where S1 goes.
    pub const S1_SERVERS: &str = "Device.Services.FAPService.1.FAPControl.LTE.Gateway.S1SigLinkServerList";
    /// Seconds that the air interface may stay on without a link to the operator's network. (X-05)
    pub const LINK_LOSS_TIME: &str = "Device.Services.FAPService.1.FAPControl.X_00005E_LinkLossTime";
    /// What together says where the operator is: a change of it that leads nowhere is taken back whole. (X-07)
    pub const PLACES: [&str; 4] = [
        URL,
        "Device.Services.FAPService.1.FAPControl.LTE.Gateway.SecGWServer1",
        "Device.Services.FAPService.1.FAPControl.LTE.Gateway.SecGWServer2",
        "Device.Services.FAPService.1.FAPControl.LTE.Gateway.SecGWServer3",
    ];
    /// Whether somebody opened the box. (TR-196, M-09)
    pub const TAMPERED: &str = "Device.Services.FAPService.1.FAPControl.EnclosureTamperingDetected";
    /// Both images.
    pub const IMAGES: &str = "Device.DeviceInfo.FirmwareImage.";
    /// The row of the image that runs.
    pub const ACTIVE_IMAGE: &str = "Device.DeviceInfo.ActiveFirmwareImage";
    /// The row of the image that runs after the next boot.
    pub const BOOT_IMAGE: &str = "Device.DeviceInfo.BootFirmwareImage";
    /// The image's version.
    pub const SOFTWARE: &str = "Device.DeviceInfo.SoftwareVersion";
    /// What is counted, and where its files go. (N-01)
    pub const PERFORMANCE: &str = "Device.FAP.PerfMgmt.Config.";
    /// The radios.
    pub const SERVICES: &str = "Device.Services.FAPService.";
    /// The row of [`PERFORMANCE`] that a radio's counters go by, below its row of [`SERVICES`]. (N-04)
    pub const PM_CONFIG: &str = ".FAPControl.LTE.PMConfig";
    /// The broadcast networks.
    pub const PLMN_LIST: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.";
}
