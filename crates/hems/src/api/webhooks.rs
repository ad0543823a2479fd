//! `/api/v1/webhooks`: where events are posted, and what became of each.
//!
//! A secret is shown when it is made and never again.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Api, Object, Page, Path, Problem, Tagged, events::kinds, json, time};
use crate::{
    event::{post::Target, signature},
    store::{Condition, Delivery, Webhook},
};

/// How long deliveries are signed with a secret that was replaced, too: a day to change the receiver.
const ROTATION: SignedDuration = SignedDuration::from_hours(24);

/// A webhook.
#[derive(Serialize, JsonSchema)]
pub(super) struct WebhookView {
    id: i64,
    url: String,
    /// Empty for all.
    types: Vec<String>,
    /// `active`, or `gone` after it answered 410.
    state: String,
    made_at: String,
    /// Events up to this number were not kept long enough to be handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    missed_before: Option<i64>,
}

/// One with its secret, the only time.
#[derive(Serialize, JsonSchema)]
pub(super) struct Made {
    #[serde(flatten)]
    webhook: WebhookView,
    secret: String,
}

/// A new one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    #[schemars(url)]
    url: String,
    #[serde(default)]
    types: Vec<String>,
}

/// Which deliveries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    state: Option<String>,
}

/// An event that was sent to see whether it arrives.
#[derive(Serialize, JsonSchema)]
pub(super) struct Sent {
    delivery: i64,
}

/// A delivery.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeliveryView {
    id: i64,
    event: String,
    #[serde(rename = "type")]
    kind: String,
    state: String,
    attempts: i64,
    /// What the receiver said to the last attempt, or what was in the way.
    said: Option<String>,
    made_at: String,
    next_at: Option<String>,
    ended_at: Option<String>,
    body: serde_json::Value,
}

impl From<Webhook> for WebhookView {
    fn from(hook: Webhook) -> Self {
        let Webhook { id, url, types, state, made_at, missed_before, position: _ } = hook;
        Self { id, url, types, state, made_at: time(made_at), missed_before }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event: delivery.event,
            kind: delivery.kind,
            next_at: (delivery.state == "waiting").then(|| time(delivery.next_at)),
            state: delivery.state,
            attempts: delivery.attempts,
            said: delivery.said,
            made_at: time(delivery.made_at),
            ended_at: delivery.ended_at.map(time),
            body: json(&delivery.body),
        }
    }
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| no_webhook())
}

fn no_webhook() -> Problem {
    Problem::not_found("there is no such webhook")
}

async fn found(api: &Api, id: &str) -> Result<Webhook, Problem> {
    api.hems.store.webhook(number(id)?).await?.ok_or_else(no_webhook)
}

fn secret() -> Result<String, Problem> {
    signature::secret().ok_or_else(|| Problem::unavailable("the system gives no random numbers"))
}

/// Lists all.
pub(super) async fn list(State(api): State<Api>) -> Answer<Page<WebhookView>> {
    let items = api.hems.store.webhooks().await?.into_iter().map(WebhookView::from).collect();
    Ok(Json(Page { items, next_page_token: None }))
}

/// Makes one, which gets what happens from now on.
pub(super) async fn make(
    State(api): State<Api>,
    Object(New { url, types }): Object<New>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let hems = &api.hems;
    Target::parse(&url, &hems.webhook_networks).map_err(|error| Problem::invalid(error.to_string()))?;
    let types = kinds(types.iter().map(String::as_str))?;
    let types = types.into_iter().map(|kind| kind.name().to_owned()).collect();
    let secret = secret()?;
    let id = hems.store.make_webhook(url, types, secret.clone(), hems.now()).await?;
    let id = id.ok_or_else(|| Problem::too_many("there are 50 webhooks; delete some"))?;
    let webhook = found(&api, &id.to_string()).await?.into();
    Ok((StatusCode::CREATED, Json(Made { webhook, secret })))
}

/// Shows one.
pub(super) async fn show(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Tagged<WebhookView>, Problem> {
    let webhook = found(&api, &id).await?;
    Ok(Tagged::new(&webhook.clone(), webhook.into()))
}

/// Deletes one with everything that waits for it.
pub(super) async fn delete(
    State(api): State<Api>,
    Path(id): Path<String>,
    condition: Condition,
) -> Result<StatusCode, Problem> {
    if api.hems.store.delete_webhook(number(&id)?, condition).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_webhook())
    }
}

/// Makes a further secret; deliveries are signed with those before it for a day more.
pub(super) async fn rotate(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let secret = secret()?;
    let hems = &api.hems;
    if !hems.store.rotate_secret(number(&id)?, secret.clone(), hems.now(), ROTATION).await? {
        return Err(no_webhook());
    }
    Ok((StatusCode::CREATED, Json(Made { webhook: found(&api, &id).await?.into(), secret })))
}

/// Sends an event that says nothing, to see whether it arrives.
pub(super) async fn test(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Sent>), Problem> {
    let webhook = found(&api, &id).await?;
    let hems = &api.hems;
    let delivery = hems.store.send_test(webhook.id, hems.source.clone(), hems.now()).await?;
    Ok((StatusCode::ACCEPTED, Json(Sent { delivery })))
}

/// Lists deliveries, the newest first.
pub(super) async fn deliveries(
    State(api): State<Api>,
    Path(id): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
) -> Answer<Page<DeliveryView>> {
    let state = which?.0.state;
    if !matches!(state.as_deref(), None | Some("waiting" | "delivered" | "dead")) {
        return Err(Problem::invalid("`state` is waiting, delivered or dead"));
    }
    let webhook = found(&api, &id).await?;
    let rows = api.hems.store.deliveries(webhook.id, state.as_deref()).await?;
    Ok(Json(Page { items: rows.into_iter().map(DeliveryView::from).collect(), next_page_token: None }))
}

/// Sends one that has ended once more.
pub(super) async fn resend(
    State(api): State<Api>,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let none = || Problem::not_found("there is no such delivery");
    let webhook = found(&api, &id).await?;
    let delivery = delivery.parse().map_err(|_| none())?;
    if api.hems.store.resend(webhook.id, delivery, api.hems.now()).await? {
        return Ok(StatusCode::ACCEPTED);
    }
    if webhook.state == crate::store::ACTIVE {
        let rows = api.hems.store.deliveries(webhook.id, Some("waiting")).await?;
        rows.iter().find(|row| row.id == delivery).ok_or_else(none)?;
        return Err(Problem::conflict("it waits already"));
    }
    Err(Problem::conflict("the webhook unsubscribed by 410; make a new one"))
}
