//! `/api/v1/version`: which software answers.

use axum::Json;
use schemars::JsonSchema;
use serde::Serialize;

use super::Answer;

/// The software, and the TLS engine behind it.
#[derive(Serialize, JsonSchema)]
pub(super) struct Version {
    name: &'static str,
    version: &'static str,
    tls_engine: &'static str,
    profile: &'static str,
}

/// Shows the version.
pub(super) async fn show() -> Answer<Version> {
    Ok(Json(Version {
        name: "hearth",
        version: env!("CARGO_PKG_VERSION"),
        tls_engine: profile::engine(),
        profile: profile::Profile::TS33320.name,
    }))
}
