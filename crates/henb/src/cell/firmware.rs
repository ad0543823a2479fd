//! The cell's two images between two messages: what the tree shows of them, what a boot does, and what is told. (W-05 to W-07)
//!
//! ```text
//!   installed ─saved─▶ started: 1 BOOT, 7 TRANSFER COMPLETE, M Download ─saved─▶ InformResponse: confirmed
//!                          └─ does not boot, nobody answers ─▶ the other image, an alarm, the same events with a fault
//! ```

use std::{path::PathBuf, time::Duration};

use cwmp::{
    AcsMethod, EventCode, FaultCode, FaultStruct, ParameterValueStruct, SetParameterValuesFault,
    TransferComplete,
};
use datamodel::Path;
use profile::FirmwareManifest;
use tokio::time::Instant;

use super::Cell;
use crate::{
    alarms::Alarm,
    config::FirmwareCare,
    device::{BootImage, path},
    firmware::{
        Event, Firmware, Product, Slot, Upgrade,
        store::{self, Stored},
    },
    transfer::{Transfer, fault},
};

/// The images of a cell, and how they are looked after.
#[derive(Debug)]
pub(crate) struct Images {
    pub(crate) state: Firmware,
    /// Where the files are.
    pub(crate) folder: PathBuf,
    /// How long the H(e)MS may be silent to an image on trial.
    pub(crate) trial: Duration,
    /// The largest image.
    pub(crate) most_bytes: u64,
}

impl Default for Images {
    fn default() -> Self {
        let FirmwareCare { trial, most_bytes, .. } = FirmwareCare::default();
        Self { state: Firmware::default(), folder: PathBuf::new(), trial, most_bytes }
    }
}

fn column(slot: Slot, name: &str) -> String {
    format!("{}{}.{name}", path::IMAGES, slot.number())
}

/// The row of an image, as a reference names it: without the last dot. (TR-106 A.2.3.4)
fn reference(slot: Slot) -> String {
    column(slot, "").trim_end_matches('.').to_owned()
}

fn referred(text: &str) -> Option<Slot> {
    Slot::ALL.into_iter().find(|slot| reference(*slot) == text.trim_end_matches('.'))
}

impl Cell {
    /// What was under way when the power went is not any more; an image on trial has had one chance more.
    pub(crate) fn images_after_power_on(&mut self) {
        let gives_up = self.images.state.powered_on();
        self.show_images();
        if gives_up {
            self.fall_back(
                FaultCode::DOWNLOAD_FAILURE,
                "the new image booted three times and reached nobody",
            );
        }
    }

    /// What the tree says of the images; another SoftwareVersion is news. (W-05, W-06)
    pub(super) fn show_images(&mut self) {
        for slot in Slot::ALL {
            for (name, value) in self.images.state.columns(slot) {
                self.device.put(&column(slot, name), &value);
            }
        }
        let (active, boot) = (self.images.state.active(), self.images.state.boot());
        self.device.put(path::ACTIVE_IMAGE, &reference(active));
        self.device.put(path::BOOT_IMAGE, &reference(boot));
        let version = self.images.state.image(active).version.clone();
        if self.device.value(path::SOFTWARE) != version {
            self.device.put(path::SOFTWARE, &version);
            self.changed.extend(Path::parse(path::SOFTWARE));
            self.agenda.raise(EventCode::VALUE_CHANGE, "");
        }
    }

    /// What the cell is, for the rules of a manifest.
    pub(crate) fn product(&self) -> Product {
        let fact = |name: &str| self.device.value(&format!("Device.DeviceInfo.{name}"));
        Product {
            oui: fact("ManufacturerOUI"),
            product_class: fact("ProductClass"),
            hardware_version: fact("HardwareVersion"),
            version: fact("SoftwareVersion"),
        }
    }

    /// The file of the image that the next download replaces.
    pub(crate) fn spare_file(&self) -> PathBuf {
        store::path(&self.images.folder, self.images.state.active().other())
    }

    /// From now on that file is written.
    pub(crate) fn download_begins(&mut self) {
        self.images.state.download_begins();
        self.show_images();
    }

    /// The download went on or failed.
    pub(crate) fn download_went(&mut self, event: Event, text: &str) {
        self.images.state.download_went(event, text);
        self.show_images();
    }

    /// The new image is whole on the disk: its transfer leaves the queue in the same save. (C-22)
    pub(crate) fn installed(&mut self, manifest: &FirmwareManifest, upgrade: Upgrade) {
        self.images.state.installed(manifest, upgrade);
        self.show_images();
    }

    /// What has to be on the disk before the image that is wanted may start; nothing where the right one runs.
    pub(crate) fn wanted_image(&self) -> Option<Stored> {
        self.images.state.wanted().map(|slot| self.stored_image(slot))
    }

    fn stored_image(&self, slot: Slot) -> Stored {
        Stored::of(&self.images.folder, slot, self.images.state.image(slot))
    }

    /// Notices that the storage lost an image, long before somebody wants to boot it. (W-06)
    pub(crate) fn look_for_images(&mut self) {
        for slot in Slot::ALL {
            let Err(text) = self.stored_image(slot).is_there() else { continue };
            tracing::warn!(image = slot.number(), "{text}");
            self.images.state.lost(slot, &text);
        }
        self.show_images();
    }

    fn boot_image(&self, slot: Slot) -> BootImage {
        let image = self.images.state.image(slot);
        let file = (!image.sha256.is_empty()).then(|| store::path(&self.images.folder, slot));
        BootImage { version: image.version.clone(), file }
    }

