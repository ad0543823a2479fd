//! Another software for a device: looked for when it informs, fetched when its plan has nothing else to do, and judged by
//! what it reports.

use std::sync::Arc;

use cwmp::{CpeMethod, Fault, FaultCode, TransferComplete};

use super::Device;
use crate::{
    Hems, call,
    files::{self, Kind},
    hex,
    plan::Image,
    software::{self, Standing},
    store::{CallRow, FaultRow, NewCall, NewUrl, Progress, StoreError},
};

/// Bytes of randomness in a CommandKey.
const KEY_BYTES: usize = 8;

/// The Download, the URL that it names, and the CommandKey for it.
type Offer = (CpeMethod, NewUrl, String);

impl Device {
    /// Whether another software shall run than the one that does.
    pub(super) fn awaits_software(&self) -> bool {
        self.desired.as_ref().is_ok_and(|desired| desired.other_software(&self.known).is_some())
    }

    /// Finds the image of the software that shall run, unless it is being fetched; what led to nothing has failed.
    pub(super) async fn prepare_software(&mut self, hems: &Hems) -> Result<(), StoreError> {
        let Ok(desired) = &mut self.desired else { return Ok(()) };
        let whose = (self.subject.identity.as_str(), &self.subject.binding);
        let standing = software::standing(&hems.store, whose, (desired, &self.known), hems.now()).await?;
        match standing {
            None | Some(Standing::UnderWay) => {}
            Some(Standing::Ready(image)) => drop(Arc::make_mut(desired).set_image(Some(image))),
            Some(Standing::Absent(deed, why)) => {
                tracing::warn!(device = %self.subject.identity, why, "no image");
                self.faults.push(FaultRow::of_ours(deed.deed(), why, hems.now()));
            }
            Some(Standing::Failed(call, deed, why)) => {
                let text = serde_json::Value::from(why.as_str()).to_string();
                // It says more than that nobody reported it.
                self.progress.retain(|(id, _)| *id != call);
                self.progress.push((call, Progress::Failed(text)));
                self.fail(hems, &[deed], &Fault::new(FaultCode(0), why));
            }
        }
        Ok(())
    }

    /// Queues the Download of the image, once in a session, and sends it.
    pub(super) async fn fetch(
        &mut self,
        hems: &Hems,
        session: i64,
        version: &str,
    ) -> Result<Option<CpeMethod>, StoreError> {
        let Some(image) =
            self.desired.as_mut().ok().and_then(|desired| Arc::make_mut(desired).set_image(None))
        else {
            return Ok(None);
        };
        let Some(offer) = offered(hems, &image) else {
            tracing::error!("the system gives no random numbers: no image is offered");
            return Ok(None);
        };
        let queued = hems.store.queue_call(self.asked(hems, offer, (&image, version))).await?;
        if let Err(error) = queued {
            tracing::warn!(device = %self.subject.identity, %error, "the Download of its software is not queued");
            return Ok(None);
        }
        match hems.store.latest_fetch(self.subject.identity.as_str()).await? {
            Some(row) => self.send_call(hems, session, &row).await,
            None => Ok(None),
        }
    }

    fn asked(&self, hems: &Hems, (mut method, url, key): Offer, (image, version): (&Image, &str)) -> NewCall {
        if let Some(place) = call::command_key(&mut method) {
            *place = key.clone().into();
        }
        NewCall {
            identity: self.subject.identity.to_string(),
            method: method.name().to_owned(),
            command_key: key,
            body: serde_json::to_string(&method).unwrap_or_default(),
            author: software::AUTHOR.to_owned(),
            action: Some(software::action(image, version)),
            url: Some(url),
            key: None,
            // The change that wants it was released within the budget.
            spends: None,
            wakes: false,
            at: hems.now(),
        }
    }

    /// A transfer of the plan's own that failed is a fault of the device.
    pub(super) fn transferred(
        &mut self,
        hems: &Hems,
        calls: &[CallRow],
        progress: &[(i64, Progress)],
        complete: &TransferComplete,
    ) {
        let has_failed = |call: &&CallRow| {
            progress.iter().any(|(id, progress)| *id == call.id && matches!(progress, Progress::Failed(_)))
        };
        let deeds: Vec<_> = calls.iter().filter(has_failed).filter_map(software::deed).collect();
        let told = &complete.fault_struct;
        self.fail(hems, &deeds, &Fault::new(told.fault_code, told.fault_string.to_string()));
    }
}

/// Nothing where the system has no randomness.
fn offered(hems: &Hems, image: &Image) -> Option<Offer> {
    let kind = Kind::Firmware;
    let url = files::new_url(hems, "GET", kind, Some(image.file)).ok()?;
    let method =
        files::download(kind.to_download()?, files::url(&hems.url, &url.token), (&image.name, image.size));
    Some((method, url, hex::random::<KEY_BYTES>()?))
}
