//! Transfers that the cell has promised: made after the session, by certificate alone. (C-22, C-25, decision 10)
//!
//! ```text
//!   Download ─────────┐
//!   ScheduleDownload ─┼▶ response ─▶ session closes ─▶ its time ─▶ GET, install ─▶ 7 TRANSFER COMPLETE, M …
//!   Upload ───────────┘                                        └─▶ PUT ────────▶
//! ```
//!
//! A power cut in between makes the transfer again; what was installed and what is told of it are one save.

use std::time::Duration;

use cwmp::{AllQueuedTransferStruct, Download, EventCode, FaultCode, FaultStruct, ScheduleDownload, Upload};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::link::LinkError;

/// Most bytes of a file that is no image, and is held in memory: a configuration of thousands of values fits in.
pub(crate) const MOST_BYTES: usize = 1 << 20;

/// Most transfers that wait at a time: firmware, configuration, and as many once more.
pub(crate) const MOST_TRANSFERS: usize = 4;

/// How long after a failure a time window is used again.
const RETRY_WAIT: Duration = Duration::from_secs(60);

/// What the ACS asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Once, after a wait. (TR-069 A.3.2.8)
    Download(Download),
    /// In one of its time windows. (TR-069 A.4.1.8)
    ScheduleDownload(ScheduleDownload),
    /// From the cell to a server. (TR-069 A.4.1.5)
    Upload(Upload),
}

/// A time window, by the cell's clock. (C-26)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Not before this.
    pub start: Timestamp,
    /// Not begun after this.
    pub end: Timestamp,
    /// Retries that are left; below zero they are the cell's to count, which is until the end.
    pub retries: i32,
}

/// A transfer that waits for its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// What the ACS asked for.
    #[serde(flatten)]
    pub order: Order,
    /// When it may start, by the cell's clock.
    pub not_before: Timestamp,
    /// The windows that are left, the nearest first; none for a transfer that is tried once, whenever it may.
    #[serde(default)]
    pub windows: Vec<Window>,
}

impl Transfer {
    /// Says whether a file is what was announced; a size of zero announces nothing. (TR-069 A.3.2.8)
    pub(crate) fn check_size(&self, found: u64) -> Result<(), FaultStruct> {
        let announced = self.summary().file_size;
        if announced == 0 || u64::from(announced) == found {
            return Ok(());
        }
        let text = format!("{announced} bytes were announced, and the file has {found}");
        Err(fault(FaultCode::FILE_CORRUPTED, text))
    }

    /// What the lists of transfers say of it: it begins after the session in which they are asked for.
    pub(crate) fn summary(&self) -> AllQueuedTransferStruct {
        let (command_key, file_type, file_size, target_file_name) = match &self.order {
            Order::Download(call) => {
                (&call.command_key, &call.file_type, call.file_size, call.target_file_name.clone())
            }
            Order::ScheduleDownload(call) => {
                (&call.command_key, &call.file_type, call.file_size, call.target_file_name.clone())
            }
            Order::Upload(call) => (&call.command_key, &call.file_type, 0, cwmp::Text::new()),
        };
        AllQueuedTransferStruct {
            command_key: command_key.clone(),
            state: cwmp::TransferState::NotStarted,
            is_download: self.is_download(),
            file_type: file_type.clone(),
            file_size,
            target_file_name,
        }
    }

    pub(crate) fn is_download(&self) -> bool {
        !matches!(self.order, Order::Upload(_))
    }

    pub(crate) fn url(&self) -> &str {
        match &self.order {
            Order::Download(call) => &call.url,
            Order::ScheduleDownload(call) => &call.url,
            Order::Upload(call) => &call.url,
        }
    }

    /// The event that tells its end beside TRANSFER COMPLETE.
    pub(crate) fn event(&self) -> EventCode {
        match &self.order {
            Order::Download(_) => EventCode::M_DOWNLOAD,
            Order::ScheduleDownload(_) => EventCode::M_SCHEDULE_DOWNLOAD,
            Order::Upload(_) => EventCode::M_UPLOAD,
        }
    }

    /// Whether it may begin now: it waits for the next window where this one has passed. (C-26)
    ///
    /// # Errors
    /// The last window has passed.
    pub(crate) fn may_begin(&mut self, now: Timestamp) -> Result<bool, FaultStruct> {
        let had_windows = !self.windows.is_empty();
        self.windows.retain(|window| window.end > now);
        match self.windows.first() {
            Some(window) => self.not_before = self.not_before.max(window.start),
            None if had_windows => {
                return Err(fault(FaultCode::DOWNLOAD_WINDOW_MISSED, "every window has passed".to_owned()));
            }
            None => {}
        }
        Ok(self.not_before <= now)
    }

    /// Whether it will be tried once more after a failure, and then when.
    pub(crate) fn may_retry(&mut self, now: Timestamp) -> bool {
        let Some(window) = self.windows.first_mut() else { return false };
        let again = now.checked_add(RETRY_WAIT).unwrap_or(Timestamp::MAX);
        if window.retries == 0 || window.end <= again {
            self.windows.remove(0);
        } else if window.retries > 0 {
            window.retries -= 1;
        }
        let next = self.windows.first().map(|window| window.start.max(again));
        self.not_before = next.unwrap_or(self.not_before);
        next.is_some()
    }

