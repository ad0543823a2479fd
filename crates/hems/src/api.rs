//! The JSON API of operators: one table of operations, from which come the router, the roles, the audit log's names and
//! the OpenAPI document.
//!
//! From a path one knows the source file: `/api/v1/devices` is `api/devices.rs`. There is no route beside the table,
//! and each operation of it is guarded; see [`guard`]. The listener is on loopback unless it has a certificate, and
//! shares nothing with the listeners for cells but the store.

mod accounts;
mod act;
mod actions;
mod alarms;
mod answer;
mod audit_log;
mod blocks;
mod bulk;
mod calls;
mod changes;
mod condition;
mod cookie;
mod counted;
mod dead_letters;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "a test makes the document of it, and what is served is what was committed")
)]
mod describe;
mod desk;
mod devices;
mod events;
mod evidence;
mod export;
mod files;
mod freeze;
mod guard;
mod history;
mod identities;
mod listener;
mod lists;
mod lock;
mod login;
mod machines;
mod me;
mod object;
mod offer;
mod oidc;
mod openapi;
mod operation;
mod paging;
mod place;
mod places;
mod pools;
mod preview;
mod problem;
mod radio_off;
mod rate;
mod readable;
mod reason;
mod recordings;
mod refusals;
mod replay;
mod roles;
mod sessions;
mod swap;
mod templates;
mod token;
mod tokens;
mod transfer;
mod trust;
mod version;
mod webhooks;
mod words;

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use axum::{Router, extract::DefaultBodyLimit, middleware};
use profile::WebAcceptor;
use tokio::{net::TcpListener, sync::watch};

use answer::{As, Path};
use condition::Tagged;
use desk::Desk;
use object::Object;
use operation::{Operation, Rule, delete, get, post, put};
pub(crate) use paging::Pages;
use paging::{Limit, PAGE, PAGE_MAX, Page, Paging};
pub(crate) use problem::Problem;
use rate::Rates;
pub(crate) use token::Token;

use crate::{
    Hems,
    config::{Config, OidcConfig},
    people::{Right, oidc::Oidc},
};

/// Bytes of a request's body: a template with every parameter that a cell has.
const BODY_BYTES_MAX: usize = 4 << 20;
/// Bytes of a list of identities: a million cells, as a roster has.
const LIST_BYTES_MAX: usize = 128 << 20;
/// What a list of identities or places is written in.
const LISTS: &[&str] = &["text/csv", "application/jsonl"];
/// What handlers get.
#[derive(Clone)]
pub(crate) struct Api {
    hems: Arc<Hems>,
    desk: Arc<Desk>,
}

type Answer<T> = Result<axum::Json<T>, Problem>;

