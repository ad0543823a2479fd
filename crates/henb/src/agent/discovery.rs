//! Looks at what DHCP offers, before each attempt of a cell that no H(e)MS has taken in. (D-11)

use super::{Agent, chain};
use crate::discovery;

impl Agent {
    pub(super) fn discover(&mut self) {
        let Some(path) = self.config.discovery.as_ref().filter(|_| self.cell.is_new()) else { return };
        let offered = discovery::read(path).unwrap_or_else(|error| {
            tracing::warn!("what DHCP offers is passed over: {}", chain(&error));
            None
        });
        self.cell.take_offer(offered);
    }
}