    /// The cell's clock was moved by so much: what is waited for stays as far away as it was. (K-09)
    pub(crate) fn clock_moved(&mut self, by: SignedDuration) {
        let ends = self.windows.iter_mut().flat_map(|window| [&mut window.start, &mut window.end]);
        for at in ends.chain([&mut self.not_before]) {
            *at = at.checked_add(by).unwrap_or(Timestamp::MAX);
        }
    }

    /// What TransferComplete says of a transfer that failed on the way. (TR-069 A.5.1, C-24)
    pub(crate) fn link_fault(&self, error: &LinkError) -> FaultStruct {
        let code = match error {
            LinkError::Resolve { .. }
            | LinkError::Connect { .. }
            | LinkError::ConnectWait
            | LinkError::Tunnel { .. }
            | LinkError::NoTunnel => FaultCode::FILE_SERVER_UNREACHABLE,
            LinkError::Tls(_) | LinkError::SharedSecret(_) => FaultCode::TRANSFER_AUTHENTICATION_FAILURE,
            LinkError::Status(_) => FaultCode::FILE_ACCESS_FAILURE,
            _ if !self.is_download() => FaultCode::UPLOAD_FAILURE,
            LinkError::Http(_) | LinkError::ResponseWait | LinkError::TooLarge(_) => {
                FaultCode::DOWNLOAD_INCOMPLETE
            }
            LinkError::Redirect(_) | LinkError::Redirects => FaultCode::DOWNLOAD_FAILURE,
        };
        fault(code, error.to_string())
    }
}

/// A fault as TransferComplete carries it.
pub(crate) fn fault(code: FaultCode, text: String) -> FaultStruct {
    FaultStruct { fault_code: code, fault_string: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn scheduled(windows: &[(i64, i64, i32)]) -> Transfer {
        let call = serde_json::from_value(serde_json::json!({
            "CommandKey": "night", "FileType": "1 Firmware Upgrade Image", "URL": "https://files.example/x",
            "Username": "", "Password": "", "FileSize": 0, "TargetFileName": "", "TimeWindowList": [],
        }));
        let window = |(start, end, retries): &(i64, i64, i32)| Window {
            start: at(*start),
            end: at(*end),
            retries: *retries,
        };
        Transfer {
            order: Order::ScheduleDownload(call.unwrap()),
            not_before: at(windows[0].0),
            windows: windows.iter().map(window).collect(),
        }
    }

    #[test]
    fn c26_a_transfer_begins_in_a_window_and_not_between_them() {
        let mut transfer = scheduled(&[(100, 200, 0), (500, 600, 0)]);
        assert_eq!(transfer.may_begin(at(99)), Ok(false));
        assert_eq!(transfer.may_begin(at(100)), Ok(true));
        assert_eq!((transfer.may_begin(at(300)), transfer.not_before), (Ok(false), at(500)));
        assert_eq!(transfer.may_begin(at(599)), Ok(true));
        let missed = transfer.may_begin(at(600)).unwrap_err();
        assert_eq!(missed.fault_code, FaultCode::DOWNLOAD_WINDOW_MISSED);
    }

    #[test]
    fn c26_a_failure_is_retried_as_often_as_each_window_allows() {
        let mut transfer = scheduled(&[(100, 1000, 1), (5000, 5061, -1)]);
        assert_eq!((transfer.may_retry(at(100)), transfer.not_before), (true, at(160)));
        assert_eq!(
            (transfer.may_retry(at(160)), transfer.not_before),
            (true, at(5000)),
            "its retry is used up"
        );
        assert_eq!((transfer.may_retry(at(5000)), transfer.not_before), (true, at(5060)));
        assert!(!transfer.may_retry(at(5060)), "no room is left");
        assert!(!Transfer { windows: Vec::new(), ..transfer }.may_retry(at(0)), "a Download is tried once");
    }

    #[test]
    fn k09_a_clock_that_is_set_leaves_windows_as_far_away_as_they_were() {
        let mut transfer = scheduled(&[(100, 200, 0)]);
        transfer.clock_moved(SignedDuration::from_secs(1000));
        assert_eq!(transfer, scheduled(&[(1100, 1200, 0)]));
    }

    #[test]
    fn a_download_is_kept_as_earlier_versions_kept_it() {
        let kept = serde_json::json!({
            "download": {
                "CommandKey": "k", "FileType": "f", "URL": "https://files.example/x", "Username": "", "Password": "",
                "FileSize": 7, "TargetFileName": "t", "DelaySeconds": 0, "SuccessURL": "", "FailureURL": "",
            },
            "not_before": "2026-11-23T00:00:00Z",
        });
        let transfer: Transfer = serde_json::from_value(kept).unwrap();
        assert_eq!((transfer.event(), transfer.summary().file_size), (EventCode::M_DOWNLOAD, 7));
    }
}
