//! What a device calls: see [`OFFERED`]. What must be durable is, before the answer leaves.
//!
//! An Inform says who calls (its DeviceId must be the one bound to the TLS identity), why (events), and some values.
//! Events make known things unknown: what a boot may have changed, or everything.

use std::sync::Arc;

use cwmp::{
    AcsMethod, AcsResponse, AutonomousTransferCompleteResponse, EventCode, Fault, FaultCode,
    GetRPCMethodsResponse, Inform, InformResponse, Quirks, RequestDownloadResponse, TransferComplete,
    TransferCompleteResponse,
};
use profile::Reason;

use jiff::Timestamp;

use super::{
    Device, Outcome, Session, SessionError, Stored,
    identity::{self, Standing, claim},
    software,
};
use crate::{
    Hems, call, desire,
    plan::{self, Known},
    quirk, radio,
    recording::Recording,
    store::{
        Binding, CallRow, DeviceRow, FaultRow, Lesson, Opening, Recalled, Remembered, StoreError, TlsFacts,
    },
    template::Subject,
};

/// Events of one Inform that are kept. (TR-069 A.3.3.1, H-27)
const EVENTS_MAX: usize = 64;
/// Characters kept of any text in an event or a DeviceId. (H-27)
const TEXT_MAX: usize = 64;
/// Characters kept of one report as JSON: eight times what the schema's lengths allow. (H-27)
const REPORT_CHARS_MAX: usize = 32 * 1024;

/// The methods that this ACS offers, as GetRPCMethods names them. (S-01)
const OFFERED: &[&str] =
    &["Inform", "GetRPCMethods", "TransferComplete", "AutonomousTransferComplete", "RequestDownload"];

type Answer = Result<AcsResponse, Fault>;

impl Session {
    /// Answers a call of the device.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not offered has the standard's fault")]
    pub(super) async fn hear(&mut self, hems: &Hems, call: AcsMethod) -> Result<Answer, SessionError> {
        match call {
            AcsMethod::Inform(inform) => self.hear_inform(hems, inform).await,
            AcsMethod::TransferComplete(complete) => self.hear_transfer_complete(hems, complete).await,
            AcsMethod::GetRPCMethods(_) if self.device.is_some() => {
                let method_list = OFFERED.iter().map(|name| cwmp::Text::from_static(name)).collect();
                Ok(Ok(AcsResponse::GetRPCMethods(GetRPCMethodsResponse { method_list })))
            }
            AcsMethod::GetRPCMethods(_) => Ok(Err(denied())),
            AcsMethod::AutonomousTransferComplete(_) => {
                let response = AutonomousTransferCompleteResponse {};
                self.hear_report(hems, &call, AcsResponse::AutonomousTransferComplete(response)).await
            }
            AcsMethod::RequestDownload(_) => {
                let response = RequestDownloadResponse {};
                self.hear_report(hems, &call, AcsResponse::RequestDownload(response)).await
            }
            other => {
                let text = format!("this ACS does not offer {}", other.name());
                Ok(Err(Fault::new(FaultCode::ACS_METHOD_NOT_SUPPORTED, text)))
            }
        }
    }

    async fn hear_inform(&mut self, hems: &Hems, inform: Inform) -> Result<Answer, SessionError> {
        inform.event.iter().take(EVENTS_MAX).for_each(|event| hems.metrics.informed(&event.event_code));
        let identity = self.caller.peer.identity.clone();
        let (subject, recalled) = match identity::standing(hems, &identity).await? {
            Standing::Admitted(subject, recalled) => (subject, recalled),
            Standing::Disputed(rivals) => return Ok(Err(self.disputed(hems, &rivals))),
            Standing::Unknown => return self.quarantine(hems, &inform).await,
        };
        if let Some(fault) = self.objection(hems, &subject.binding, &recalled.sightings, &inform).await? {
            return Ok(Err(fault));
        }
        let Informed { device, lesson, stored, recording, is_bootstrap } =
            Device::informed(hems, subject, *recalled, &inform).await?;
        if let Some(version) = device.quirks.speaks() {
            self.protocol.speak(version);
        }
        let (lesson, stored) = (Some(lesson), Some(Box::new(stored)));
        let opening = Opening { is_bootstrap, lesson, stored, ..self.opening(hems, &inform) };
        self.number = Some(hems.store.open_session(opening).await?);
        self.device = Some(device);
        self.recording = recording;
        tracing::info!(device = %self.caller.peer.identity, events = inform.event.len(), "session opened");
        Ok(Ok(AcsResponse::Inform(InformResponse { max_envelopes: 1 })))
    }

