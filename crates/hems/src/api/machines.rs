//! `/api/v1/machines`: programs that come with a client certificate.

use axum::{Json, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Api, Object, Page, Path, Problem, accounts::added, guard::About, time};
use crate::{
    people::{self, Role, Scope},
    store::MachineRow,
};

/// Characters of a subject: what the certificate's facts show at most.
const SUBJECT_MAX: usize = profile::MAX_TEXT;
/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

/// A machine.
#[derive(Serialize, JsonSchema)]
pub(super) struct MachineView {
    name: String,
    /// The SHA-256 of its certificate.
    fingerprint: Option<String>,
    /// The subject of its certificate, which one of `api.client_anchors` issued.
    subject: Option<String>,
    role: &'static str,
    scope: Option<String>,
    made_at: String,
}

/// Which certificate shall be whose.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMachine {
    #[schemars(regex(pattern = people::NAME))]
    name: String,
    #[schemars(regex(pattern = "^([0-9A-Fa-f]{2}:?){32}$"))]
    fingerprint: Option<String>,
    subject: Option<String>,
    role: Role,
    scope: Option<Scope>,
}

impl From<MachineRow> for MachineView {
    fn from(row: MachineRow) -> Self {
        Self {
            name: row.name,
            fingerprint: row.fingerprint,
            subject: row.subject,
            role: Role::read(&row.role).name(),
            scope: row.scope,
            made_at: time(row.made_at),
        }
    }
}

/// Lists every machine by name.
pub(super) async fn list(State(api): State<Api>) -> Answer<Page<MachineView>> {
    let rows = api.hems.store.machines().await?;
    Ok(Json(Page { items: rows.into_iter().map(MachineView::from).collect(), next_page_token: None }))
}

/// Says whose a certificate is.
pub(super) async fn add(
    State(api): State<Api>,
    Object(new): Object<NewMachine>,
) -> Result<(StatusCode, About, Json<MachineView>), Problem> {
    if !people::is_name(&new.name) {
        return Err(Problem::name());
    }
    if new.fingerprint.is_some() == new.subject.is_some() {
        return Err(Problem::invalid("a machine has a `fingerprint` or a `subject`, and not both"));
    }
    let row = MachineRow {
        name: new.name,
        fingerprint: new.fingerprint.as_deref().map(fingerprint).transpose()?,
        subject: new.subject.map(subject).transpose()?,
        role: new.role.name().to_owned(),
        scope: new.scope.map(String::from),
        made_at: api.hems.now().as_millisecond(),
    };
    added(api.hems.store.add_machine(row.clone()).await?)?;
    Ok((StatusCode::CREATED, About(row.name.clone()), Json(MachineView::from(row))))
}

/// Takes a machine away.
pub(super) async fn remove(State(api): State<Api>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let was_there = api.hems.store.remove_machine(name).await?;
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("there is no such machine")) }
}

/// A fingerprint as tools write it: with colons or without, in either case.
fn fingerprint(text: &str) -> Result<String, Problem> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    if digits.len() == DIGITS && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(digits.to_ascii_lowercase());
    }
    Err(Problem::invalid("`fingerprint` is the SHA-256 of the certificate: 64 hexadecimal digits"))
}

fn subject(text: String) -> Result<String, Problem> {
    let is_bounded = text.chars().count() <= SUBJECT_MAX && !text.chars().any(char::is_control);
    if is_bounded && profile::is_subject(&text) {
        return Ok(text);
    }
    Err(Problem::invalid(
        "`subject` is the certificate's distinguished name in its order, such as `CN=exporter, O=Acme`: each part is \
         TYPE=value, as CN, O, OU, C, L, ST, DC or Email, without blanks around `=`, and `, ` stands between parts",
    ))
}
