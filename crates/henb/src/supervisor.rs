//! What systemd hears of the daemon: ready, alive, ending. (sd_notify(3))
//!
//! One rule: it is said in the one task that drives the cell, so that a cell that is stuck falls silent and is started
//! again. A supervisor that reads nothing is not waited for. A device may block that task for 25 s: the unit's `WatchdogSec` is more than three times as much. Without
//! systemd nothing is said.

use std::{
    convert::Infallible,
    io,
    os::unix::{fs::MetadataExt, net::UnixDatagram},
    path::Path,
    time::Duration,
};

use sd_notify::NotifyState;

/// How long to wait where there is no watchdog: for ever, in effect.
const NEVER: Duration = Duration::from_secs(1 << 30);

/// Says that the cell is on, and from then on that it lives.
pub(crate) async fn keep_informed() -> Infallible {
    say(NotifyState::Ready);
    let every = sd_notify::watchdog_enabled().map_or(NEVER, |limit| limit / 3);
    loop {
        tokio::time::sleep(every).await;
        say(NotifyState::Watchdog);
    }
}

/// Says that the end was asked for.
pub(crate) fn ends() {
    say(NotifyState::Stopping);
}

fn say(state: NotifyState<'_>) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(Path::new(&socket), &format!("{state}\n")) {
        tracing::warn!(%error, "systemd does not hear the daemon");
    }
}

/// The library would wait for a supervisor that reads no more, and the cell with it.
fn send(socket: &Path, text: &str) -> io::Result<()> {
    let ours = UnixDatagram::unbound()?;
    ours.set_nonblocking(true)?;
    ours.send_to(text.as_bytes(), socket).map(drop)
}

/// Whether stderr ends in the journal. (systemd.exec(5), `JOURNAL_STREAM`)
pub(crate) fn has_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let stderr = Path::new("/proc/self/fd/2").metadata();
    stderr.is_ok_and(|stderr| format!("{}:{}", stderr.dev(), stderr.ino()) == stream)
}
