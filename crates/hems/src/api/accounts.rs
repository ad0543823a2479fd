//! `/api/v1/accounts`: the people of a deployment.

use axum::{Json, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Api, Object, Page, Path, Problem, Tagged, guard::About, time};
use crate::{
    people::{self, Role, Scope, secret},
    store::{AccountRow, Adding, Condition},
};

/// An account.
#[derive(Serialize, JsonSchema)]
pub(super) struct AccountView {
    name: String,
    role: &'static str,
    scope: Option<String>,
    /// Whether one can log in by a password.
    has_password: bool,
    /// Whom the identity provider vouches for.
    subject: Option<String>,
    disabled: bool,
    made_at: String,
    last_login_at: Option<String>,
}

/// Who shall have an account.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccount {
    #[schemars(regex(pattern = people::NAME))]
    name: String,
    role: Role,
    scope: Option<Scope>,
    #[schemars(length(min = *secret::PASSWORD.start(), max = *secret::PASSWORD.end()))]
    password: Option<String>,
    subject: Option<String>,
}

/// What an account shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    role: Role,
    scope: Option<Scope>,
    subject: Option<String>,
    #[serde(default)]
    disabled: bool,
}

/// A password that somebody else chose.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenPassword {
    #[schemars(length(min = *secret::PASSWORD.start(), max = *secret::PASSWORD.end()))]
    password: String,
}

impl From<AccountRow> for AccountView {
    fn from(row: AccountRow) -> Self {
        Self {
            name: row.name,
            role: Role::read(&row.role).name(),
            scope: row.scope,
            has_password: row.password.is_some(),
            subject: row.subject,
            disabled: row.is_disabled,
            made_at: time(row.made_at),
            last_login_at: row.last_login_at.map(time),
        }
    }
}

/// Lists every account by name.
pub(super) async fn list(State(api): State<Api>) -> Answer<Page<AccountView>> {
    let rows = api.hems.store.accounts().await?;
    Ok(Json(Page { items: rows.into_iter().map(AccountView::from).collect(), next_page_token: None }))
}

/// Adds an account.
pub(super) async fn add(
    State(api): State<Api>,
    Object(new): Object<NewAccount>,
) -> Result<(StatusCode, About, Json<AccountView>), Problem> {
    if !people::is_name(&new.name) {
        return Err(Problem::name());
    }
    if new.password.is_none() && new.subject.is_none() {
        return Err(Problem::invalid("an account has a `password`, or a `subject` of the identity provider"));
    }
    let password = match new.password {
        Some(password) => Some(api.desk.passwords.hash(password).await?),
        None => None,
    };
    let row = AccountRow {
        name: new.name,
        role: new.role.name().to_owned(),
        scope: new.scope.map(String::from),
        password,
        subject: new.subject.map(subject).transpose()?,
        is_disabled: false,
        made_at: api.hems.now().as_millisecond(),
        last_login_at: None,
    };
    added(api.hems.store.add_account(row.clone()).await?)?;
    Ok((StatusCode::CREATED, About(row.name.clone()), Json(AccountView::from(row))))
}

/// Shows one.
pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Tagged<AccountView>, Problem> {
    let row = api.hems.store.account(&name).await?.ok_or_else(unknown)?;
    Ok(Tagged::new(&row.clone(), row.into()))
}

/// Changes everything of an account but its password.
pub(super) async fn put(
    State(api): State<Api>,
    Path(name): Path<String>,
    condition: Condition,
    Object(change): Object<Change>,
) -> Result<(About, Tagged<AccountView>), Problem> {
    let present = api.hems.store.account(&name).await?.ok_or_else(unknown)?;
    let row = AccountRow {
        role: change.role.name().to_owned(),
        scope: change.scope.map(String::from),
        subject: change.subject.map(subject).transpose()?,
        is_disabled: change.disabled,
        ..present
    };
    added(api.hems.store.change_account(row.clone(), condition).await?.ok_or_else(unknown)?)?;
    let about = format!("{} {}", row.role, row.scope.as_deref().unwrap_or("everywhere"));
    Ok((About(about), Tagged::new(&row.clone(), row.into())))
}

/// Gives an account a password; its logins end.
pub(super) async fn put_password(
    State(api): State<Api>,
    Path(name): Path<String>,
    Object(GivenPassword { password }): Object<GivenPassword>,
) -> Result<StatusCode, Problem> {
    let hash = api.desk.passwords.hash(password).await?;
    let is_there = api.hems.store.set_password(name, hash).await?;
    if is_there { Ok(StatusCode::NO_CONTENT) } else { Err(unknown()) }
}

/// Removes an account with its logins and tokens.
pub(super) async fn remove(
    State(api): State<Api>,
    Path(name): Path<String>,
    condition: Condition,
) -> Result<StatusCode, Problem> {
    let was_there = api.hems.store.remove_account(name, condition).await?;
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(unknown()) }
}

fn unknown() -> Problem {
    Problem::not_found("there is no such account")
}

/// A subject is at most 255 characters. (OpenID Connect Core 2)
fn subject(text: String) -> Result<String, Problem> {
    if (1..=255).contains(&text.len()) && text.chars().all(|c| c.is_ascii() && !c.is_control()) {
        return Ok(text);
    }
    Err(Problem::invalid(
        "`subject` is the `sub` of the identity provider: 1 to 255 ASCII characters, none of them a control character",
    ))
}

/// What hinders something new.
pub(super) fn added(adding: Adding) -> Result<(), Problem> {
    match adding {
        Adding::Added => Ok(()),
        Adding::Taken => {
            Err(Problem::conflict("the name, the subject or the certificate is somebody else's"))
        }
        Adding::Full => Err(Problem::too_many("there are too many already; remove some")),
    }
}
