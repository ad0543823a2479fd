//! `/api/v1/login`, `/api/v1/logout` and `/api/v1/first-administrator`: how people come in.

use std::net::IpAddr;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Api, As, Object, Problem, cookie,
    guard::{self, Asking},
    me::MeView,
};
use crate::{
    people::{self, Caller, Proof, Role, first, secret},
    store::AccountRow,
};

/// Whose password may be wrong.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    name: String,
    password: String,
}

/// The link's key, and who the first administrator shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FirstAdministrator {
    key: String,
    #[schemars(regex(pattern = people::NAME))]
    name: String,
    #[schemars(length(min = *secret::PASSWORD.start(), max = *secret::PASSWORD.end()))]
    password: String,
}

/// Opens a login by a password; the cookie in the answer is its key.
///
/// One answer for an unknown name, a wrong password and a disabled account. Tries are throttled by account and source.
pub(super) async fn login(
    State(api): State<Api>,
    asking: Asking,
    headers: HeaderMap,
    Object(Credentials { name, password }): Object<Credentials>,
) -> Result<As<Json<MeView>>, Problem> {
    if cookie::is_foreign(&headers) {
        return Err(Problem::foreign());
    }
    api.desk.attempt(&name, asking.source, api.hems.now())?;
    let shown = if people::is_name(&name) { name.as_str() } else { "?" };
    let event = guard::unknown(&api, &asking, "login", shown.to_owned());
    let (desk, tried, source) = (api.clone(), name.clone(), asking.source);
    let work = async move {
        match verified(&desk, name, password, &asking).await {
            Ok(account) => opened(&desk, account, &asking).await.unwrap_or_else(IntoResponse::into_response),
            Err(problem) => problem.into_response(),
        }
    };
    Ok(judged(&api, (&tried, source), guard::noted(&api, event, work).await).into())
}

/// The answer to a try. One that tells nothing of the password is no try.
pub(super) fn judged(api: &Api, (account, source): (&str, IpAddr), answer: Response) -> Response {
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        api.desk.unjudged(account, source);
    }
    answer
}

async fn verified(api: &Api, name: String, password: String, asking: &Asking) -> Result<AccountRow, Problem> {
    let account = api.hems.store.account(&name).await?.filter(|account| !account.is_disabled);
    let hash = account.as_ref().and_then(|account| account.password.clone());
    let is_right = api.desk.passwords.are_equal(password, hash).await;
    let account = account.filter(|_| is_right).ok_or_else(Problem::wrong_password)?;
    api.desk.succeeded(&name, asking.source);
    Ok(account)
}

/// Opens a login for an account and says so, with its cookie.
pub(super) async fn opened(api: &Api, account: AccountRow, asking: &Asking) -> Result<Response, Problem> {
    let now = api.hems.now();
    let (key, hash) = secret::key().map_err(|_| Problem::internal())?;
    api.hems.store.open_login(hash.clone(), account.name.clone(), now, now + cookie::LIFETIME).await?;
    let caller = guard::of_account(account, Proof::Login(hash), asking.source);
    let caller = caller.ok_or_else(Problem::internal)?;
    Ok((set_cookie(api, &key), Json(MeView::of(&caller))).into_response())
}

fn set_cookie(api: &Api, key: &str) -> impl axum::response::IntoResponseParts + use<> {
    AppendHeaders(cookie::write(key, api.desk.is_tls).map(|value| (header::SET_COOKIE, value)))
}

/// Ends the login whose cookie came along.
pub(super) async fn logout(State(api): State<Api>, caller: Caller) -> Result<As<StatusCode>, Problem> {
    let Proof::Login(hash) = caller.proof else {
        return Err(Problem::conflict("there is no login to end: you came without its cookie"));
    };
    api.hems.store.close_login(hash).await?;
    Ok((StatusCode::NO_CONTENT, set_cookie(&api, ""), ()).into_response().into())
}

/// Makes the first account, an administrator's, by the one-time link.
pub(super) async fn first_administrator(
    State(api): State<Api>,
    asking: Asking,
    headers: HeaderMap,
    Object(wanted): Object<FirstAdministrator>,
) -> Result<As<(StatusCode, Json<MeView>)>, Problem> {
    if cookie::is_foreign(&headers) {
        return Err(Problem::foreign());
    }
    if !people::is_name(&wanted.name) {
        return Err(Problem::name());
    }
    api.desk.attempt("", asking.source, api.hems.now())?;
    let event = guard::unknown(&api, &asking, "first-administrator", wanted.name.clone());
    let (desk, source) = (api.clone(), asking.source);
    let work = async move { first(&desk, wanted, &asking).await.unwrap_or_else(IntoResponse::into_response) };
    Ok(judged(&api, ("", source), guard::noted(&api, event, work).await).into())
}

async fn first(api: &Api, wanted: FirstAdministrator, asking: &Asking) -> Result<Response, Problem> {
    let password = api.desk.passwords.hash(wanted.password).await?;
    let now = api.hems.now();
    let account = AccountRow {
        name: wanted.name,
        role: Role::Admin.name().to_owned(),
        scope: None,
        password: Some(password),
        subject: None,
        is_disabled: false,
        made_at: now.as_millisecond(),
        last_login_at: None,
    };
    let hash = secret::hash(&wanted.key);
    if !api.hems.store.add_first(hash, account.clone(), now).await? {
        return Err(Problem::spent());
    }
    api.desk.succeeded("", asking.source);
    first::forget(&api.desk.state_dir);
    let response = opened(api, account, asking).await?;
    Ok((StatusCode::CREATED, response).into_response())
}