    /// Boots the wanted image, unless what is on the disk is another one.
    pub(crate) fn start_image(&mut self, on_disk: Result<(), String>) {
        let Some(slot) = self.images.state.wanted() else { return };
        if let Err(text) = on_disk {
            return self.fall_back(FaultCode::INTERNAL_ERROR, &text);
        }
        if let Err(error) = self.device.start_image(&self.boot_image(slot), self.now()) {
            return self.fall_back(FaultCode::DOWNLOAD_FAILURE, &error.to_string());
        }
        self.images.state.started();
        if let Some(mut upgrade) = self.images.state.upgrade.take() {
            upgrade.told = Some(self.tell(&upgrade.transfer, upgrade.started, FaultStruct::success()));
            self.images.state.upgrade = Some(upgrade);
        }
        self.rebooted();
    }

    fn rebooted(&mut self) {
        self.booted = Instant::now();
        self.agenda.raise(EventCode::BOOT, "");
        self.show_images();
    }

    /// The other image runs again, and whoever sent this one hears why. (W-07)
    pub(crate) fn fall_back(&mut self, code: FaultCode, why: &str) {
        self.images.state.gave_up(why);
        let image = self.boot_image(self.images.state.active());
        if let Err(error) = self.device.start_image(&image, self.now()) {
            tracing::error!(version = image.version, "the image to fall back to does not start: {error}");
        }
        if let Some(Upgrade { transfer, started, told }) = self.images.state.upgrade.take() {
            told.into_iter().for_each(|told| self.agenda.answered(&AcsMethod::TransferComplete(told)));
            self.tell(&transfer, started, fault(code, why.to_owned()));
        }
        self.raise(Alarm::FirmwareFallback, why);
        self.rebooted();
    }

    /// A H(e)MS that answers an Inform can reach the cell: the image is taken for good. (W-07)
    pub(super) fn confirm_image(&mut self) {
        if self.images.state.confirmed() {
            self.clear(Alarm::FirmwareFallback);
        }
    }

    /// How much longer an image on trial may wait for an answer; nothing where none is on trial.
    pub(super) fn trial_wait(&self) -> Option<Duration> {
        let is_on_trial = self.images.state.is_on_trial();
        is_on_trial.then(|| self.images.trial.saturating_sub(self.booted.elapsed()))
    }

    /// Ends a trial that got no answer; true where it did.
    pub(super) fn mind_the_trial(&mut self) -> bool {
        let is_over = self.trial_wait() == Some(Duration::ZERO);
        if is_over {
            let text = format!("no H(e)MS answered the new image within {:?}", self.images.trial);
            self.fall_back(FaultCode::DOWNLOAD_FAILURE, &text);
        }
        is_over
    }

    /// What an ACS may not say about the images: 9007 each. (TR-181)
    pub(crate) fn image_refusals(&self, list: &[ParameterValueStruct]) -> Vec<SetParameterValuesFault> {
        let images = &self.images.state;
        let value = |name: &str| list.iter().find(|entry| entry.name == name).map(|entry| &*entry.value.text);
        let is_available = |slot| {
            value(&column(slot, "Available"))
                .map_or_else(|| images.image(slot).available, |text| ["true", "1"].contains(&text))
        };
        let mut refusals = Vec::new();
        let mut refuse = |name: String, text: &'static str| {
            refusals.push(SetParameterValuesFault {
                parameter_name: name.into(),
                fault_code: FaultCode::INVALID_PARAMETER_VALUE,
                fault_string: text.into(),
            });
        };
        let boot = value(path::BOOT_IMAGE).map_or_else(|| Some(images.boot()), referred);
        let changes_boot = value(path::BOOT_IMAGE).is_some();
        if changes_boot && !boot.is_some_and(|slot| images.may_select(slot) && is_available(slot)) {
            refuse(
                path::BOOT_IMAGE.to_owned(),
                "the row of an image that can be booted and is Available is right",
            );
        }
        for slot in Slot::ALL.into_iter().filter(|slot| value(&column(*slot, "Available")).is_some()) {
            let is_needed = slot == images.active() || boot == Some(slot);
            match is_available(slot) {
                false if is_needed => {
                    refuse(column(slot, "Available"), "true is right: it runs, or is the one to boot");
                }
                true if !images.may_select(slot) => {
                    refuse(column(slot, "Available"), "false is right: there is no image that can be booted");
                }
                true | false => {}
            }
        }
        refusals
    }

    /// Takes over what an ACS said about the images.
    pub(crate) fn apply_image_settings(&mut self, list: &[ParameterValueStruct]) {
        let chosen = list.iter().rev().find(|entry| entry.name == path::BOOT_IMAGE);
        let chosen = chosen.and_then(|entry| referred(&entry.value.text));
        let available = Slot::ALL.map(|slot| self.device.value(&column(slot, "Available")) == "true");
        self.images.state.select(chosen, available);
        self.show_images();
    }

    /// Tells the end of a transfer in the next session. (TR-069 A.3.3.2, C-24)
    pub(super) fn tell(
        &mut self,
        transfer: &Transfer,
        started: jiff::Timestamp,
        outcome: FaultStruct,
    ) -> TransferComplete {
        let command_key = transfer.summary().command_key;
        let call = TransferComplete {
            command_key: command_key.clone(),
            fault_struct: outcome,
            start_time: started.into(),
            complete_time: self.now().into(),
        };
        self.agenda.queue(AcsMethod::TransferComplete(call.clone()));
        self.agenda.raise(EventCode::TRANSFER_COMPLETE, "");
        self.agenda.raise(transfer.event(), command_key);
        call
    }
}
