//! How often which operation was asked for, and how that ended; without a name that a caller made up.

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};

use super::{Api, operation::Rule, rules};

/// Counts an answer when it begins: a stream of events has no end.
pub(super) async fn counted(State(api): State<Api>, request: Request, next: Next) -> Response {
    let rule = rule(&request);
    let response = next.run(request).await;
    let (operation, method) = rule.map_or(("none", "other"), |rule| (rule.id, rule.method));
    api.hems.metrics.asked(operation, method, response.status().as_u16());
    response
}

fn rule(request: &Request) -> Option<&'static Rule> {
    let path = request.extensions().get::<MatchedPath>()?.as_str();
    let method = if *request.method() == Method::HEAD { &Method::GET } else { request.method() };
    rules().iter().find(|rule| rule.path == path && rule.method == method.as_str())
}
