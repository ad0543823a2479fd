//! `/api/v1/templates`: what is desired of which devices.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
};
use serde::Serialize;

use super::{Answer, Api, Page, Problem};
use crate::template::{Template, check, is_name};

/// A template with its name.
#[derive(Serialize)]
pub(super) struct TemplateView {
    name: String,
    #[serde(flatten)]
    template: Template,
}

/// Lists all templates.
pub(super) async fn list(State(api): State<Api>) -> Answer<Page<TemplateView>> {
    let templates = api.hems.store.templates().await?;
    let items = templates.into_iter().map(|(name, template)| TemplateView { name, template }).collect();
    Ok(Json(Page { items, next_page_token: None }))
}

/// Shows one.
pub(super) async fn show(State(api): State<Api>, Path(name): Path<String>) -> Answer<TemplateView> {
    let templates = api.hems.store.templates().await?;
    let found = templates.into_iter().find(|(other, _)| *other == name);
    let (name, template) = found.ok_or_else(|| Problem::not_found("there is no such template"))?;
    Ok(Json(TemplateView { name, template }))
}

/// Saves one, if nothing is wrong with it; devices follow in their next session.
pub(super) async fn put(
    State(api): State<Api>,
    Path(name): Path<String>,
    body: Result<Json<Template>, JsonRejection>,
) -> Answer<TemplateView> {
    let Json(template) = body?;
    if !is_name(&name) {
        return Err(Problem::invalid("a name has 1 to 64 of a-z, 0-9, - and _"));
    }
    let pools = api.hems.store.pools().await?.into_iter().map(|(name, pool, _)| (name, pool)).collect();
    let complaints = check(&template, api.hems.mode, &pools, &api.hems.model);
    if !complaints.is_empty() {
        return Err(Problem::complaints(complaints));
    }
    api.hems.store.put_template(name.clone(), &template, api.hems.now()).await?;
    Ok(Json(TemplateView { name, template }))
}

/// Deletes one; what it set stays set.
pub(super) async fn delete(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<axum::http::StatusCode, Problem> {
    if api.hems.store.delete_template(name, api.hems.now()).await? {
        Ok(axum::http::StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("there is no such template"))
    }
}