/// Every operation there is: its name, where it is, what it asks of a caller.
fn operations() -> Vec<Operation> {
    [
        on_people(),
        on_devices(),
        on_sessions(),
        on_files(),
        on_events(),
        on_trust(),
        on_desires(),
        on_changes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Who asks, and what became of it.
#[rustfmt::skip]
fn on_people() -> Vec<Operation> {
    use Right::{Administer, Audit, Oneself, Open};
    vec![
        get("show-version", "/api/v1/version", Oneself, version::show),
        get("show-openapi", "/api/v1/openapi.json", Oneself, openapi::show),
        post("login", "/api/v1/login", Open, login::login).refuses(&[401, 403]),
        get("begin-oidc-login", "/api/v1/oidc/login", Open, oidc::begin).answers(&[303]).refuses(&[404, 502]),
        get("end-oidc-login", "/api/v1/oidc/callback", Open, oidc::end).answers(&[303]).refuses(&[403, 404, 502]),
        post("logout", "/api/v1/logout", Oneself, login::logout).refuses(&[409]),
        post("first-administrator", "/api/v1/first-administrator", Open, login::first_administrator).refuses(&[403]),
        get("show-me", "/api/v1/me", Oneself, me::show),
        put("change-my-password", "/api/v1/me/password", Oneself, me::put_password).refuses(&[409]),
        get("list-accounts", "/api/v1/accounts", Administer, accounts::list),
        post("add-account", "/api/v1/accounts", Administer, accounts::add).refuses(&[409]),
        get("show-account", "/api/v1/accounts/{name}", Administer, accounts::show),
        put("change-account", "/api/v1/accounts/{name}", Administer, accounts::put).refuses(&[409]),
        delete("remove-account", "/api/v1/accounts/{name}", Administer, accounts::remove),
        put("set-password", "/api/v1/accounts/{name}/password", Administer, accounts::put_password),
        get("list-tokens", "/api/v1/tokens", Oneself, tokens::list),
        post("add-token", "/api/v1/tokens", Oneself, tokens::add).refuses(&[409]),
        delete("remove-token", "/api/v1/tokens/{prefix}", Oneself, tokens::remove),
        get("list-machines", "/api/v1/machines", Administer, machines::list),
        post("add-machine", "/api/v1/machines", Administer, machines::add).refuses(&[409]),
        delete("remove-machine", "/api/v1/machines/{name}", Administer, machines::remove),
        get("list-roles", "/api/v1/roles", Oneself, roles::list),
        get("list-audit-log", "/api/v1/audit-log", Audit, audit_log::list),
        get("verify-audit-log", "/api/v1/audit-log/verification", Audit, audit_log::verify),
    ]
}

/// The cells, and what they showed.
#[rustfmt::skip]
fn on_devices() -> Vec<Operation> {
    use Right::{Engineer, Look, Operate, Secure};
    vec![
        get("list-devices", "/api/v1/devices", Look, devices::list).scoped(),
        get("count-devices", "/api/v1/devices/count", Look, devices::count).scoped(),
        post("admit-device", "/api/v1/devices", Operate, devices::admit).answers(&[200, 201]).refuses(&[409]),
        get("show-device", "/api/v1/devices/{identity}", Look, devices::show).scoped(),
        get("show-place", "/api/v1/devices/{identity}/place", Look, place::show).scoped(),
        put("put-place", "/api/v1/devices/{identity}/place", Engineer, place::put).scoped(),
        post("swap-device", "/api/v1/devices/{identity}/swap", Engineer, swap::swap).scoped().refuses(&[409]),
        post("import-places", "/api/v1/places", Engineer, places::import).scoped().up_to(LIST_BYTES_MAX).takes(LISTS).answers(&[200, 422]),
        get("list-history", "/api/v1/devices/{identity}/history", Look, history::list).scoped(),
        get("list-calls", "/api/v1/devices/{identity}/calls", Look, calls::list).scoped(),
        post("queue-call", "/api/v1/devices/{identity}/calls", Operate, calls::queue).scoped().refuses(&[409]),
        delete("cancel-call", "/api/v1/devices/{identity}/calls/{id}", Operate, calls::cancel).scoped().refuses(&[409]),
        post("act", "/api/v1/devices/{identity}/actions", Operate, actions::act).scoped().refuses(&[409]),
        get("list-dead-letters", "/api/v1/dead-letters", Look, dead_letters::list).scoped(),
        post("retry-steps", "/api/v1/devices/{identity}/dead-letters/retry", Operate, dead_letters::retry).scoped().refuses(&[409]),
        get("preview-device", "/api/v1/devices/{identity}/preview", Look, preview::device).scoped().refuses(&[409]),
        get("show-values", "/api/v1/devices/{identity}/values", Look, templates::show_own).scoped(),
        put("put-values", "/api/v1/devices/{identity}/values", Engineer, templates::put_own).scoped().refuses(&[409]),
        delete("delete-values", "/api/v1/devices/{identity}/values", Engineer, templates::delete_own).scoped().answers(&[202, 204]).refuses(&[409]),
        get("list-value-versions", "/api/v1/devices/{identity}/values/versions", Look, templates::own_versions).scoped(),
        post("apply-values", "/api/v1/devices/{identity}/values/apply", Engineer, templates::apply_own).scoped().refuses(&[409]),
        delete("withdraw-device", "/api/v1/devices/{identity}/admission", Operate, identities::withdraw).scoped(),
        delete("clear-suspicion", "/api/v1/devices/{identity}/suspicion", Secure, identities::clear).scoped(),
        post("import-identities", "/api/v1/identities", Operate, identities::import).up_to(LIST_BYTES_MAX).takes(LISTS).answers(&[200, 422]),
        get("list-sessions", "/api/v1/sessions", Look, sessions::list).scoped(),
        get("list-refusals", "/api/v1/refusals", Look, refusals::list),
    ]
}

/// One session with what was said in it, where somebody asked for that.
#[rustfmt::skip]
fn on_sessions() -> Vec<Operation> {
    use Right::{Engineer, Look};
    vec![
        get("show-session", "/api/v1/sessions/{id}", Look, sessions::show).scoped(),
        get("show-recording-order", "/api/v1/devices/{identity}/recording", Look, recordings::order).scoped(),
        post("record-sessions", "/api/v1/devices/{identity}/recording", Engineer, recordings::record).scoped().refuses(&[409, 429]),
        delete("stop-recording", "/api/v1/devices/{identity}/recording", Engineer, recordings::stop).scoped(),
        get("show-recording", "/api/v1/sessions/{id}/recording", Look, recordings::show).scoped(),
        delete("delete-recording", "/api/v1/sessions/{id}/recording", Engineer, recordings::delete).scoped(),
        post("replay-recording", "/api/v1/sessions/{id}/recording/replay", Look, replay::replay).scoped().harmless(),
    ]
}

/// Files for cells and from them.
#[rustfmt::skip]
fn on_files() -> Vec<Operation> {
    use Right::{Engineer, Look, Operate};
    vec![
        get("list-files", "/api/v1/files", Look, files::list),
        post("add-file", "/api/v1/files", Engineer, files::add).refuses(&[413, 422, 507]),
        get("show-file", "/api/v1/files/{id}", Look, files::show),
        get("fetch-file", "/api/v1/files/{id}/content", Operate, files::fetch),
        delete("delete-file", "/api/v1/files/{id}", Engineer, files::delete).refuses(&[409]),
    ]
}

/// Who is shut out, and which evidence counts.
#[rustfmt::skip]
fn on_trust() -> Vec<Operation> {
    use Right::{Look, Secure};
    vec![
        get("list-blocks", "/api/v1/blocks", Look, blocks::list),
        post("add-block", "/api/v1/blocks", Secure, blocks::add).answers(&[200, 201]),
        delete("remove-block", "/api/v1/blocks", Secure, blocks::remove).refuses(&[404]),
        post("preview-trust", "/api/v1/trust/preview", Look, trust::preview).harmless().takes(&["text/plain"]),
        get("show-expiry", "/api/v1/trust/expiry", Look, trust::expiry),
        get("list-revocation-lists", "/api/v1/trust/lists", Look, lists::list),
        get("list-grace", "/api/v1/trust/grace", Look, lists::history),
        post("extend-grace", "/api/v1/trust/grace", Secure, lists::extend),
        delete("end-grace", "/api/v1/trust/grace", Secure, lists::end),
    ]
}

/// What is desired.
#[rustfmt::skip]
fn on_desires() -> Vec<Operation> {
    use Right::{Engineer, Look};
    vec![
        get("list-templates", "/api/v1/templates", Look, templates::list),
        get("show-template", "/api/v1/templates/{name}", Look, templates::show).refuses(&[422]),
        put("put-template", "/api/v1/templates/{name}", Engineer, templates::put).refuses(&[409, 422]),
        delete("delete-template", "/api/v1/templates/{name}", Engineer, templates::delete).answers(&[202, 204]).refuses(&[409, 422]),
        get("list-template-versions", "/api/v1/templates/{name}/versions", Look, templates::versions).refuses(&[422]),
        post("apply-template", "/api/v1/templates/{name}/apply", Engineer, templates::apply).refuses(&[409]),
        post("preview-template", "/api/v1/templates/{name}/preview", Look, preview::template).harmless(),
        get("list-pools", "/api/v1/pools", Look, pools::list),
        get("show-pool", "/api/v1/pools/{name}", Look, pools::show),
        put("put-pool", "/api/v1/pools/{name}", Engineer, pools::put).refuses(&[409]),
        delete("delete-pool", "/api/v1/pools/{name}", Engineer, pools::delete).refuses(&[409]),
        get("list-draws", "/api/v1/pools/{name}/draws", Look, pools::draws),
        put("reserve-draw", "/api/v1/pools/{name}/draws/{identity}", Engineer, pools::reserve).refuses(&[409]),
        delete("release-draw", "/api/v1/pools/{name}/draws/{identity}", Engineer, pools::release).refuses(&[409]),
    ]
}

/// What is told of what happens, and what somebody should look at.
#[rustfmt::skip]
fn on_events() -> Vec<Operation> {
    use Right::{Administer, Look, Operate};
    vec![
        get("list-alarms", "/api/v1/alarms", Look, alarms::list),
        post("evaluate-alarms", "/api/v1/alarms/evaluation", Look, alarms::evaluate).harmless(),
        get("show-alarm", "/api/v1/alarms/{id}", Look, alarms::show),
        post("acknowledge-alarm", "/api/v1/alarms/{id}/acknowledge", Operate, alarms::acknowledge).refuses(&[409]),
        post("unacknowledge-alarm", "/api/v1/alarms/{id}/unacknowledge", Operate, alarms::unacknowledge).refuses(&[409]),
        get(events::LISTEN, "/api/v1/events", Look, events::listen).unlimited(),
        get("list-webhooks", "/api/v1/webhooks", Administer, webhooks::list),
        post("make-webhook", "/api/v1/webhooks", Administer, webhooks::make),
        get("show-webhook", "/api/v1/webhooks/{id}", Administer, webhooks::show),
        delete("delete-webhook", "/api/v1/webhooks/{id}", Administer, webhooks::delete),
        post("rotate-webhook-secret", "/api/v1/webhooks/{id}/secrets", Administer, webhooks::rotate),
        post("test-webhook", "/api/v1/webhooks/{id}/test", Administer, webhooks::test).answers(&[202]),
        get("list-deliveries", "/api/v1/webhooks/{id}/deliveries", Administer, webhooks::deliveries),
        post("resend-delivery", "/api/v1/webhooks/{id}/deliveries/{delivery}/resend", Administer, webhooks::resend).answers(&[202]).refuses(&[409]),
    ]
}

/// What is on its way to the cells, and what holds it back.
#[rustfmt::skip]
fn on_changes() -> Vec<Operation> {
    use Right::{Engineer, Look, Operate};
    vec![
        post("act-on-many", "/api/v1/actions", Operate, bulk::order).answers(&[200, 201]).refuses(&[409]),
        get("list-changes", "/api/v1/changes", Look, changes::list),
        get("show-change", "/api/v1/changes/{id}", Look, changes::show),
        post("approve-change", "/api/v1/changes/{id}/approve", Engineer, changes::approve).refuses(&[409]),
        post("stop-change", "/api/v1/changes/{id}/stop", Operate, changes::stop).refuses(&[409]),
        post("resume-change", "/api/v1/changes/{id}/resume", Engineer, changes::resume).refuses(&[409]),
        post("finish-change", "/api/v1/changes/{id}/finish", Engineer, changes::finish).refuses(&[409]),
        post("withdraw-change", "/api/v1/changes/{id}/withdraw", Engineer, changes::withdraw).refuses(&[409]),
        get("show-freeze", "/api/v1/freeze", Look, freeze::show).refuses(&[404]),
        put("begin-freeze", "/api/v1/freeze", Operate, freeze::put).refuses(&[409]),
        delete("end-freeze", "/api/v1/freeze", Engineer, freeze::delete).refuses(&[404, 422]),
        get("list-emergencies", "/api/v1/radio-off", Look, radio_off::list),
        post("order-radio-off", "/api/v1/radio-off", Operate, radio_off::order).refuses(&[409]),
        get("show-emergency", "/api/v1/radio-off/{id}", Look, radio_off::show),
        get("list-emergency-devices", "/api/v1/radio-off/{id}/devices", Look, radio_off::devices),
        delete("lift-radio-off", "/api/v1/radio-off/{id}", Engineer, radio_off::lift).refuses(&[409]),
    ]
}

/// What is known of each operation before it runs.
fn rules() -> &'static [Rule] {
    static RULES: LazyLock<Vec<Rule>> =
        LazyLock::new(|| operations().into_iter().map(|operation| operation.rule).collect());
    &RULES
}

/// What the API needs beside the H(e)MS.
pub(crate) struct Front {
    pub(crate) token: Token,
    pub(crate) tls: Option<WebAcceptor>,
    pub(crate) state_dir: PathBuf,
    pub(crate) oidc: Option<OidcConfig>,
    /// What seals page tokens.
    pub(crate) pages: Pages,
    /// How often one caller may ask.
    pub(crate) requests_per_minute: u32,
}

impl Front {
    pub(crate) fn new(config: &Config, (token, pages): (Token, Pages), tls: Option<WebAcceptor>) -> Self {
        let (state_dir, oidc) = (config.state_dir.clone(), config.oidc.clone());
        Self { token, tls, state_dir, oidc, pages, requests_per_minute: config.requests_per_minute }
    }
}

/// Serves operators until `shutdown` turns true.
pub(crate) async fn serve(
    hems: Arc<Hems>,
    front: Front,
    listener: TcpListener,
    shutdown: watch::Receiver<bool>,
) {
    let Front { token, tls, state_dir, oidc, pages, requests_per_minute } = front;
    let rates = Rates::new(requests_per_minute);
    let desk = Arc::new(Desk::new(token, tls.is_some(), state_dir, (oidc.map(Oidc::new), pages, rates)));
    listener::listen(listener, tls, router(&Api { hems, desk }), shutdown).await;
}

fn router(api: &Api) -> Router {
    let mut router = Router::new();
    for Operation { rule, handler, .. } in operations() {
        let path = rule.path;
        let guard = guard::Guard { api: api.clone(), rule };
        router = router.route(path, handler.route_layer(middleware::from_fn_with_state(guard, guard::guard)));
    }
    router
        .fallback(guard::nothing)
        .method_not_allowed_fallback(guard::not_this)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(api.clone(), guard::identify))
        .layer(middleware::from_fn(condition::unchanged))
        .layer(middleware::from_fn(guard::headers))
        .layer(middleware::from_fn_with_state(api.clone(), counted::counted))
        .with_state(api.clone())
}

/// A time as the API shows it.
fn time(ms: i64) -> String {
    crate::store::at(ms).to_string()
}

/// Stored JSON as JSON; what cannot be read is shown as text.
fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

#[cfg(test)]
mod tests;
