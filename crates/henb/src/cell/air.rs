//! The air interface: off where the device's link, or its hosting party, does not allow it.

use std::time::Duration;

use tokio::time::Instant;

use super::Cell;
use crate::device::path;

impl Cell {
    /// Switches the air interface off, or lets it be on, by what the device says of its link.
    pub(super) fn mind_the_air(&mut self) {
        let (conditions, allowed) = (self.device.conditions(), self.allowed_link_loss());
        let is_silent = self.air.is_silent(conditions, allowed, Instant::now());
        self.device.silence(is_silent);
    }

    /// How long the operator lets the cell transmit without a link.
    pub(super) fn allowed_link_loss(&self) -> Duration {
        Duration::from_secs(self.device.value(path::LINK_LOSS_TIME).parse().unwrap_or(0))
    }
}
