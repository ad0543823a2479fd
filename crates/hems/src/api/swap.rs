//! `/api/v1/devices/{identity}/swap`: one cell takes the place of another.

use axum::{extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Api, Object, Path, Problem, calls, devices, guard::About};
use crate::{
    blocks::{Kind, Rule},
    people::Caller,
    store::BlockRow,
};

/// Who takes the place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Successor {
    to: String,
}

/// Moves site, tags, labels, own values and draws to another admitted device, and blocks the one that they were of.
/// A device that serves already is a changed cell of the budget then.
pub(super) async fn swap(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
    Object(Successor { to }): Object<Successor>,
) -> Result<(StatusCode, About, ()), Problem> {
    let old = devices::find(&api, &caller, &identity).await?;
    let new = calls::admitted(&api, &caller, &to).await?;
    if old.identity == new.identity {
        return Err(Problem::invalid("`to` is another device"));
    }
    if new.is_blocked {
        return Err(Problem::conflict("the new device is blocked"));
    }
    let rule = Rule::parse(Kind::Identity, &old.identity);
    let rule = rule.map_err(|error| Problem::invalid(error.to_string()))?;
    let why = format!("replaced by {}", new.identity);
    let row = BlockRow::new(&rule, &why, &caller.name, api.hems.now());
    let spends = match new.in_service_at {
        Some(_) => Some((api.hems.changes, api.hems.store.count_admitted().await?)),
        None => None,
    };
    let (from, to) = (old.identity, new.identity);
    let swapped = api.hems.store.swap(from.clone(), to.clone(), row, spends).await?;
    swapped.map_err(|error| Problem::conflict(&error.to_string()))?;
    api.hems.reload_blocks().await?;
    tracing::info!(device = from, by = to, "replaced");
    Ok((StatusCode::NO_CONTENT, About(format!("by {to}")), ()))
}
