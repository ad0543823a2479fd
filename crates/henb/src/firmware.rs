//! The two images of a cell: which one runs, which one shall, and what became of the other. (TR-181, W-06, W-07)
//!
//! ```text
//!   NoImage, *Failed, Available ─▶ Downloading ─▶ Validating ─▶ Available ─boot─▶ Active ─the H(e)MS answers─▶ stays
//!                                      │              │            ▲                 │
//!                                      ▼              ▼            │ the other one   ▼
//!                               DownloadFailed  ValidationFailed   └─── again ◀─ ActivationFailed
//!                                               InstallationFailed      Available ─its file is lost─▶ NoImage
//! ```
//!
//! One rule: the image that runs is never written to. A new one is on trial from its first boot until the H(e)MS has
//! answered one of its Informs; a boot that fails, or a trial that ends without, brings the other one back.

mod rules;
pub(crate) mod store;
mod version;

use std::collections::BTreeSet;

use cwmp::TransferComplete;
use jiff::Timestamp;
use profile::FirmwareManifest;
use serde::{Deserialize, Serialize};

pub(crate) use rules::{Product, admit};

use crate::transfer::Transfer;

/// How often an image on trial may boot: one that cuts its own power is not tried for ever.
pub(crate) const MOST_TRIAL_BOOTS: u32 = 3;

/// The longest BootFailureLog.
const MOST_CHARACTERS: usize = 256;

macro_rules! statuses {
    ($( $(#[$doc:meta])* $name:ident )*) => {
        /// What is known of an image. (TR-181)
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        pub enum ImageStatus { $( $(#[$doc])* $name, )* }

        impl ImageStatus {
            /// All of them.
            pub const ALL: &[Self] = &[$( Self::$name ),*];

            /// As the data model spells it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => stringify!($name) ),* }
            }
        }
    };
}

statuses! {
    /// There is none.
    #[default]
    NoImage
    /// It runs.
    Active
    /// It is being fetched.
    Downloading
    /// It has come whole and is checked.
    Validating
    /// It can be booted.
    Available
    /// It did not come whole.
    DownloadFailed
    /// It is not what its manifest says.
    ValidationFailed
    /// The storage did not keep it.
    InstallationFailed
    /// It did not boot, or reached no H(e)MS.
    ActivationFailed
}

/// What happens to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    DownloadBegins,
    DownloadFails,
    Received,
    ValidationFails,
    InstallationFails,
    Installed,
    /// It boots.
    Starts,
    /// Another one boots.
    Rests,
    /// It does not boot, or is given up on trial.
    ActivationFails,
    /// Somebody wants it once more.
    Selected,
    /// The cell is switched on: what was under way is not any more.
    PowerOn,
    /// Its file is not there any more.
    Lost,
}

impl ImageStatus {
    /// The status after an event; nothing where the event changes nothing or cannot happen.
    pub(crate) const fn after(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Active, Event::DownloadBegins) => None,
            (_, Event::DownloadBegins) => Some(Self::Downloading),
            (Self::Downloading, Event::DownloadFails)
            | (Self::Downloading | Self::Validating, Event::PowerOn) => Some(Self::DownloadFailed),
            (Self::Downloading, Event::Received) => Some(Self::Validating),
            (Self::Validating, Event::ValidationFails) => Some(Self::ValidationFailed),
            (Self::Validating, Event::InstallationFails) => Some(Self::InstallationFailed),
            (Self::Validating, Event::Installed)
            | (Self::Active, Event::Rests)
            | (Self::ActivationFailed, Event::Selected) => Some(Self::Available),
            (Self::Available, Event::Starts) => Some(Self::Active),
            (Self::Available, Event::Lost) => Some(Self::NoImage),
            (Self::Available | Self::Active, Event::ActivationFails) => Some(Self::ActivationFailed),
            _ => None,
        }
    }

    /// Whether Name and Version say something. (TR-181)
    const fn has_image(self) -> bool {
        matches!(self, Self::Active | Self::Available | Self::InstallationFailed | Self::ActivationFailed)
    }

    /// Whether it may be wanted at the next boot.
    const fn is_bootable(self) -> bool {
        matches!(self, Self::Active | Self::Available | Self::ActivationFailed)
    }
}

/// One of the two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Slot {
    /// Row 1.
    #[default]
    First,
    /// Row 2.
    Second,
}

