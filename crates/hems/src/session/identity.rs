//! Whether the identity of a session may go on: admitted, undisputed, bound to what it says, and in one place.
//!
//! ```text
//!  unknown ─▶ quarantine      disputed ─▶ refused      another DeviceId ─▶ refused, and the claim is kept
//!  OUI not the EUI's ─▶ counted, or refused            at two places ─▶ suspected, or blocked
//! ```
//!
//! Whatever is refused here is a row among the refusals with the certificate's facts. (TS 33.320 8.3.4, P-20)

use cwmp::{EventCode, Fault, FaultCode, Inform};
use jiff::{SignedDuration, Timestamp};
use profile::{CertificateFacts, Identity, Reason, Refusal};

use super::{Outcome, Session};
use crate::{
    Hems, admission,
    admission::RosterError,
    blocks::{Kind, Rule},
    clones::{self, Sighting},
    radio, refusal,
    store::{Binding, BlockRow, Recalled, SightingRow, StoreError, Traces},
    template::Subject,
};

/// Characters kept of any text in a DeviceId. (H-27)
const TEXT_MAX: usize = 64;

/// What admission says of an identity.
pub(super) enum Standing {
    /// It is bound to a DeviceId, and this is remembered of it.
    Admitted(Subject, Box<Recalled>),
    /// These were admitted with the same DeviceId: nobody knows which it is.
    Disputed(Vec<String>),
    /// Nobody admitted it.
    Unknown,
}

/// Looks an identity up, in the roster too where it is unknown.
pub(super) async fn standing(hems: &Hems, identity: &Identity) -> Result<Standing, StoreError> {
    match known(hems, identity).await? {
        Standing::Unknown => {}
        standing @ (Standing::Admitted(..) | Standing::Disputed(_)) => return Ok(standing),
    }
    match hems.roster.refresh(&hems.store, hems.policies, hems.now()).await {
        Ok(true) => known(hems, identity).await,
        Ok(false) => Ok(Standing::Unknown),
        Err(RosterError::Store(error)) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "an unknown cell stays unknown");
            Ok(Standing::Unknown)
        }
    }
}

/// What is remembered, once no other session changes it: one that hangs, here or on another node, is over.
async fn recall(hems: &Hems, identity: &Identity) -> Result<Option<Recalled>, StoreError> {
    let recalled = hems.store.recall(identity.as_str()).await?;
    if !recalled.as_ref().is_some_and(|recalled| recalled.is_held) {
        return Ok(recalled);
    }
    hems.store.take_over(identity.to_string(), hems.now()).await?;
    hems.store.recall(identity.as_str()).await
}

async fn known(hems: &Hems, identity: &Identity) -> Result<Standing, StoreError> {
    let Some(recalled) = recall(hems, identity).await? else { return Ok(Standing::Unknown) };
    let row = &recalled.row;
    if row.is_disputed {
        return Ok(Standing::Disputed(hems.store.rivals(identity.as_str()).await?));
    }
    let Some(binding) = row.binding() else { return Ok(Standing::Unknown) };
    let has_served = row.in_service_at.is_some();
    let subject = Subject { identity: identity.clone(), binding, place: row.place()?, has_served };
    Ok(Standing::Admitted(subject, Box::new(recalled)))
}

impl Session {
    /// Why an admitted identity gets no session, if so; what is odd and harmless is counted.
    pub(super) async fn objection(
        &mut self,
        hems: &Hems,
        binding: &Binding,
        before: &[SightingRow],
        inform: &Inform,
    ) -> Result<Option<Fault>, StoreError> {
        if !is_bound(binding, inform) {
            return Ok(Some(self.mismatch(hems, binding, inform).await?));
        }
        let odd = admission::odd_oui(&self.caller.peer.identity, inform);
        odd.iter().for_each(|kind| self.forgave(kind));
        if hems.policies.refuses_other_oui && odd.contains(&"oui_mismatch") {
            let detail = format!("the Inform says {}", disarmed(&inform.device_id.oui));
            return Ok(Some(self.turn_away(hems, Outcome::OuiMismatch, Reason::OuiMismatch, &detail)));
        }
        self.look_for_clone(hems, before, inform).await
    }

    /// Two identities with one DeviceId: neither is believed. (decision 7)
    pub(super) fn disputed(&mut self, hems: &Hems, rivals: &[String]) -> Fault {
        let detail = format!("has the DeviceId of {} too", rivals.join(", "));
        self.turn_away(hems, Outcome::Disputed, Reason::DeviceIdClaimedTwice, &detail)
    }

    /// The certificate says who it is; an Inform that says otherwise ends the session. (TS 33.320 8.3.4, P-20)
    async fn mismatch(
        &mut self,
        hems: &Hems,
        binding: &Binding,
        inform: &Inform,
    ) -> Result<Fault, StoreError> {
        self.misbehaved("device_id_mismatch");
        let claimed = claim(inform);
        let peer = &self.caller.peer;
        tracing::warn!(device = %peer.identity, "the Inform names another device than the certificate");
        let fingerprint =
            peer.certificate().map_or_else(String::new, |facts| facts.fingerprint_sha256.clone());
        let identity = peer.identity.to_string();
        hems.store.note_claim(identity, claimed.clone(), fingerprint, hems.now()).await?;
        let detail = format!("the certificate is bound to {binding}, the Inform says {claimed}");
        Ok(self.turn_away(hems, Outcome::DeviceIdMismatch, Reason::DeviceIdMismatch, &detail))
    }

