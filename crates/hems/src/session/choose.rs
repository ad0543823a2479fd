//! What we say when it is our turn: the plan's next step, then what an operator queued, then nothing.
//!
//! Whatever must not be done twice is durable before it is sent. A deed that faults, or that is answered without
//! telling anything, is not tried again in this session; see [`stumble`](super::stumble).

use std::sync::Arc;

use cwmp::{CpeMethod, CpeResponse, Fault, FaultCode};

use super::{Device, Outstanding, Session, SessionError};
use crate::{
    Hems, call, gate,
    plan::{self, Step},
    radio, software,
    store::{self, Intent, Progress},
};

/// Steps of one session: a cell with a thousand rows to write takes two sessions, a liar takes none for ever.
const STEPS_MAX: usize = 1024;

impl Session {
    /// Takes the last answer in and gives the next call, or nothing when the session is done.
    pub(super) async fn choose(
        &mut self,
        hems: &Hems,
        last: Option<Result<CpeResponse, Fault>>,
    ) -> Result<Option<CpeMethod>, SessionError> {
        let Some(device) = &mut self.device else { return Ok(None) };
        if let Some(answer) = last {
            device.take_answer(hems, answer);
        }
        let session = self.number.unwrap_or_default();
        let is_long = device.taken.values().sum::<usize>() >= STEPS_MAX;
        if is_long {
            device.stall(hems, "the plan has more steps than one session may have");
        } else {
            while let Some(step) = device.next_step(hems) {
                if let Some(method) = device.send_step(hems, session, step).await? {
                    return Ok(Some(method));
                }
            }
            while let Some(row) = device.calls.pop_front() {
                if call::wanted_state(&row.method).is_some() {
                    device.progress.extend(device.judge(&row).map(|progress| (row.id, progress)));
                    continue;
                }
                if device.is_frozen && call::is_change(&row.method) {
                    continue;
                }
                if let Some(method) = device.send_call(hems, session, &row).await? {
                    return Ok(Some(method));
                }
            }
        }
        Ok(None)
    }
}

impl Device {
    fn take_answer(&mut self, hems: &Hems, answer: Result<CpeResponse, Fault>) {
        match self.outstanding.take() {
            Some(Outstanding::Step(step)) => self.take_step(hems, &step, answer),
            Some(Outstanding::Call { id, object, method, deed }) => {
                self.progress.push((id, call::outcome(&answer)));
                if let (Some(deed), Err(fault)) = (&deed, &answer) {
                    self.stumble(hems, deed, fault);
                }
                plan::overhear(&mut self.known, &method, &answer, &self.quirks, hems.now());
                if let Some(object) = object {
                    self.known.forget(&object);
                }
            }
            None => {}
        }
    }

    fn take_step(&mut self, hems: &Hems, step: &Step, answer: Result<CpeResponse, Fault>) {
        let noticed = self.known.changes().len();
        let learned = match answer {
            Ok(response) => plan::learn(&mut self.known, step, &response, &self.quirks, hems.now()),
            Err(fault) => return self.stumble(hems, step, &fault),
        };
        match learned {
            Ok(()) => {
                self.spared.widen(step);
                self.notice_drift(hems, noticed);
            }
            Err(contradiction) => {
                let fault = Fault::new(FaultCode(0), contradiction.to_string());
                let deeds = plan::unanswered(step, &self.known);
                self.fail(hems, &deeds, &fault);
                plan::unlearn(&mut self.known, &deeds);
            }
        }
    }