    /// A cell that nobody admitted is seen, and nothing else. (S-11)
    async fn quarantine(&mut self, hems: &Hems, inform: &Inform) -> Result<Answer, SessionError> {
        self.outcome = Outcome::Quarantined;
        let claimed = Some(serde_json::to_string(&claim(inform)).unwrap_or_default());
        let opening = Opening { claimed, ..self.opening(hems, inform) };
        self.number = Some(hems.store.open_session(opening).await?);
        self.refuse(hems, Reason::UnknownIdentity, "");
        Ok(Ok(AcsResponse::Inform(InformResponse { max_envelopes: 1 })))
    }

    async fn hear_transfer_complete(
        &mut self,
        hems: &Hems,
        complete: TransferComplete,
    ) -> Result<Answer, SessionError> {
        if self.device.is_none() {
            return Ok(Err(denied()));
        }
        let calls = hems.store.open_calls(self.caller.peer.identity.as_str()).await?;
        let progress = call::transferred(&calls, &complete);
        self.device.iter_mut().for_each(|device| device.transferred(hems, &calls, &progress, &complete));
        if progress.is_empty() {
            tracing::info!(device = %self.caller.peer.identity, "a transfer that nobody here asked for is complete");
        } else {
            hems.store.advance_calls(self.number.unwrap_or_default(), progress, hems.now()).await?;
        }
        Ok(Ok(AcsResponse::TransferComplete(TransferCompleteResponse {})))
    }

    /// What a device tells of its own accord is for the operator; whether a Download follows is not its to decide.
    async fn hear_report(
        &self,
        hems: &Hems,
        call: &AcsMethod,
        response: AcsResponse,
    ) -> Result<Answer, SessionError> {
        if self.device.is_none() {
            return Ok(Err(denied()));
        }
        if serde_json::to_string(call).unwrap_or_default().len() > REPORT_CHARS_MAX {
            return Ok(Err(Fault::from(FaultCode::ACS_RESOURCES_EXCEEDED)));
        }
        let whose = (self.caller.peer.identity.to_string(), self.number.unwrap_or_default());
        hems.store.report(whose, call, hems.now()).await?;
        Ok(Ok(response))
    }

    /// What is durable of any Inform.
    fn opening(&self, hems: &Hems, inform: &Inform) -> Opening {
        let peer = &self.caller.peer;
        Opening {
            identity: peer.identity.to_string(),
            at: hems.now(),
            tls: peer.tls.as_ref().map(|tls| TlsFacts {
                version: tls.evidence.tls_version.to_owned(),
                suite: tls.evidence.suite.to_owned(),
                resumed: tls.evidence.resumed,
                fingerprint: tls.evidence.certificate.fingerprint_sha256.clone(),
                not_after: tls.evidence.certificate.not_after,
            }),
            voucher: peer.tunnel.as_ref().map(|tunnel| tunnel.source),
            ike_sa: peer.tunnel.as_ref().and_then(|tunnel| tunnel.ike_sa.clone()),
            peer: self.caller.address.to_string(),
            events: events(inform),
            is_bootstrap: false,
            claimed: None,
            stored: None,
            lesson: None,
            traces: self.traces(inform),
        }
    }
}

/// A device whose Inform was taken up and is about to be made durable.
struct Informed {
    device: Device,
    lesson: Lesson,
    /// Its row as it stands.
    stored: DeviceRow,
    recording: Option<Box<Recording>>,
    is_bootstrap: bool,
}

impl Device {
    async fn informed(
        hems: &Hems,
        subject: Subject,
        recalled: Recalled,
        inform: &Inform,
    ) -> Result<Informed, StoreError> {
        let now = hems.now();
        let Recalled { row, remembered, calls, wishes, recorded_until, .. } = recalled;
        let identity = subject.identity.as_str();
        let has = |code: &EventCode| inform.event.iter().any(|event| event.event_code == *code);
        let is_bootstrap = has(&EventCode::BOOTSTRAP);
        let is_boot = is_bootstrap || has(&EventCode::BOOT);
        let stored = Stored::of(&row, &remembered);
        let (failed, mut known) = recall(remembered, is_bootstrap, is_boot);
        let rules = (&hems.changes, &hems.model);
        let served = subject.has_served && !is_bootstrap;
        let wish = desire::draw(&hems.store, &subject, (wishes, served), rules, now).await?;
        let calls = if wish.is_asked { hems.store.open_calls(identity).await? } else { calls };
        if wish.is_shut {
            // That it is off the air is believed when this session shows it.
            radio::SERVICE_STATES.into_iter().for_each(|path| known.forget(path));
        }
        let quirks = learn(&mut known, inform, &subject.binding, hems);
        // An emergency waits for nothing.
        let failed = if wish.is_shut { Vec::new() } else { failed };
        let moment = (software(&known), is_boot, now.as_millisecond());
        let spared = FaultRow::spared(&failed, moment);
        let is_stalled = Self::was_stalled(&failed, moment);
        let desired = wish.desired.map(|desired| Arc::new(quirk::fit(desired, &quirks).0));
        let faults =
            desired.as_ref().err().map(|missing| no_draw(hems, identity, missing)).into_iter().collect();
        let progress = call::resolve(&calls, &inform.event, hems.now());
        let queued = queued(calls, &progress);
        let mut device = Self {
            subject,
            stored,
            known,
            desired,
            is_frozen: wish.is_frozen && !wish.is_shut,
            is_shut: wish.is_shut,
            is_following: wish.is_following || wish.is_asked,
            is_asked: wish.is_asked,
            quirks,
            failed,
            spared,
            is_stalled,
            is_at_end: false,
            taken: std::collections::BTreeMap::new(),
            calls: queued.into(),
            faults,
            progress,
            outstanding: None,
        };
        device.doubt(hems, now);
        device.prepare_software(hems).await?;
        device.notice_drift(hems, 0);
        let lesson = device.lesson();
        let recording = device.recording(hems, recorded_until);
        Ok(Informed { device, lesson, stored: row, recording, is_bootstrap })
    }

