//! Downloads that the cell has promised: fetched after the session, by certificate alone. (C-22, C-25, decision 10)
//!
//! ```text
//!   Download ─▶ response "later" ─▶ session closes ─▶ GET https ─▶ install ─▶ 7 TRANSFER COMPLETE, M Download
//! ```
//!
//! A power cut in between fetches the file again; what was installed and what is told of it are one save.

use bytes::Bytes;
use cwmp::{Download, FaultCode, FaultStruct};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::link::LinkError;

/// Most bytes of a file: an image of a small cell has a few tens of megabytes, and it is held in memory.
pub(crate) const MOST_BYTES: usize = 64 << 20;

/// Most downloads that wait at a time: firmware, configuration, and as many once more.
pub(crate) const MOST_TRANSFERS: usize = 4;

/// A download that waits for its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// What the ACS asked for.
    pub download: Download,
    /// When it may start, by the cell's clock.
    pub not_before: Timestamp,
}

impl Transfer {
    /// Says whether a file is what was announced; a size of zero announces nothing. (TR-069 A.3.2.8)
    pub(crate) fn check(&self, content: &Bytes) -> Result<(), FaultStruct> {
        let announced = self.download.file_size;
        if announced == 0 || u32::try_from(content.len()) == Ok(announced) {
            return Ok(());
        }
        let text = format!("{announced} bytes were announced and {} came", content.len());
        Err(fault(FaultCode::FILE_CORRUPTED, text))
    }
}

/// What TransferComplete says of a fetch that failed. (TR-069 A.5.1, C-24)
pub(crate) fn fetch_fault(error: &LinkError) -> FaultStruct {
    let code = match error {
        LinkError::Resolve { .. }
        | LinkError::Connect { .. }
        | LinkError::ConnectWait
        | LinkError::Tunnel { .. }
        | LinkError::NoTunnel => FaultCode::FILE_SERVER_UNREACHABLE,
        LinkError::Tls(_) | LinkError::SharedSecret(_) => FaultCode::TRANSFER_AUTHENTICATION_FAILURE,
        LinkError::Status(_) => FaultCode::FILE_ACCESS_FAILURE,
        LinkError::Http(_) | LinkError::ResponseWait | LinkError::TooLarge(_) => {
            FaultCode::DOWNLOAD_INCOMPLETE
        }
        LinkError::Redirect(_) | LinkError::Redirects => FaultCode::DOWNLOAD_FAILURE,
    };
    fault(code, error.to_string())
}

/// A fault as TransferComplete carries it.
pub(crate) fn fault(code: FaultCode, text: String) -> FaultStruct {
    FaultStruct { fault_code: code, fault_string: text.into() }
}
