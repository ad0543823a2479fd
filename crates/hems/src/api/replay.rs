//! `/api/v1/sessions/{id}/recording/replay`: what today's plan would do where the device answers as it did then. Nothing
//! is sent, and nothing drawn.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Api, Object, Path, Problem, devices, preview, recordings};
use crate::{
    desire, gate,
    people::Caller,
    plan::{self, Desired, Difference, Exchange, Known, Likeness, Replayed, Spared, Stage, Turn},
    quirk,
    template::{Subject, Template},
};

/// Against what it shall be replayed: what is desired now, or would be with a template.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    /// The template's name.
    name: Option<String>,
    /// The template as it would be; the newest version where it is left out, and none where it is null.
    #[serde(default, deserialize_with = "preview::some")]
    template: Option<Option<Template>>,
}

/// What became of it.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct ReplayView {
    turns: Vec<TurnView>,
    /// How many turns were as they would be, would be others, and asked what the recording cannot say.
    same: usize,
    differs: usize,
    unanswered: usize,
    /// Calls that operators had queued; what they told is taken up, and they are not compared.
    operators_calls: usize,
    end: End,
    /// What is desired, and left out because the product lacks it.
    left_out: Vec<String>,
    /// Why nothing can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A turn, then and today.
#[derive(Debug, Serialize, JsonSchema)]
struct TurnView {
    likeness: Likeness,
    /// The call that was made; null where none was.
    made: Option<serde_json::Value>,
    /// The call that today's plan would make; null where it would make none.
    would: Option<serde_json::Value>,
    /// Whether it rests on an answer that the recording does not have.
    is_likely_only: bool,
}

/// How it would end.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct End {
    in_service: bool,
    differences: Vec<Difference>,
    /// Steps that the device refused, or answered in a way that contradicts itself.
    failed: Vec<String>,
}

/// Replays the recording of a session.
pub(super) async fn replay(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<i64>,
    Object(request): Object<Request>,
) -> Answer<ReplayView> {
    let (row, recording) = recordings::whole(&api, &caller, id).await?;
    let exchanges = recording.exchanges();
    let start = recording.start.ok_or_else(|| {
        Problem::conflict(
            "too much was known of the device to keep it with the recording: it cannot be replayed",
        )
    })?;
    let device = devices::find(&api, &caller, &row.identity).await?;
    let subject = Subject::of(&device, device.place()?)
        .ok_or_else(|| Problem::conflict("the device is not admitted, so nothing is desired of it"))?;
    match request.resolve(&api, &caller, &subject).await? {
        Ok(desired) => Ok(Json(run(&api, &subject, (desired, start.known()), &exchanges))),
        Err(missing) => Ok(Json(ReplayView { error: Some(missing.to_string()), ..ReplayView::default() })),
    }
}

impl Request {
    async fn resolve(
        self,
        api: &Api,
        caller: &Caller,
        subject: &Subject,
    ) -> Result<desire::Resolved, Problem> {
        let (store, model) = (&api.hems.store, &api.hems.model);
        match (self.name, self.template) {
            (None, None) => Ok(desire::preview(store, subject, model).await?.desired),
            (None, Some(_)) => {
                Err(Problem::invalid("a `template` needs the `name` under which it would stand"))
            }
            // What a template says of other devices is nothing for a scope, saved or not.
            (Some(_), _) if !caller.is_everywhere() => Err(Problem::beyond_scope("show-template")),
            (Some(name), typed) => {
                let (template, from) = (preview::supposed(api, caller, &name, typed).await?, BTreeMap::new());
                let rules = (model, &from);
                Ok(desire::suppose(store, subject, (&name, template.as_ref()), rules).await?.desired)
            }
        }
    }
}

fn run(
    api: &Api,
    subject: &Subject,
    (desired, known): (Desired, Known),
    exchanges: &[Exchange],
) -> ReplayView {
    let quirks = quirk::of(&api.hems.quirks, &subject.binding, &known);
    let (desired, left_out) = quirk::fit(desired, &quirks);
    let now = api.hems.now();
    let verdict = |latitude: &str, longitude: &str| gate::judge(api.hems.gate, latitude, longitude, now);
    let (kind, spared) = (|path: &str| preview::kind(api, path), Spared::default());
    let stage = Stage { quirks: &quirks, spared: &spared, kind: &kind, gate: &verdict, now };
    ReplayView { left_out, ..plan::replay(&desired, known, exchanges, &stage).into() }
}

impl From<Replayed> for ReplayView {
    fn from(replayed: Replayed) -> Self {
        let Replayed { turns, operators_calls, failed, differences, is_in_service } = replayed;
        let count = |likeness| turns.iter().filter(|turn| turn.likeness == likeness).count();
        Self {
            same: count(Likeness::Same),
            differs: count(Likeness::Differs),
            unanswered: count(Likeness::Unanswered),
            turns: turns.iter().map(TurnView::from).collect(),
            operators_calls,
            end: End { in_service: is_in_service, differences, failed },
            left_out: Vec::new(),
            error: None,
        }
    }
}

impl From<&Turn> for TurnView {
    fn from(turn: &Turn) -> Self {
        let call = |call: &Option<cwmp::CpeMethod>| serde_json::to_value(call.as_ref()?).ok();
        Self {
            likeness: turn.likeness,
            made: call(&turn.made),
            would: call(&turn.would),
            is_likely_only: turn.is_likely_only,
        }
    }
}
