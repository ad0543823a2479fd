//! `/api/v1/oidc`: login by the identity provider, for browsers. (OpenID Connect, code with PKCE)

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Api, As, Problem, cookie,
    guard::{self, About, Asking},
    login,
};
use crate::people::oidc::{Oidc, OidcError, Return};

/// What the provider sends the browser back with. (RFC 6749 4.1.2, RFC 9207)
#[derive(Deserialize, JsonSchema)]
pub(super) struct Back {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// Sends the browser to the provider.
pub(super) async fn begin(State(api): State<Api>) -> Result<As<StatusCode>, Problem> {
    let beginning = provider(&api)?.begin(api.hems.now()).await?;
    let kept = cookie::write_beginning(&beginning.cookie, api.desk.is_tls);
    let cookies = AppendHeaders(kept.map(|value| (header::SET_COOKIE, value)));
    Ok((StatusCode::SEE_OTHER, cookies, [(header::LOCATION, beginning.location)]).into_response().into())
}

/// Takes the browser back, and opens a login for the account of whom the provider vouches for.
pub(super) async fn end(
    State(api): State<Api>,
    asking: Asking,
    headers: HeaderMap,
    back: Result<Query<Back>, QueryRejection>,
) -> Result<As<StatusCode>, Problem> {
    let Query(back) = back?;
    let Some(kept) = cookie::read_beginning(&headers, api.desk.is_tls).map(str::to_owned) else {
        return Err(OidcError::State.into());
    };
    provider(&api)?;
    api.desk.attempt(&asking.source.to_string(), asking.source, api.hems.now())?;
    let event = guard::unknown(&api, &asking, "end-oidc-login", "identity provider".to_owned());
    let (desk, source) = (api.clone(), asking.source);
    let work =
        async move { ended(&desk, back, &kept, &asking).await.unwrap_or_else(IntoResponse::into_response) };
    let answer = guard::noted(&api, event, work).await;
    Ok(login::judged(&api, (&source.to_string(), source), answer).into())
}

async fn ended(api: &Api, back: Back, kept: &str, asking: &Asking) -> Result<Response, Problem> {
    if let Some(error) = back.error {
        tracing::warn!(error, "the identity provider logs nobody in");
        return Err(Problem::unvouched("the identity provider logs you not in"));
    }
    let (Some(code), Some(state)) = (&back.code, &back.state) else {
        return Err(OidcError::State.into());
    };
    let back = Return { code, state, issuer: back.iss.as_deref(), cookie: kept };
    let subject = provider(api)?.end(back, api.hems.now()).await?;
    let account = api.hems.store.account_of_subject(&subject).await?.filter(|account| !account.is_disabled);
    let Some(account) = account else {
        let problem = Problem::unvouched("no account has the subject that the identity provider vouches for");
        return Ok((About(format!("subject {subject}")), problem).into_response());
    };
    api.desk.succeeded(&asking.source.to_string(), asking.source);
    let about = About(account.name.clone());
    let mut response = login::opened(api, account, asking).await?;
    *response.status_mut() = StatusCode::SEE_OTHER;
    let over = cookie::write_beginning("", api.desk.is_tls);
    let cookies = AppendHeaders(over.map(|value| (header::SET_COOKIE, value)));
    Ok((about, cookies, [(header::LOCATION, "/")], response).into_response())
}

fn provider(api: &Api) -> Result<&Oidc, Problem> {
    api.desk.oidc.as_ref().ok_or_else(|| Problem::not_found("`[api.oidc]` is not configured"))
}

impl From<OidcError> for Problem {
    fn from(error: OidcError) -> Self {
        tracing::warn!(%error, "nobody is logged in by the identity provider");
        match error {
            OidcError::Randomness => Self::internal(),
            OidcError::Provider { .. } => Self::no_provider(),
            OidcError::Token(_) => Self::unvouched(&error.to_string()),
            OidcError::State => Self::invalid(error.to_string()),
        }
    }
}
