//! Calls about transfers: each is promised here, listed, or given up; [`crate::transfer`] says what becomes of it.
//!
//! The cell agrees to what it can keep: a file type that it has, https and no password, a place in its queue, and for
//! a schedule windows in which nobody must be asked. (C-22 to C-27, TS 33.320 8.3.4)

use std::time::Duration;

use cwmp::{
    AllQueuedTransferStruct, CancelTransfer, CancelTransferResponse, DateTime, Download, DownloadResponse,
    Fault, FaultCode, GetAllQueuedTransfersResponse, GetQueuedTransfersResponse, QueuedTransferStruct,
    ScheduleDownload, ScheduleDownloadResponse, TimeWindowStruct, TransferState, TransferStatus, Upload,
    UploadResponse,
};
use jiff::Timestamp;
use profile::HemsUrl;

use crate::{
    cell::Cell,
    device::{
        CLOCK_CORRECTION, CONFIGURATION, CONFIGURATION_1, FIRMWARE, LOG, LOG_1, RESTORATION, TRUST_BUNDLE,
    },
    execute::check_key,
    transfer::{MOST_BYTES, MOST_TRANSFERS, Order, Transfer, Window},
};

/// The modes of a time window that need nobody's consent: a cell has no user, and between sessions it is idle. (C-26)
const MODES: [&str; 3] = ["1 At Any Time", "2 Immediately", "3 When Idle"];

/// The response says "later"; the file is fetched after the session. (C-22, decision 10)
pub(crate) fn download(cell: &mut Cell, call: Download) -> Result<DownloadResponse, Fault> {
    let not_before = after(cell, call.delay_seconds);
    promise(cell, Transfer { order: Order::Download(call), not_before, windows: Vec::new() })?;
    Ok(DownloadResponse {
        status: TransferStatus::Later,
        start_time: DateTime::UNKNOWN,
        complete_time: DateTime::UNKNOWN,
    })
}

/// The file is sent after the session. (TR-069 A.4.1.5)
pub(crate) fn upload(cell: &mut Cell, call: Upload) -> Result<UploadResponse, Fault> {
    let not_before = after(cell, call.delay_seconds);
    promise(cell, Transfer { order: Order::Upload(call), not_before, windows: Vec::new() })?;
    Ok(UploadResponse {
        status: TransferStatus::Later,
        start_time: DateTime::UNKNOWN,
        complete_time: DateTime::UNKNOWN,
    })
}

/// Windows count from this call. (TR-069 A.4.1.8, C-26)
pub(crate) fn schedule(cell: &mut Cell, call: ScheduleDownload) -> Result<ScheduleDownloadResponse, Fault> {
    let mut last = 0;
    for window in &call.time_window_list {
        check_window(window, last)?;
        last = window.window_end;
    }
    let open = |window: &TimeWindowStruct| Window {
        start: after(cell, window.window_start),
        end: after(cell, window.window_end),
        retries: window.max_retries,
    };
    let windows: Vec<Window> = call.time_window_list.iter().map(open).collect();
    let Some(first) = windows.first().filter(|_| windows.len() <= 2) else {
        return Err(Fault::new(FaultCode::INVALID_ARGUMENTS, "one or two time windows are right"));
    };
    promise(cell, Transfer { not_before: first.start, windows, order: Order::ScheduleDownload(call) })?;
    Ok(ScheduleDownloadResponse {})
}

fn check_window(window: &TimeWindowStruct, last: u32) -> Result<(), Fault> {
    if !MODES.contains(&&*window.window_mode) {
        let text = format!("the window's mode is none of: {}", MODES.join(", "));
        return Err(Fault::new(FaultCode::INVALID_ARGUMENTS, text));
    }
    if window.window_start < last || window.window_end <= window.window_start {
        let text = "a window ends after it starts, and the second starts after the first has ended";
        return Err(Fault::new(FaultCode::INVALID_ARGUMENTS, text));
    }
    Ok(())
}

