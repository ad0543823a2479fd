//! Who is admitted: lists of identities, from the roster file and from operators.
//!
//! The roster is imported at start and again when an unknown cell calls and the file changed. The binding of an
//! identity to its DeviceId is written here or by an operator, and nowhere else. (decision 7)

mod rows;

use std::{
    fs::Metadata,
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use cwmp::Inform;
use jiff::Timestamp;
use profile::Identity;
use serde::Serialize;

pub(crate) use rows::{AdmissionError, RowError, check, line_of, read};

use crate::{
    config::Policies,
    radio,
    store::{Admission, Binding, Store, StoreError},
};

/// Bytes of a roster: a million cells.
const ROSTER_BYTES_MAX: u64 = 128 << 20;
/// Cells admitted by one commit: other commits wait for it some tenths of a second.
const BATCH: usize = 5000;

/// The roster file and the version of it that was imported last.
pub(crate) struct Roster {
    path: Option<PathBuf>,
    imported: Mutex<Option<(SystemTime, u64)>>,
}

/// What became of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Admitted")]
pub(crate) struct Summary {
    /// How many are admitted now that were not.
    pub(crate) admitted: usize,
    /// How many were already, with the same DeviceId.
    pub(crate) same: usize,
    /// Good rows that contradict what is there.
    pub(crate) conflicts: Vec<RowError>,
    /// Rows that cannot be read.
    pub(crate) errors: Vec<RowError>,
    /// Whose DeviceId is claimed twice: their sessions end.
    #[serde(skip)]
    pub(crate) stopped: Vec<Identity>,
}

/// Why the roster could not be imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RosterError {
    /// The file.
    #[error("the roster cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Its size.
    #[error("the roster is larger than {ROSTER_BYTES_MAX} bytes")]
    Size,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Roster {
    /// A roster that was not imported yet.
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self { path, imported: Mutex::new(None) }
    }

    /// Imports the file if it is another than last time; whether it was.
    pub(crate) async fn refresh(
        &self,
        store: &Store,
        policies: Policies,
        now: Timestamp,
    ) -> Result<bool, RosterError> {
        let Some(path) = &self.path else { return Ok(false) };
        let version = version(&tokio::fs::metadata(path).await?);
        if version.1 > ROSTER_BYTES_MAX {
            return Err(RosterError::Size);
        }
        if *self.imported.lock().unwrap_or_else(PoisonError::into_inner) == Some(version) {
            return Ok(false);
        }
        let text = tokio::fs::read(path).await?;
        let summary = import(store, &text, policies, false, now).await?;
        for RowError { place, message, .. } in summary.errors.iter().chain(&summary.conflicts) {
            tracing::warn!(path = %path.display(), place, message, "a row of the roster is not admitted");
        }
        *self.imported.lock().unwrap_or_else(PoisonError::into_inner) = Some(version);
        Ok(true)
    }
}

fn version(metadata: &Metadata) -> (SystemTime, u64) {
    (metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len())
}

/// Admits a list; where `strict`, all of it or nothing.
pub(crate) async fn import(
    store: &Store,
    text: &[u8],
    policies: Policies,
    strict: bool,
    now: Timestamp,
) -> Result<Summary, StoreError> {
    let mut summary = Summary::default();
    let size = if strict { usize::MAX } else { BATCH };
    let mut rows = read(text).peekable();
    while rows.peek().is_some() {
        let batch = summary.sort(rows.by_ref().take(size), policies);
        let pairs = batch.iter().map(|row| (row.identity.clone(), row.binding.clone())).collect();
        // What cannot be read hides nothing of what contradicts.
        let outcomes = if strict && !summary.errors.is_empty() {
            store.rehearse_admission(pairs, now).await?
        } else {
            store.admit(pairs, strict, now).await?
        };
        for (row, outcome) in batch.iter().zip(outcomes) {
            summary.count(row, &outcome);
        }
    }
    if strict && !summary.is_whole() {
        summary = Summary { admitted: 0, same: 0, stopped: Vec::new(), ..summary };
    }
    Ok(summary)
}

impl Summary {
    /// Whether every row was taken.
    pub(crate) fn is_whole(&self) -> bool {
        self.errors.is_empty() && self.conflicts.is_empty()
    }

    /// The good ones of some rows; what is wrong with the others is kept.
    fn sort(&mut self, rows: impl Iterator<Item = rows::Outcome>, policies: Policies) -> Vec<rows::Row> {
        let permitted = |row: rows::Row| match policies.permits(&row.identity, &row.binding) {
            Ok(()) => Ok(row),
            Err(error) => Err(RowError {
                place: row.place,
                identity: Some(row.identity.to_string()),
                message: error.to_string(),
            }),
        };
        let mut good = Vec::new();
        for row in rows {
            match row.and_then(permitted) {
                Ok(row) => good.push(row),
                Err(error) => self.errors.push(error),
            }
        }
        good
    }

    fn count(&mut self, row: &rows::Row, outcome: &Admission) {
        match outcome {
            Admission::New => self.admitted += 1,
            Admission::Same => self.same += 1,
            Admission::OtherBinding(_) | Admission::ClaimedTwice(_) => self.conflicts.push(RowError {
                place: row.place.clone(),
                identity: Some(row.identity.to_string()),
                message: contradiction(outcome),
            }),
        }
        if let Admission::ClaimedTwice(others) = outcome {
            let others = others.iter().filter_map(|other| Identity::parse(other).ok());
            self.stopped.extend(others.chain([row.identity.clone()]));
        }
    }
}

/// What a conflict is, and what an operator does about it.
pub(crate) fn contradiction(outcome: &Admission) -> String {
    match outcome {
        Admission::New | Admission::Same => String::new(),
        Admission::OtherBinding(bound) => format!(
            "the identity is admitted as {bound}, which stays; where that is wrong, withdraw it from admission first"
        ),
        Admission::ClaimedTwice(others) => format!(
            "the DeviceId is admitted for {} too: all are stopped until all but one are withdrawn from admission",
            others.join(", ")
        ),
    }
}

impl Policies {
    /// Whether an identity may be admitted with a binding. (I-05)
    pub(crate) fn permits(self, identity: &Identity, binding: &Binding) -> Result<(), AdmissionError> {
        let eui = identity.oui();
        if self.refuses_other_oui && eui != binding.oui {
            return Err(AdmissionError::OuiMismatch { oui: binding.oui.clone(), eui });
        }
        Ok(())
    }
}

/// What is odd about the OUI of an Inform: by kind, as misbehaviour is counted. (I-05)
pub(crate) fn odd_oui(identity: &Identity, inform: &Inform) -> Vec<&'static str> {
    let oui = &*inform.device_id.oui;
    let shown = inform.parameter_list.iter().find(|parameter| parameter.name == radio::OUI);
    let is_form = oui.len() == 6 && oui.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    [
        (!is_form, "oui_form"),
        (shown.is_some_and(|parameter| parameter.value.text != oui), "oui_contradiction"),
        (!oui.eq_ignore_ascii_case(&identity.oui()), "oui_mismatch"),
    ]
    .into_iter()
    .filter_map(|(is_odd, kind)| is_odd.then_some(kind))
    .collect()
}

#[cfg(test)]
mod tests;