    /// What became of an action that the plan carries out; nothing while it may still get there.
    fn judge(&self, row: &store::CallRow) -> Option<Progress> {
        let wanted = call::wanted_state(&row.method)?;
        let is_there =
            self.known.text(radio::ADMIN_STATE).is_some() && self.known.is_true(radio::ADMIN_STATE) == wanted;
        let is_desired = self.desired.as_ref().is_ok_and(|desired| desired.admin_state == Some(wanted));
        let is_refused = self.known.gate.as_ref().is_some_and(|verdict| !verdict.passed);
        let failed = |why: &str| Some(Progress::Failed(serde_json::Value::from(why).to_string()));
        match () {
            () if is_there => Some(Progress::Done(serde_json::json!({"AdminState": wanted}).to_string())),
            () if self.is_shut => failed("an emergency keeps the cell off the air"),
            () if self.desired.is_err() => failed("what is desired cannot be said: see the faults"),
            () if is_desired && is_refused => failed("the gate refuses the place where the cell stands"),
            () if is_desired && (self.is_stalled || !self.spared.is_empty()) => {
                failed("a step of the plan failed: see the faults")
            }
            () => None,
        }
    }

    /// The plan's next step that is an RPC; gates are judged on the way.
    fn next_step(&mut self, hems: &Hems) -> Option<Step> {
        let desired = self.desired.as_ref().ok().map(Arc::clone)?;
        while !self.is_stalled {
            let Some(step) = plan::next_without(&self.spared, &desired, &self.known, &self.quirks) else {
                self.is_at_end = !self.is_shut;
                return None;
            };
            if self.is_frozen && step.is_change() {
                return None;
            }
            let taken = self.taken.entry(step.label()).or_default();
            *taken += 1;
            if *taken > plan::repeats(&desired, &step) {
                let why = "the device answers, and the same step is due again and again";
                self.fail(hems, &step.split(), &Fault::new(FaultCode(0), why.to_owned()));
                continue;
            }
            let Step::Gate { latitude, longitude } = &step else { return Some(step) };
            let verdict = gate::judge(hems.gate, latitude, longitude, hems.now());
            tracing::info!(device = %self.subject.identity, passed = verdict.passed, "the gate judged");
            self.known.gate = Some(verdict);
        }
        None
    }

    async fn send_step(
        &mut self,
        hems: &Hems,
        session: i64,
        step: Step,
    ) -> Result<Option<CpeMethod>, store::StoreError> {
        if let Step::Software { version } = &step {
            return self.fetch(hems, session, version).await;
        }
        if let Some(object) = step.intent() {
            let intent = self.intent(hems, session, step.label(), Some(object.to_owned()));
            hems.store.intend(intent).await?;
            self.stored.has_intents = true;
        }
        let method = step.method(&self.quirks);
        self.outstanding = Some(Outstanding::Step(step));
        Ok(method)
    }

    /// Sends a queued call, unless somebody cancelled it meanwhile. One that cannot be read any more fails; that happens
    /// when a newer version queued it.
    pub(super) async fn send_call(
        &mut self,
        hems: &Hems,
        session: i64,
        row: &store::CallRow,
    ) -> Result<Option<CpeMethod>, store::StoreError> {
        let Ok(mut method) = serde_json::from_str::<CpeMethod>(&row.body) else {
            self.progress.push((row.id, Progress::Failed("\"this version cannot send it\"".to_owned())));
            return Ok(None);
        };
        // A value goes with the type that the device itself uses.
        if let CpeMethod::SetParameterValues(call) = &mut method {
            for parameter in &mut call.parameter_list {
                let held = self.known.value(&parameter.name);
                parameter.value.kind = held.map_or(parameter.value.kind, |held| held.kind);
            }
        }
        let object = call::table(&method);
        let intent =
            Intent { call: Some(row.id), ..self.intent(hems, session, row.method.clone(), object.clone()) };
        if !hems.store.intend(intent).await? {
            return Ok(None);
        }
        self.stored.has_intents |= object.is_some();
        let sent = Box::new(method.clone());
        let deed = software::deed(row);
        self.outstanding = Some(Outstanding::Call { id: row.id, object, method: sent, deed });
        Ok(Some(method))
    }

    fn intent(&self, hems: &Hems, session: i64, step: String, object: Option<String>) -> Intent {
        Intent {
            identity: self.subject.identity.to_string(),
            session,
            step,
            object,
            call: None,
            at: hems.now(),
        }
    }
}
