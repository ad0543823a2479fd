//! `/api/v1/roles`: which role may do what, from the table of operations.

use axum::Json;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, Page, rules};
use crate::people::{Right, Role};

/// A role and what it may do.
#[derive(Serialize, JsonSchema)]
pub(super) struct RoleView {
    role: &'static str,
    operations: Vec<OperationView>,
}

/// An operation, and where it is.
#[derive(Serialize, JsonSchema)]
struct OperationView {
    id: &'static str,
    method: &'static str,
    path: &'static str,
}

/// Lists every role.
pub(super) async fn list() -> Answer<Page<RoleView>> {
    let view = |role: Role| RoleView {
        role: role.name(),
        operations: rules()
            .iter()
            .filter(|rule| rule.right != Right::Open && rule.right.permits(role))
            .map(|rule| OperationView { id: rule.id, method: rule.method, path: rule.path })
            .collect(),
    };
    Ok(Json(Page { items: Role::ALL.map(view).into(), next_page_token: None }))
}
