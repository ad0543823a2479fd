//! `/api/v1/events`: what happens, as it happens, by server-sent events. (HTML Standard 9.2)
//!
//! `id` is the number in the outbox, `event` the type, `data` the envelope. Who comes back says with `Last-Event-ID`
//! what it saw last; an event `gap` says that what followed is not kept any more. A stream ends when its listener may
//! not listen any more: whoever it was is asked for again and again.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

use axum::{
    extract::{FromRequestParts, Query, State, rejection::QueryRejection},
    http::request::Parts,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};

use super::{
    Api, Problem,
    describe::{Sketch, Takes},
    guard::Standing,
};
use crate::event::{Envelope, Kind, feed::Item};

/// How often a line goes over a connection on which nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a listener is taken for who he was.
const KNOWN_FOR: Duration = Duration::from_secs(5);
/// How long to wait where nobody can say who he is.
const PAUSE: Duration = Duration::from_secs(1);
/// What he called.
pub(super) const LISTEN: &str = "listen-to-events";

/// Which events.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Types between commas; all where it is left out.
    #[serde(rename = "type")]
    types: Option<String>,
    /// Like `Last-Event-ID`, for who cannot send a header.
    after: Option<i64>,
}

/// The header `Last-Event-ID`: what a listener saw last.
pub(super) struct Last(Option<i64>);

impl<S: Sync> FromRequestParts<S> for Last {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("last-event-id") else { return Ok(Self(None)) };
        let number = value.to_str().ok().and_then(|text| text.parse().ok());
        let wrong = || Problem::invalid("`Last-Event-ID` is the `id` of an event of this server");
        number.map(|number| Self(Some(number))).ok_or_else(wrong)
    }
}

impl Takes for Last {
    fn takes(sketch: &mut Sketch) {
        sketch.header("Last-Event-ID", "The `id` of the last event that was seen; those after it come.");
        sketch.refusals.insert(422);
    }
}

/// The types of a list between commas.
pub(super) fn kinds<'a>(names: impl Iterator<Item = &'a str>) -> Result<BTreeSet<Kind>, Problem> {
    let kind = |name: &str| {
        let wrong =
            || Problem::invalid(format!("`{name}` is no type of event; there are: {}", Kind::names()));
        Kind::named(name).ok_or_else(wrong)
    };
    names.map(kind).collect()
}

/// Streams events until the client goes, is too slow, or may not listen any more.
pub(super) async fn listen(
    State(api): State<Api>,
    standing: Standing,
    Last(last): Last,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Query(wanted) = wanted?;
    let kinds = kinds(wanted.types.iter().flat_map(|types| types.split(',')))?;
    let after = last.or(wanted.after);
    let items = api.hems.feed.listen(api.hems.store.clone(), after, kinds).await?;
    let items = items.ok_or_else(|| Problem::too_many("there are too many listeners; close some"))?;
    let listener = Listener { api, standing, items, known_until: Instant::now() + KNOWN_FOR };
    let stream = stream::unfold(listener, |mut listener| async move {
        let event = event(&listener.next().await?, &listener.api.hems.source);
        Some((Ok(event), listener))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// One who listens.
struct Listener {
    api: Api,
    standing: Standing,
    items: mpsc::Receiver<Item>,
    known_until: Instant,
}

impl Listener {
    /// What he is told next; nothing at the end.
    async fn next(&mut self) -> Option<Item> {
        loop {
            let item = timeout_at(self.known_until, self.items.recv()).await;
            if Instant::now() >= self.known_until && !self.may().await {
                return None;
            }
            if let Ok(item) = item {
                return item;
            }
        }
    }

    /// Whether he may still listen. While nobody can say that he is told nothing.
    async fn may(&mut self) -> bool {
        loop {
            match self.standing.holds(&self.api, LISTEN).await {
                Ok(holds) => {
                    self.known_until = Instant::now() + KNOWN_FOR;
                    return holds;
                }
                Err(_) if self.items.is_closed() => return false,
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

fn event(item: &Item, source: &str) -> Event {
    match item {
        Item::Event(row) => Event::default()
            .id(row.sequence.to_string())
            .event(&row.kind)
            .data(Envelope::of(row, source).text()),
        Item::Gap(after) => {
            let data = serde_json::json!({"after": after}).to_string();
            Event::default().id(after.to_string()).event("gap").data(data)
        }
    }
}