/// The transfers that wait, without what they are. (TR-069 A.4.1.1)
pub(crate) fn queued(cell: &Cell) -> GetQueuedTransfersResponse {
    let one = |all: AllQueuedTransferStruct| QueuedTransferStruct {
        command_key: all.command_key,
        state: all.state,
    };
    GetQueuedTransfersResponse { transfer_list: summaries(cell).map(one).collect() }
}

/// The transfers that wait. (TR-069 A.4.1.7)
pub(crate) fn all_queued(cell: &Cell) -> GetAllQueuedTransfersResponse {
    GetAllQueuedTransfersResponse { transfer_list: summaries(cell).collect() }
}

/// What waits, and the image that is installed and whose end nobody knows yet: that one cannot be given up. (C-27)
fn summaries(cell: &Cell) -> impl Iterator<Item = AllQueuedTransferStruct> {
    let completed = cell.images.state.upgrade.iter().map(|upgrade| AllQueuedTransferStruct {
        state: TransferState::Completed,
        ..upgrade.transfer.summary()
    });
    completed.chain(cell.transfers.iter().map(Transfer::summary))
}

/// Every transfer with this key is given up and not told of; one that has ended stays so. (TR-069 A.4.1.9)
pub(crate) fn cancel(cell: &mut Cell, call: &CancelTransfer) -> Result<CancelTransferResponse, Fault> {
    let before = cell.transfers.len();
    cell.transfers.retain(|transfer| transfer.summary().command_key != call.command_key);
    if cell.transfers.len() < before {
        return Ok(CancelTransferResponse {});
    }
    Err(Fault::new(FaultCode::CANCEL_NOT_PERMITTED, "no transfer with this CommandKey waits here"))
}

fn after(cell: &Cell, seconds: u32) -> Timestamp {
    cell.now().checked_add(Duration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX)
}

/// Queues a transfer by its time, or says why not.
fn promise(cell: &mut Cell, transfer: Transfer) -> Result<(), Fault> {
    check(cell, &transfer)?;
    cell.queue_transfer(transfer);
    Ok(())
}

fn check(cell: &Cell, transfer: &Transfer) -> Result<(), Fault> {
    let summary = transfer.summary();
    check_key("CommandKey", &summary.command_key)?;
    let types = if summary.is_download {
        // What is signed, and the configuration, are the agent's business, whatever the device takes.
        let image = cell.device.starts_images().then_some(FIRMWARE);
        let own = image.into_iter().chain([RESTORATION, TRUST_BUNDLE, CLOCK_CORRECTION]);
        cell.device.file_types().iter().copied().chain(own).collect()
    } else {
        [cell.device.upload_types(), &[CONFIGURATION, CONFIGURATION_1, LOG, LOG_1]].concat()
    };
    if !types.contains(&&*summary.file_type) {
        let text = format!("the file type is none of: {}", types.join(", "));
        return Err(Fault::new(FaultCode::INVALID_ARGUMENTS, text));
    }
    let (username, password) = match &transfer.order {
        Order::Download(call) => (&call.username, &call.password),
        Order::ScheduleDownload(call) => (&call.username, &call.password),
        Order::Upload(call) => (&call.username, &call.password),
    };
    if !username.is_empty() || !password.is_empty() {
        let text = "Username and Password must be empty: certificates alone authenticate a transfer";
        return Err(Fault::new(FaultCode::INVALID_ARGUMENTS, text));
    }
    HemsUrl::parse(transfer.url(), cell.mode).map_err(|error| {
        Fault::new(FaultCode::UNSUPPORTED_PROTOCOL, format!("cannot use the URL: {error}"))
    })?;
    // What stands before an image is small.
    let image = if summary.file_type == FIRMWARE { cell.images.most_bytes } else { 0 };
    let most = image.saturating_add(u64::try_from(MOST_BYTES).unwrap_or(u64::MAX));
    if u64::from(summary.file_size) > most || cell.transfers.len() >= MOST_TRANSFERS {
        let text =
            format!("at most {MOST_TRANSFERS} transfers wait here, and such a file has at most {most} bytes");
        return Err(Fault::new(FaultCode::RESOURCES_EXCEEDED, text));
    }
    Ok(())
}
