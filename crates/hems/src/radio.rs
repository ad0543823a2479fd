//! Where a small cell's switches and lamps are: the parameter paths that the plan itself reasons about.
//!
//! Everything else that is desired comes from templates; these few are named because *in service* is defined by
//! them (decision 23), because the gate reads them, or because the list of devices shows them.

/// The one FAP service that this release configures.
pub(crate) const SERVICE: &str = "Device.Services.FAPService.1.";
/// Radio configuration: changed only while the cell is locked.
pub(crate) const CELL_CONFIG: &str = "Device.Services.FAPService.1.CellConfig.";
/// The object of the three switches and lamps below: they change together.
pub(crate) const CONTROL: &str = "Device.Services.FAPService.1.FAPControl.LTE.";
/// What the operator wants: transmit or not.
pub(crate) const ADMIN_STATE: &str = "Device.Services.FAPService.1.FAPControl.LTE.AdminState";
/// What the cell says of its service.
pub(crate) const OP_STATE: &str = "Device.Services.FAPService.1.FAPControl.LTE.OpState";
/// What the cell says of its transmitter.
pub(crate) const RF_TX_STATUS: &str = "Device.Services.FAPService.1.FAPControl.LTE.RFTxStatus";
/// The declared latitude, in millionths of a degree.
pub(crate) const LATITUDE: &str = "Device.FAP.GPS.LockedLatitude";
/// The declared longitude, in millionths of a degree.
pub(crate) const LONGITUDE: &str = "Device.FAP.GPS.LockedLongitude";
/// Who made it, as DeviceId says it too.
pub(crate) const MANUFACTURER: &str = "Device.DeviceInfo.Manufacturer";
/// The name on the box.
pub(crate) const MODEL_NAME: &str = "Device.DeviceInfo.ModelName";
/// The board, by which an image is chosen.
pub(crate) const HARDWARE: &str = "Device.DeviceInfo.HardwareVersion";
/// The running software.
pub(crate) const SOFTWARE: &str = "Device.DeviceInfo.SoftwareVersion";
/// The tracking area.
pub(crate) const TAC: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.TAC";
/// The physical cell identity.
pub(crate) const PCI: &str = "Device.Services.FAPService.1.CellConfig.LTE.RAN.RF.PhyCellID";
/// The table of networks that the cell announces.
pub(crate) const PLMN_LIST: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.";
/// Where a device finds its H(e)MS.
pub(crate) const MANAGEMENT_URL: &str = "Device.ManagementServer.URL";

/// Whether it calls by itself.
pub(crate) const PERIODIC_ENABLE: &str = "Device.ManagementServer.PeriodicInformEnable";
/// How often, in seconds.
pub(crate) const PERIODIC_INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";
/// Seconds since the cell's start.
pub(crate) const UP_TIME: &str = "Device.DeviceInfo.UpTime";
/// The OUI that the cell shows of itself, which DeviceId repeats. (I-05)
pub(crate) const OUI: &str = "Device.DeviceInfo.ManufacturerOUI";
/// The clock that the cell checks certificates with, as our own agent reports it. (decision 6)
pub(crate) const LOCAL_CLOCK: &str = "Device.Time.X_00005E_LocalClock";

/// What counts by itself: that it is another value each time is no change.
pub(crate) const RUNNING: [&str; 3] = [UP_TIME, LOCAL_CLOCK, "Device.Time.CurrentLocalTime"];

/// The three that say whether the cell is on the air; a boot makes them unknown again.
pub(crate) const SERVICE_STATES: [&str; 3] = [ADMIN_STATE, OP_STATE, RF_TX_STATUS];
