//! `/api/v1/tokens`: keys for programs, each with less than its account may, and an end.
//!
//! The key is shown once, when it is made. A token cannot make another: what is stolen ends by its date.

use axum::{Json, extract::State, http::StatusCode};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Api, Object, Page, Path, Problem,
    accounts::added,
    guard::{About, TOKEN},
    time,
};
use crate::{
    people::{self, Caller, Grant, Proof, Right, Role, Scope, secret},
    store::TokenRow,
};

/// Days that a token is good for, where nobody says.
const DAYS: u32 = 90;
/// The most.
const DAYS_MAX: u32 = 366;
/// Characters of the part of a token that may be shown.
const PREFIX: usize = 8;

/// A token, without the key.
#[derive(Serialize, JsonSchema)]
pub(super) struct TokenView {
    /// The first part of the token, by which it is known.
    prefix: String,
    name: String,
    account: String,
    role: &'static str,
    scope: Option<String>,
    made_at: String,
    expires_at: String,
    /// To the minute.
    last_used_at: Option<String>,
    /// The token itself, where it was made just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// What a token shall be for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    #[schemars(regex(pattern = people::NAME))]
    name: String,
    /// Whose it shall be; one's own where it is left out.
    account: Option<String>,
    /// The account's where it is left out.
    role: Option<Role>,
    scope: Option<Scope>,
    #[schemars(range(min = 1, max = DAYS_MAX))]
    days: Option<u32>,
}

impl From<TokenRow> for TokenView {
    fn from(row: TokenRow) -> Self {
        Self {
            prefix: row.prefix,
            name: row.name,
            account: row.account,
            role: Role::read(&row.role).name(),
            scope: row.scope,
            made_at: time(row.made_at),
            expires_at: time(row.expires_at),
            last_used_at: row.last_used_at.map(time),
            token: None,
        }
    }
}

/// Lists one's own tokens; an administrator's list has everybody's.
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Answer<Page<TokenView>> {
    let rows = match reach(&caller) {
        Reach::All => api.hems.store.tokens(None).await?,
        Reach::Own(account) => api.hems.store.tokens(Some(account)).await?,
        Reach::None => Vec::new(),
    };
    Ok(Json(Page { items: rows.into_iter().map(TokenView::from).collect(), next_page_token: None }))
}

/// Makes a token; the answer alone has it.
pub(super) async fn add(
    State(api): State<Api>,
    caller: Caller,
    Object(new): Object<NewToken>,
) -> Result<(StatusCode, About, Json<TokenView>), Problem> {
    if !people::is_name(&new.name) {
        return Err(Problem::name());
    }
    let days = new.days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Problem::invalid(format!("`days` is 1 to {DAYS_MAX}")));
    }
    let account = owner(&caller, new.account)?;
    let row = api.hems.store.account(&account).await?;
    let row = row.ok_or_else(|| Problem::invalid("`account` names none"))?;
    let of_account = Role::read(&row.role);
    let grant = Grant { role: new.role.unwrap_or(of_account), scope: new.scope };
    if !grant.role.is_within(of_account) {
        let detail = format!("a token may no more than its account, which is {}", of_account.name());
        return Err(Problem::invalid(detail));
    }
    let (row, token) = made(&api, new.name, account, &grant, days)?;
    added(api.hems.store.add_token(row.clone()).await?)?;
    let about = About(format!("{} of {}", row.prefix, row.account));
    let view = TokenView { token: Some(token), ..row.into() };
    Ok((StatusCode::CREATED, about, Json(view)))
}

fn made(
    api: &Api,
    name: String,
    account: String,
    grant: &Grant,
    days: u32,
) -> Result<(TokenRow, String), Problem> {
    let (key, hash) = secret::key().map_err(|_| Problem::internal())?;
    let prefix: String = secret::key().map_err(|_| Problem::internal())?.0.chars().take(PREFIX).collect();
    let now = api.hems.now();
    let token = format!("{TOKEN}_{prefix}_{key}");
    let row = TokenRow {
        prefix,
        hash,
        name,
        account,
        role: grant.role.name().to_owned(),
        scope: grant.scope.as_ref().map(ToString::to_string),
        made_at: now.as_millisecond(),
        expires_at: (now + SignedDuration::from_hours(24 * i64::from(days))).as_millisecond(),
        last_used_at: None,
    };
    Ok((row, token))
}

/// Removes one's own token, or as an administrator anybody's.
pub(super) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    Path(prefix): Path<String>,
) -> Result<StatusCode, Problem> {
    let was_there = match reach(&caller) {
        Reach::All => api.hems.store.remove_token(prefix, None).await?,
        Reach::Own(account) => api.hems.store.remove_token(prefix, Some(account.to_owned())).await?,
        Reach::None => false,
    };
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("there is no such token")) }
}

/// Whose tokens somebody sees.
enum Reach<'c> {
    All,
    Own(&'c str),
    None,
}

fn reach(caller: &Caller) -> Reach<'_> {
    match caller.account() {
        _ if caller.may(Right::Administer) && caller.is_everywhere() => Reach::All,
        Some(account) => Reach::Own(account),
        None => Reach::None,
    }
}

/// Whose a new token is.
fn owner(caller: &Caller, wanted: Option<String>) -> Result<String, Problem> {
    if matches!(caller.proof, Proof::Token(_)) {
        return Err(Problem::forbidden("a token makes no token: log in".to_owned()));
    }
    let own = caller.account();
    match wanted {
        Some(account) if own == Some(&*account) || matches!(reach(caller), Reach::All) => Ok(account),
        Some(_) => Err(Problem::forbidden("only an administrator makes tokens for others".to_owned())),
        None => own
            .map(str::to_owned)
            .ok_or_else(|| Problem::invalid("you have no account here: say whose token it is, by `account`")),
    }
}