impl Slot {
    pub(crate) const ALL: [Self; 2] = [Self::First, Self::Second];

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// The row's instance number.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }
}

/// One image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// What is known of it.
    pub status: ImageStatus,
    /// Whether it may be booted at all; the H(e)MS can say no.
    pub available: bool,
    /// What it calls itself.
    pub version: String,
    /// Its bytes; none for the image from the factory, which has no file.
    pub size: u64,
    /// SHA-256 of them in hexadecimal.
    pub sha256: String,
    /// Why it did not boot.
    pub failure: String,
}

/// The Download that brought an image, until its end is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upgrade {
    /// What the ACS asked for.
    pub transfer: Transfer,
    /// When it began.
    pub started: Timestamp,
    /// The success that the first session will tell, until it is confirmed.
    pub told: Option<TransferComplete>,
}

/// Both images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Firmware {
    images: [Image; 2],
    active: Slot,
    boot: Slot,
    /// How often the active image has booted on trial; nothing once the H(e)MS answered it.
    trial: Option<u32>,
    /// What a trial, or a boot that is to come, still has to tell.
    pub(crate) upgrade: Option<Upgrade>,
    /// Keys that an image took the right to sign from.
    revoked: BTreeSet<String>,
}

impl Default for Firmware {
    /// The factory's image and room for another.
    fn default() -> Self {
        let factory = Image { status: ImageStatus::Active, available: true, ..Image::default() };
        Self {
            images: [factory, Image::default()],
            active: Slot::First,
            boot: Slot::First,
            trial: None,
            upgrade: None,
            revoked: BTreeSet::new(),
        }
    }
}

impl Firmware {
    /// The image in a place.
    #[must_use]
    pub const fn image(&self, slot: Slot) -> &Image {
        let [first, second] = &self.images;
        match slot {
            Slot::First => first,
            Slot::Second => second,
        }
    }

    const fn image_mut(&mut self, slot: Slot) -> &mut Image {
        let [first, second] = &mut self.images;
        match slot {
            Slot::First => first,
            Slot::Second => second,
        }
    }

    /// The image that runs.
    #[must_use]
    pub const fn active(&self) -> Slot {
        self.active
    }

    /// The image that runs after the next boot, where it can.
    #[must_use]
    pub const fn boot(&self) -> Slot {
        self.boot
    }

    /// Whether the active image still has to reach the H(e)MS.
    #[must_use]
    pub const fn is_on_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// Whether the end of a download of an image is not known yet.
    #[must_use]
    pub const fn has_upgrade(&self) -> bool {
        self.upgrade.is_some()
    }

    /// Keys that sign no more.
    pub(crate) const fn revoked(&self) -> &BTreeSet<String> {
        &self.revoked
    }

    /// Names the factory's image after what the device says of it.
    pub(crate) fn named(&mut self, version: &str) {
        let image = self.image_mut(self.active);
        if image.version.is_empty() {
            version.clone_into(&mut image.version);
        }
    }

    /// True where the event changes the status.
    fn happens(&mut self, slot: Slot, event: Event) -> bool {
        let image = self.image_mut(slot);
        let after = image.status.after(event);
        image.status = after.unwrap_or(image.status);
        after.is_some()
    }

    /// The image that does not run is replaced: what shall boot is what runs, until the new one is whole.
    pub(crate) fn download_begins(&mut self) -> Slot {
        let slot = self.active.other();
        self.happens(slot, Event::DownloadBegins);
        let status = self.image(slot).status;
        *self.image_mut(slot) = Image { status, ..Image::default() };
        self.boot = self.active;
        slot
    }

