//! `/api/v1/me`: who one is here and what one may, and one's own password.

use axum::{Json, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Api, Object, Problem, operation::Rule, rules};
use crate::people::{Caller, Scope, secret};

/// Who asks.
#[derive(Serialize, JsonSchema)]
pub(super) struct MeView {
    name: String,
    /// `local`, `login`, `token PREFIX` or `certificate SHA-256`.
    proof: String,
    /// What is permitted must be permitted by each: a token has its account's role and its own.
    roles: Vec<&'static str>,
    /// Which devices; empty is all.
    scopes: Vec<Scope>,
    /// The operations that are permitted, by name.
    operations: Vec<&'static str>,
}

impl MeView {
    /// What there is to say of a caller.
    pub(super) fn of(caller: &Caller) -> Self {
        let is_permitted =
            |rule: &&Rule| caller.may(rule.right) && (caller.is_everywhere() || rule.is_for_any_scope());
        Self {
            name: caller.name.clone(),
            proof: caller.proof.name(),
            roles: caller.grants.iter().map(|grant| grant.role.name()).collect(),
            scopes: caller.grants.iter().filter_map(|grant| grant.scope.clone()).collect(),
            operations: rules().iter().filter(is_permitted).map(|rule| rule.id).collect(),
        }
    }
}

/// The present password, and the next one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    present: String,
    #[schemars(length(min = *secret::PASSWORD.start(), max = *secret::PASSWORD.end()))]
    next: String,
}

/// Shows who asks.
pub(super) async fn show(caller: Caller) -> Answer<MeView> {
    Ok(Json(MeView::of(&caller)))
}

/// Changes one's own password; every login ends, this one too.
pub(super) async fn put_password(
    State(api): State<Api>,
    caller: Caller,
    Object(NewPassword { present, next }): Object<NewPassword>,
) -> Result<StatusCode, Problem> {
    let Some(name) = caller.account() else {
        return Err(Problem::conflict("you have no account here, and so no password"));
    };
    api.desk.attempt(name, caller.source, api.hems.now())?;
    let account = api.hems.store.account(name).await?.ok_or_else(Problem::unauthorised)?;
    if !api.desk.passwords.are_equal(present, account.password).await {
        return Err(Problem::forbidden("the present password is wrong".to_owned()));
    }
    api.desk.succeeded(name, caller.source);
    let hash = api.desk.passwords.hash(next).await?;
    api.hems.store.set_password(name.to_owned(), hash).await?;
    Ok(StatusCode::NO_CONTENT)
}
