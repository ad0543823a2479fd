//! What is said in a session, where somebody asked for it to be kept. See [`Recording`] for what is kept of it.
//!
//! One rule: a session that is not recorded pays for one look at an option.

use cwmp::{Role, Text};
use jiff::Timestamp;

use super::{Device, Outstanding, Session};
use crate::{
    Hems,
    recording::{Recording, Said, Side, is_secret},
};

impl Session {
    /// Keeps a message; `method` is the element in its body.
    pub(crate) fn record(
        &mut self,
        hems: &Hems,
        (role, at): (Role, Timestamp),
        method: Option<&str>,
        text: &Text,
    ) {
        let (Some(recording), Some(device)) = (&mut self.recording, &self.device) else { return };
        let is_call = |device: &Device| matches!(device.outstanding, Some(Outstanding::Call { .. }));
        let (from, is_operators) = match role {
            Role::Cpe => (Side::Device, false),
            Role::Acs => (Side::Hems, is_call(device)),
        };
        recording.add(&Said { at, from, method, is_operators, text }, &|name| device.hides(hems, name));
    }

    /// Keeps that something came which is no message.
    pub(crate) fn record_garbled(&mut self, hems: &Hems, kind: &str) {
        if let Some(recording) = &mut self.recording {
            recording.add_garbled(hems.now(), kind);
        }
    }
}

impl Device {
    /// A recording that begins with what is known now, where an order for it lasts.
    pub(super) fn recording(&self, hems: &Hems, ordered_until: Option<i64>) -> Option<Box<Recording>> {
        ordered_until.filter(|until| *until > hems.now().as_millisecond())?;
        Some(Box::new(Recording::begin(&self.known, &|name| self.hides(hems, name))))
    }

    /// Whether a name is a secret's, in the model's words or in the device's own.
    fn hides(&self, hems: &Hems, name: &str) -> bool {
        is_secret(&hems.model, name) || is_secret(&hems.model, &self.quirks.model_path(name))
    }
}