    /// The download went on, or failed; the text is for who looks later.
    pub(crate) fn download_went(&mut self, event: Event, text: &str) {
        let slot = self.active.other();
        if self.happens(slot, event) {
            self.image_mut(slot).failure = text.chars().take(MOST_CHARACTERS).collect();
        }
    }

    /// The new image is on the disk, whole, and is the one to boot.
    pub(crate) fn installed(&mut self, manifest: &FirmwareManifest, upgrade: Upgrade) {
        let slot = self.active.other();
        self.happens(slot, Event::Installed);
        *self.image_mut(slot) = Image {
            status: self.image(slot).status,
            available: true,
            version: manifest.version.clone(),
            size: manifest.size,
            sha256: manifest.sha256.to_ascii_lowercase(),
            failure: String::new(),
        };
        self.boot = slot;
        self.upgrade = Some(upgrade);
        self.revoked.extend(manifest.revokes.iter().cloned());
    }

    /// The image that is to boot and does not run.
    pub(crate) fn wanted(&self) -> Option<Slot> {
        let image = self.image(self.boot);
        let can_boot = image.available && image.status == ImageStatus::Available;
        (self.boot != self.active && can_boot).then_some(self.boot)
    }

    /// The wanted image runs, on trial.
    pub(crate) fn started(&mut self) {
        let Some(slot) = self.wanted() else { return };
        self.happens(self.active, Event::Rests);
        self.happens(slot, Event::Starts);
        self.image_mut(slot).failure.clear();
        (self.active, self.trial) = (slot, Some(1));
    }

    /// The wanted image, or the one on trial, is given up; what shall boot stays as it was said. (TR-181)
    pub(crate) fn gave_up(&mut self, why: &str) {
        let slot = self.wanted().unwrap_or(self.active);
        if self.trial.take().is_some() && slot == self.active {
            self.active = slot.other();
            self.happens(self.active, Event::Starts);
        }
        self.happens(slot, Event::ActivationFails);
        self.image_mut(slot).failure = why.chars().take(MOST_CHARACTERS).collect();
    }

    /// The H(e)MS answered the image on trial; true where there was one.
    pub(crate) fn confirmed(&mut self) -> bool {
        self.upgrade = self.upgrade.take().filter(|_| self.trial.is_none());
        self.trial.take().is_some()
    }

    /// The cell is switched on; true where the image on trial has had its chances.
    pub(crate) fn powered_on(&mut self) -> bool {
        for slot in Slot::ALL {
            self.happens(slot, Event::PowerOn);
        }
        self.trial = self.trial.map(|boots| boots.saturating_add(1));
        self.trial.is_some_and(|boots| boots > MOST_TRIAL_BOOTS)
    }

    /// The file of an image is not there any more: one that rests is none from here on.
    pub(crate) fn lost(&mut self, slot: Slot, why: &str) {
        if self.happens(slot, Event::Lost) {
            let failure = why.chars().take(MOST_CHARACTERS).collect();
            *self.image_mut(slot) = Image { failure, ..Image::default() };
        }
    }

    /// Whether an image can be wanted at the next boot.
    pub(crate) fn may_select(&self, slot: Slot) -> bool {
        self.image(slot).status.is_bootable()
    }

    /// Somebody says what shall boot, and what may.
    pub(crate) fn select(&mut self, boot: Option<Slot>, available: [bool; 2]) {
        for (slot, available) in Slot::ALL.into_iter().zip(available) {
            self.image_mut(slot).available = available;
        }
        if let Some(boot) = boot {
            self.happens(boot, Event::Selected);
            self.boot = boot;
        }
    }

    /// The columns of a row. (TR-181)
    pub(crate) fn columns(&self, slot: Slot) -> [(&'static str, String); 5] {
        let image = self.image(slot);
        let version = if image.status.has_image() { image.version.clone() } else { String::new() };
        [
            ("Name", version.clone()),
            ("Version", version),
            ("Available", image.available.to_string()),
            ("Status", image.status.name().to_owned()),
            ("BootFailureLog", image.failure.clone()),
        ]
    }
}

#[cfg(test)]
#[path = "firmware/tests.rs"]
mod tests;
