//! `/api/v1/files`: what people keep for cells, and what cells sent. Contents stream both ways.

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::IntoResponse,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Api, As, Limit, Page, Paging, Path, Problem, Tagged,
    describe::{self, Gives, Sketch},
    guard::About,
    json, time,
};
use crate::{
    files::{self, Arriving, FileError, Kind},
    people::Caller,
    store::{Condition, FileRow, Removal},
};

/// A file.
#[derive(Serialize, JsonSchema)]
pub(super) struct FileView {
    id: i64,
    kind: String,
    name: String,
    /// The cell that sent it; absent where a person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    /// Bytes.
    size: i64,
    sha256: String,
    /// What is signed of firmware.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<serde_json::Value>,
    author: String,
    added_at: String,
}

/// What a file is that comes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    kind: Kind,
    #[schemars(regex(pattern = files::NAME))]
    name: String,
}

/// Which files to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    kind: Option<Kind>,
    identity: Option<String>,
    limit: Option<Limit>,
    page_token: Option<String>,
}

impl From<FileRow> for FileView {
    fn from(row: FileRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            name: row.name,
            identity: row.identity,
            size: row.size,
            sha256: row.sha256,
            manifest: row.manifest.as_deref().map(json),
            author: row.author,
            added_at: time(row.at),
        }
    }
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Store(error) => error.into(),
            FileError::Randomness(error) => error.into(),
            FileError::Content(error) => {
                tracing::error!(%error, "the API cannot answer");
                Self::internal()
            }
            FileError::TooLong(_) => Self::too_large(error.to_string()),
            FileError::DeviceFull | FileError::Full => Self::no_room(error.to_string()),
            FileError::Busy => Self::unavailable(&error.to_string()),
            FileError::Empty | FileError::Broken | FileError::TooSlow | FileError::Firmware(_) => {
                Self::invalid(error.to_string())
            }
        }
    }
}

/// Lists files, the newest first.
pub(super) async fn list(
    State(api): State<Api>,
    query: Result<Query<Which>, QueryRejection>,
) -> Answer<Page<FileView>> {
    let Query(Which { kind, identity, limit, page_token }) = query?;
    let paging = Paging { limit, page_token, identity };
    let (before, limit) = (paging.before()?, paging.limit());
    let rows = api.hems.store.files(before, kind.map(Kind::name), paging.identity.as_deref(), limit).await?;
    let is_full = rows.len() == limit as usize;
    let next_page_token = rows.last().filter(|_| is_full).map(|row| row.id.to_string());
    Ok(Json(Page { items: rows.into_iter().map(FileView::from).collect(), next_page_token }))
}

/// Adds the body as a file; firmware is judged by what is signed of it.
pub(super) async fn add(
    State(api): State<Api>,
    caller: Caller,
    new: Result<Query<New>, QueryRejection>,
    body: Body,
) -> Result<(StatusCode, About, Json<FileView>), Problem> {
    let Query(New { kind, name }) = new?;
    if !files::is_name(&name) {
        return Err(Problem::invalid(files::NAME_RULE));
    }
    let arriving = Arriving {
        kind,
        name,
        identity: None,
        origin: None,
        author: caller.act("", api.hems.now())?.author,
        size_max: api.hems.files.filing.file_bytes,
    };
    let file = files::receive(&api.hems, arriving, body).await?;
    Ok((StatusCode::CREATED, About(format!("file {}", file.id)), Json(file.into())))
}

/// Shows one.
pub(super) async fn show(State(api): State<Api>, Path(id): Path<i64>) -> Result<Tagged<FileView>, Problem> {
    let file = find(&api, id).await?;
    Ok(Tagged::new(&file.clone(), file.into()))
}

/// Bytes.
pub(super) struct Content;

impl Gives for Content {
    fn gives(sketch: &mut Sketch) {
        sketch.has_tag = true;
        describe::any(sketch, &["application/octet-stream"], serde_json::json!({}));
    }
}

/// Gives its content.
pub(super) async fn fetch(State(api): State<Api>, Path(id): Path<i64>) -> Result<As<Content>, Problem> {
    let file = find(&api, id).await?;
    let content = api.hems.files.read(&file.content, None).await.map_err(FileError::from)?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, file.size.to_string()),
        (header::ETAG, format!("\"{}\"", file.sha256)),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file.name)),
    ];
    Ok((headers, Body::from_stream(content)).into_response().into())
}

/// Deletes one that no open call gives to a cell.
pub(super) async fn delete(
    State(api): State<Api>,
    Path(id): Path<i64>,
    condition: Condition,
) -> Result<StatusCode, Problem> {
    match api.hems.store.remove_file(id, api.hems.now(), condition).await? {
        Removal::Done(content) => {
            files::drop_content(&api.hems, &content).await;
            Ok(StatusCode::NO_CONTENT)
        }
        Removal::InUse => Err(Problem::conflict("a cell was told to fetch it, and has not reported yet")),
        Removal::Wanted(name) => Err(Problem::conflict(&format!(
            "`{name}` wants this software, and no other file has it for this product: let it want another one first"
        ))),
        Removal::None => Err(unknown()),
    }
}

async fn find(api: &Api, id: i64) -> Result<FileRow, Problem> {
    api.hems.store.file(id).await?.ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::not_found("there is no such file")
}
