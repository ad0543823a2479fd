//! The way in for the first administrator: a link that works once, for a day, while there is no account.
//!
//! The deployment has one such link, whose hash is in the store; the node that made it prints it once and keeps it in
//! a file that only its owner can read. There is no password that everybody knows.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::{IpAddr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use jiff::{SignedDuration, Timestamp};

use super::secret;
use crate::{ServeError, store::Store};

/// How long the link works: a working day and the night before it.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// The file in the state folder.
const FILE: &str = "first-administrator.link";

/// Makes the link where nobody has an account and there is none yet; what is left of an old one goes.
///
/// # Errors
/// The store, the file, or no random numbers.
pub(crate) async fn link(
    store: &Store,
    state_dir: &Path,
    api: (bool, SocketAddr),
    now: Timestamp,
) -> Result<Option<String>, ServeError> {
    let file = state_dir.join(FILE);
    let (key, hash) = secret::key().map_err(|_| ServeError::Randomness)?;
    if !store.offer_first(hash, now, now + LIFETIME).await? {
        return Ok(None);
    }
    let scheme = if api.0 { "https" } else { "http" };
    // A fragment stays with whoever opens the link, and out of every log on the way.
    let host = if api.1.ip().is_unspecified() { "localhost".to_owned() } else { host(api.1.ip()) };
    let link = format!("{scheme}://{host}:{}/first-administrator#{key}", api.1.port());
    let state = |source| ServeError::State { path: file.clone(), source };
    if file.exists() {
        fs::remove_file(&file).map_err(state)?;
    }
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
    let written = opened.and_then(|mut opened| {
        opened.write_all(format!("{link}\n").as_bytes()).and_then(|()| opened.sync_all())
    });
    written.map_err(state)?;
    Ok(Some(link))
}

/// An address as a URL has it. (RFC 3986 3.2.2)
fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Removes the file of a link that was used.
pub(crate) fn forget(state_dir: &Path) {
    // The key in it opens nothing any more; another node may have made it.
    let _ = fs::remove_file(state_dir.join(FILE));
}