    /// One identity at two places is suspected, and blocked where the operator wants that. (decision 7)
    async fn look_for_clone(
        &mut self,
        hems: &Hems,
        before: &[SightingRow],
        inform: &Inform,
    ) -> Result<Option<Fault>, StoreError> {
        let identity = self.caller.peer.identity.clone();
        let before: Vec<Sighting> = before.iter().map(sighting).collect();
        let Some(suspicion) = clones::suspect(&self.sighting(hems, inform), &before) else { return Ok(None) };
        let (kind, detail) = (suspicion.kind, suspicion.detail);
        tracing::warn!(device = %identity, kind, detail, "one identity seems to be two cells");
        hems.store.suspect(identity.to_string(), kind, detail.clone(), hems.now()).await?;
        if !hems.policies.blocks_clones {
            return Ok(None);
        }
        if let Ok(rule) = Rule::parse(Kind::Identity, identity.as_str()) {
            let reason = format!("{kind}: {detail}");
            hems.store.block(BlockRow::new(&rule, &reason, "admission.clones", hems.now())).await?;
            hems.blocks.refresh(&hems.store).await?;
        }
        Ok(Some(self.turn_away(hems, Outcome::CloneSuspected, Reason::CloneSuspected, &detail)))
    }

    fn sighting(&self, hems: &Hems, inform: &Inform) -> Sighting {
        let booted = [EventCode::BOOT, EventCode::BOOTSTRAP];
        Sighting {
            at: hems.now(),
            replaced_at: None,
            network: refusal::network(self.caller.address.ip()),
            clock: cell_clock(inform),
            up_time: up_time(inform).map(SignedDuration::from_secs),
            is_boot: inform.event.iter().any(|event| booted.contains(&event.event_code)),
        }
    }

    /// Ends the session with a refusal that an operator sees.
    fn turn_away(&mut self, hems: &Hems, outcome: Outcome, reason: Reason, detail: &str) -> Fault {
        self.outcome = outcome;
        self.refuse(hems, reason, detail);
        Fault::from(FaultCode::ACS_REQUEST_DENIED)
    }

    pub(super) fn refuse(&self, hems: &Hems, reason: Reason, detail: &str) {
        let peer = &self.caller.peer;
        let detail = format!("{} {detail}", peer.identity);
        let refusal = Refusal::new(reason, detail).about(peer.certificate().cloned());
        hems.ledger.note(&refusal, self.caller.address.ip());
    }

    /// What the session leaves as evidence of who it was with.
    pub(super) fn traces(&self, inform: &Inform) -> Traces {
        let peer = &self.caller.peer;
        let link = |facts: &CertificateFacts| serde_json::json!({"subject": facts.subject, "sha256": facts.fingerprint_sha256});
        let chain: serde_json::Value = peer.chain().iter().map(link).collect();
        let outside = peer.tls.as_ref().map_or(&[][..], |tls| &tls.evidence.outside_profile);
        Traces {
            anchor: peer.tls.as_ref().map_or_else(String::new, |tls| tls.anchor.clone()),
            chain: chain.to_string(),
            certificate: peer
                .certificate()
                .and_then(|facts| serde_json::to_string(facts).ok())
                .unwrap_or_default(),
            outside_profile: serde_json::to_string(outside).unwrap_or_default(),
            cell_clock: cell_clock(inform),
            up_time: up_time(inform),
        }
    }
}

/// The OUI is compared without regard to case, as the field writes it both ways.
fn is_bound(binding: &Binding, inform: &Inform) -> bool {
    let claimed = &inform.device_id;
    binding.oui.eq_ignore_ascii_case(&claimed.oui)
        && *binding.product_class == *claimed.product_class
        && *binding.serial == *claimed.serial_number
}

/// What an Inform says of its sender; nothing of it is believed.
pub(super) fn claim(inform: &Inform) -> Binding {
    Binding {
        oui: disarmed(&inform.device_id.oui),
        product_class: disarmed(&inform.device_id.product_class),
        serial: disarmed(&inform.device_id.serial_number),
    }
}

fn disarmed(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

fn told<'i>(inform: &'i Inform, path: &str) -> Option<&'i str> {
    let parameter = inform.parameter_list.iter().find(|parameter| parameter.name == path);
    parameter.map(|parameter| &*parameter.value.text)
}

/// The clock that the cell checks certificates with; a foreign cell's is its time of day, where it knows that.
fn cell_clock(inform: &Inform) -> Option<Timestamp> {
    let reported =
        told(inform, radio::LOCAL_CLOCK).and_then(|text| cwmp::DateTime(text.to_owned().into()).timestamp());
    reported.or_else(|| inform.current_time.timestamp())
}

/// Seconds since the cell's start; before it knows the time of day its CurrentTime says so too. (TR-106 3.2)
fn up_time(inform: &Inform) -> Option<i64> {
    let reported = told(inform, radio::UP_TIME).and_then(|text| text.parse::<u32>().ok());
    let relative = || u32::try_from(inform.current_time.since_boot()?.as_secs()).ok();
    reported.or_else(relative).filter(|seconds| *seconds > 0).map(i64::from)
}

/// What an earlier session showed.
fn sighting(row: &SightingRow) -> Sighting {
    let at = crate::store::at;
    let address: Option<std::net::SocketAddr> = row.peer.parse().ok();
    Sighting {
        at: at(row.started_at),
        replaced_at: row.ended_at.filter(|_| row.outcome.as_deref() == Some("replaced")).map(at),
        network: address.map(|address| refusal::network(address.ip())).unwrap_or_default(),
        clock: row.cell_clock.map(at),
        up_time: row.up_time.map(SignedDuration::from_secs),
        is_boot: ["\"0 BOOTSTRAP\"", "\"1 BOOT\""].iter().any(|event| row.events.contains(event)),
    }
}
