//! `/api/v1/openapi.json`: this API, for programs. (OpenAPI 3.1)
//!
//! It is the file that was committed; a test makes it of the table of operations and compares. So whoever reads the
//! project's pages and whoever asks a server read the same.

use super::describe::{self, Gives, Sketch};

/// The document.
pub(super) const DOCUMENT: &str = include_str!("../../../../docs/openapi.json");

/// JSON that was written before.
pub(super) struct Document;

impl axum::response::IntoResponse for Document {
    fn into_response(self) -> axum::response::Response {
        ([(axum::http::header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
    }
}

impl Gives for Document {
    fn gives(sketch: &mut Sketch) {
        describe::any(sketch, &["application/json"], serde_json::json!({"type": "object"}));
    }
}

/// Shows the OpenAPI document of this API.
pub(super) async fn show() -> Document {
    Document
}
