//! Download and upload diagnostics: a file by the cell's own HTTP, with its certificate, as every other transfer.
//!
//! What comes is counted and thrown away. The times are those of the cell's own clock.

use bytes::Bytes;
use jiff::Timestamp;
use profile::{Clock, HemsUrl, RestoredClock};

use super::{Failure, MOST_DOWNLOAD, Outcome};
use crate::{
    agent::chain,
    link::{Link, LinkError, Way},
};

/// Fetches the file and counts its bytes.
pub(crate) async fn download(way: &Way, clock: &RestoredClock, url: HemsUrl) -> Result<Outcome, Failure> {
    let asked = clock.now();
    let mut stream = Link::new(way, url).open().await.map_err(|error| failure(&error))?;
    let begun = clock.now();
    let mut count: u64 = 0;
    while let Some(piece) = stream.next().await.map_err(|error| cut(&error))? {
        count = count.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if count > MOST_DOWNLOAD {
            return Err(Failure::TooLong);
        }
    }
    let mut values = times(asked, begun, clock.now());
    values.extend([("TestBytesReceived", count.to_string()), ("TotalBytesReceived", count.to_string())]);
    Ok(Outcome { values, ..Outcome::default() })
}

/// Sends a file of so many bytes.
pub(crate) async fn upload(
    way: &Way,
    clock: &RestoredClock,
    url: HemsUrl,
    bytes: usize,
) -> Result<Outcome, Failure> {
    let asked = clock.now();
    let mut link = Link::new(way, url);
    link.upload(Bytes::from(vec![0; bytes])).await.map_err(|error| failure(&error))?;
    let mut values = times(asked, asked, clock.now());
    values.push(("TotalBytesSent", bytes.to_string()));
    Ok(Outcome { values, ..Outcome::default() })
}

fn times(asked: Timestamp, begun: Timestamp, ended: Timestamp) -> Vec<(&'static str, String)> {
    // The model wants microseconds.
    let shown = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    vec![("ROMTime", shown(asked)), ("BOMTime", shown(begun)), ("EOMTime", shown(ended))]
}

fn cut(error: &LinkError) -> Failure {
    if matches!(error, LinkError::ResponseWait) { Failure::Timeout } else { failure(error) }
}

fn failure(error: &LinkError) -> Failure {
    let text = chain(error);
    match error {
        LinkError::Resolve { .. } => Failure::CannotResolve(text),
        LinkError::Connect { source, .. } if super::socket::is_no_route(source) => Failure::NoRoute(text),
        LinkError::Tunnel { .. } | LinkError::NoTunnel => Failure::NoRoute(text),
        LinkError::Connect { .. } | LinkError::ConnectWait | LinkError::Tls(_) => Failure::NoConnection(text),
        LinkError::ResponseWait => Failure::NoResponse,
        LinkError::SharedSecret(_) => Failure::Login,
        LinkError::Http(_)
        | LinkError::Status(_)
        | LinkError::Redirect(_)
        | LinkError::Redirects
        | LinkError::TooLarge(_) => Failure::Transfer(text),
    }
}
