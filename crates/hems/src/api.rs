//! The JSON API of operators: one table of routes, one token, one form of error.
//!
//! From a path one knows the source file: `/api/v1/devices` is `api/devices.rs`. Every route of the table refuses a
//! caller without the token; there is no other route. The listener is loopback only in this release, and shares
//! nothing with the listeners for cells but the store.

mod alarms;
mod blocks;
mod calls;
mod devices;
mod evidence;
mod history;
mod identities;
mod lists;
mod offer;
mod place;
mod pools;
mod problem;
mod reason;
mod refusals;
mod sessions;
mod templates;
mod token;
mod trust;
mod version;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{MethodRouter, delete, get, post, put},
};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::watch};

pub(crate) use problem::Problem;
pub(crate) use token::Token;

use crate::Hems;

/// Bytes of a request's body: a template with every parameter that a cell has.
const BODY_BYTES_MAX: usize = 4 << 20;
/// Bytes of a list of identities: a million cells, as a roster has.
const LIST_BYTES_MAX: usize = 128 << 20;
/// Rows of one page, where nobody asks for less.
const PAGE: u32 = 100;
/// Rows of the longest page.
const PAGE_MAX: u32 = 1000;

/// What handlers get.
#[derive(Clone)]
pub(crate) struct Api {
    hems: Arc<Hems>,
    token: Arc<Token>,
}

/// One page of a list.
#[derive(Serialize)]
struct Page<T> {
    items: Vec<T>,
    /// Opaque; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// What a list may be asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Paging {
    limit: Option<u32>,
    page_token: Option<String>,
    identity: Option<String>,
}

impl Paging {
    fn limit(&self) -> u32 {
        self.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX)
    }
}

type Answer<T> = Result<axum::Json<T>, Problem>;

/// Every route there is.
fn routes() -> Vec<(&'static str, MethodRouter<Api>)> {
    vec![
        ("/api/v1/version", get(version::show)),
        ("/api/v1/devices", get(devices::list).post(devices::admit)),
        ("/api/v1/devices/{identity}", get(devices::show)),
        ("/api/v1/devices/{identity}/place", get(place::show).put(place::put)),
        ("/api/v1/devices/{identity}/history", get(history::list)),
        ("/api/v1/devices/{identity}/calls", get(calls::list).post(calls::queue)),
        ("/api/v1/devices/{identity}/admission", delete(identities::withdraw)),
        ("/api/v1/devices/{identity}/suspicion", delete(identities::clear)),
        ("/api/v1/identities", post(identities::import).layer(DefaultBodyLimit::max(LIST_BYTES_MAX))),
        ("/api/v1/blocks", get(blocks::list).post(blocks::add).delete(blocks::remove)),
        ("/api/v1/alarms", get(alarms::list)),
        ("/api/v1/trust/preview", post(trust::preview)),
        ("/api/v1/trust/expiry", get(trust::expiry)),
        ("/api/v1/trust/lists", get(lists::list)),
        ("/api/v1/trust/grace", get(lists::history).post(lists::extend).delete(lists::end)),
        ("/api/v1/sessions", get(sessions::list)),
        ("/api/v1/refusals", get(refusals::list)),
        ("/api/v1/templates", get(templates::list)),
        ("/api/v1/templates/{name}", put(templates::put).get(templates::show).delete(templates::delete)),
        ("/api/v1/pools", get(pools::list)),
        ("/api/v1/pools/{name}", put(pools::put).get(pools::show)),
    ]
}

/// Serves operators until `shutdown` turns true.
pub(crate) async fn serve(
    hems: Arc<Hems>,
    token: Token,
    listener: TcpListener,
    shutdown: watch::Receiver<bool>,
) {
    let api = Api { hems, token: Arc::new(token) };
    let mut over = shutdown;
    let until = async move {
        let _ = over.wait_for(|is_over| *is_over).await;
    };
    if let Err(error) = axum::serve(listener, router(api)).with_graceful_shutdown(until).await {
        tracing::error!(%error, "the API stopped");
    }
}

fn router(api: Api) -> Router {
    let mut router = Router::new();
    for (path, methods) in routes() {
        router = router.route(path, methods);
    }
    router
        .fallback(|| async { Problem::not_found("there is no such resource") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(api.clone(), authorise))
        .with_state(api)
}

/// Nobody learns anything without the token, not even which routes there are.
async fn authorise(State(api): State<Api>, request: Request, next: Next) -> Result<Response, Problem> {
    let offered = request.headers().get(axum::http::header::AUTHORIZATION);
    if offered.is_some_and(|value| api.token.admits(value.as_bytes())) {
        return Ok(next.run(request).await);
    }
    Err(Problem::unauthorised())
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