    /// What was read long before this session is read again.
    fn doubt(&mut self, hems: &Hems, now: Timestamp) {
        let since = now - hems.believes;
        if self.desired.as_ref().is_ok_and(|desired| plan::is_stale(desired, &self.known, since)) {
            self.known.doubt(now);
        }
    }
}

impl Stored {
    fn of(row: &DeviceRow, remembered: &Remembered) -> Self {
        Self {
            summary: row.into(),
            // Where it was never told, it is written.
            patience: row.due_at.zip(row.last_inform_at).map(|(due, informed)| due - informed),
            gate: remembered.known.gate.clone(),
            methods: remembered.known.methods.clone(),
            has_intents: !remembered.intents.is_empty(),
        }
    }
}

/// What is desired cannot be said.
fn no_draw(hems: &Hems, identity: &str, missing: &desire::Missing) -> FaultRow {
    tracing::warn!(device = identity, error = %missing, "the plan cannot be made");
    FaultRow::of_ours(missing.step(), missing.to_string(), hems.now())
}

/// The calls that wait to be sent, once those without an answer are sorted out.
fn queued(calls: Vec<CallRow>, progress: &[(i64, crate::store::Progress)]) -> Vec<CallRow> {
    let again = |call: &CallRow| progress.contains(&(call.id, crate::store::Progress::Queued));
    let waits = |call: &CallRow| call.state == "queued" && call.method != call::WAKE;
    calls.into_iter().filter(|call| waits(call) || again(call)).collect()
}

/// What is still true of what was remembered.
fn recall(remembered: Remembered, is_bootstrap: bool, is_boot: bool) -> (Vec<FaultRow>, Known) {
    let (mut failed, mut known) = (remembered.faults, remembered.known);
    for intent in &remembered.intents {
        known.forget_unanswered(&intent.object);
    }
    if is_bootstrap {
        known.forget_all();
        failed.clear();
    } else if is_boot {
        known.forget_states();
    }
    forget_hopes(&mut known);
    (failed, known)
}

/// What may have changed for the better without an event is asked again in each session.
fn forget_hopes(known: &mut Known) {
    if known.gate.as_ref().is_some_and(|verdict| !verdict.passed) {
        known.gate = None;
        known.forget(radio::LATITUDE);
        known.forget(radio::LONGITUDE);
    }
    if !known.is_true(radio::OP_STATE) || !known.is_true(radio::RF_TX_STATUS) {
        known.forget(radio::OP_STATE);
        known.forget(radio::RF_TX_STATUS);
    }
}

/// Takes up what an Inform tells, and finds the quirks of who tells it.
fn learn(known: &mut Known, inform: &Inform, binding: &Binding, hems: &Hems) -> Quirks {
    quirk::learn_product(known, inform, hems.now());
    let quirks = quirk::of(&hems.quirks, binding, known);
    for parameter in &inform.parameter_list {
        let (name, kind) = quirk::heard(&quirks, parameter);
        if name.starts_with("Device.") {
            known.learn(&name, &parameter.value.text, kind, hems.now());
        }
    }
    quirks
}

fn events(inform: &Inform) -> String {
    let bounded = |text: &str| -> String { text.chars().take(TEXT_MAX).collect() };
    let events: Vec<_> = inform
        .event
        .iter()
        .take(EVENTS_MAX)
        .map(|event| {
            serde_json::json!({
                "code": bounded(event.event_code.as_str()),
                "command_key": bounded(&event.command_key),
            })
        })
        .collect();
    serde_json::Value::from(events).to_string()
}

fn denied() -> Fault {
    Fault::from(FaultCode::ACS_REQUEST_DENIED)
}
