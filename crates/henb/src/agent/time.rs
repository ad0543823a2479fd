//! Asking for the time: servers inside the tunnel, one after another, never before anything else. (K-03, P-17)

use std::time::Duration;

use tokio::time::Instant;

use profile::{Source, TransportMode};

use super::Agent;
use crate::{device::path, ntp};

/// How often a clock that is known is compared.
const EVERY: Duration = Duration::from_secs(1024);

/// How often an unknown time is asked for; the standard wants 15 seconds in between at least. (RFC 4330 10)
const AGAIN: Duration = Duration::from_secs(64);

/// Device.Time has so many servers.
const SERVERS: usize = 5;

/// Whose turn it is, and when.
#[derive(Debug, Default)]
pub(super) struct Servers {
    asked: Option<(Instant, Duration)>,
    turn: usize,
}

impl Servers {
    /// How long until somebody is asked.
    pub(super) fn wait(&self) -> Duration {
        self.asked.map_or(EVERY, |(at, wait)| wait.saturating_sub(at.elapsed()))
    }

    fn is_due(&self) -> bool {
        self.asked.is_none_or(|(at, wait)| at.elapsed() >= wait)
    }
}

impl Agent {
    /// Asks one server where it is time for that; says whether somebody was asked.
    pub(super) async fn ask_the_time(&mut self) -> bool {
        let is_wanted = self.cell.device.value(path::TIME_ENABLE) == "true" && self.servers.is_due();
        // Outside of a tunnel anybody could answer: nobody is asked.
        let (true, true, Some(tunnel)) =
            (is_wanted, self.way.mode != TransportMode::Public, self.way.tunnel.as_ref())
        else {
            return false;
        };
        let names =
            (1..=SERVERS).map(|number| self.cell.device.value(&format!("{}{number}", path::NTP_SERVER)));
        let servers: Vec<_> = names.filter_map(|name| ntp::server(&name)).collect();
        let Some(server) = servers.get(self.servers.turn % servers.len().max(1)) else { return false };
        self.servers.turn = self.servers.turn.wrapping_add(1);
        match ntp::ask(*server, tunnel, self.cell.now()).await {
            Ok(time) => self.cell.hear_time(time, Source::TunnelNtp),
            Err(error) => {
                tracing::debug!(%server, %error, "no time from a server");
                self.clock.missed();
            }
        }
        let wait = if self.clock.synchronised() { EVERY } else { AGAIN };
        self.servers.asked = Some((Instant::now(), wait));
        true
    }
}
