//! Who is admitted: the roster file, imported at start and again when an unknown cell calls and the file changed.
//!
//! The binding of an identity to its DeviceId is written here or by an operator, and nowhere else. (decision 7)

use std::{
    fs::Metadata,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use jiff::Timestamp;
use profile::Identity;
use serde::Deserialize;

use crate::store::{Admission, Binding, Store, StoreError};

/// Bytes of a roster: a million cells.
const ROSTER_BYTES_MAX: u64 = 128 << 20;
/// Cells admitted by one commit.
const BATCH: usize = 1000;

/// The roster file and the version of it that was imported last.
pub(crate) struct Roster {
    path: Option<PathBuf>,
    imported: Mutex<Option<(SystemTime, u64)>>,
}

/// One line of the roster.
#[derive(Debug, Deserialize)]
struct Line {
    identity: String,
    oui: String,
    product_class: String,
    serial: String,
}

/// Why a row cannot be admitted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdmissionError {
    /// The identity is none.
    #[error("the identity: {0}")]
    Identity(#[from] profile::IdentityError),
    /// The OUI has another form. (I-05)
    #[error("the OUI is six hexadecimal digits")]
    Oui,
    /// A text is empty or too long. (H-27)
    #[error("product class and serial number have at most 64 characters, and the serial number at least one")]
    Length,
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
    pub(crate) async fn refresh(&self, store: &Store, now: Timestamp) -> Result<bool, RosterError> {
        let Some(path) = &self.path else { return Ok(false) };
        let version = version(&tokio::fs::metadata(path).await?);
        if version.1 > ROSTER_BYTES_MAX {
            return Err(RosterError::Size);
        }
        if *self.imported.lock().unwrap_or_else(PoisonError::into_inner) == Some(version) {
            return Ok(false);
        }
        let text = tokio::fs::read(path).await?;
        import(store, path, &text, now).await?;
        *self.imported.lock().unwrap_or_else(PoisonError::into_inner) = Some(version);
        Ok(true)
    }
}

fn version(metadata: &Metadata) -> (SystemTime, u64) {
    (metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len())
}

async fn import(store: &Store, path: &Path, text: &[u8], now: Timestamp) -> Result<(), StoreError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let mut batch = Vec::new();
    for (index, line) in reader.deserialize::<Line>().enumerate() {
        let admitted = line.map_err(|error| error.to_string()).and_then(|line| {
            check(&line.identity, &line.oui, &line.product_class, &line.serial)
                .map_err(|error| error.to_string())
        });
        match admitted {
            Ok(row) => batch.push(row),
            Err(error) => {
                tracing::warn!(path = %path.display(), line = index + 2, error, "a cell is not admitted");
            }
        }
        if batch.len() >= BATCH {
            admit(store, std::mem::take(&mut batch), now).await?;
        }
    }
    admit(store, batch, now).await
}

async fn admit(store: &Store, batch: Vec<(Identity, Binding)>, now: Timestamp) -> Result<(), StoreError> {
    if batch.is_empty() {
        return Ok(());
    }
    let identities: Vec<Identity> = batch.iter().map(|(identity, _)| identity.clone()).collect();
    for (identity, outcome) in identities.iter().zip(store.admit(batch, now).await?) {
        match outcome {
            Admission::New | Admission::Same => {}
            Admission::OtherBinding => {
                tracing::warn!(%identity, "the roster names another DeviceId than the one admitted; that one stays");
            }
            Admission::BindingTaken => {
                tracing::warn!(%identity, "the roster names a DeviceId that belongs to another identity");
            }
        }
    }
    Ok(())
}

/// Checks who shall be admitted as what.
pub(crate) fn check(
    identity: &str,
    oui: &str,
    product_class: &str,
    serial: &str,
) -> Result<(Identity, Binding), AdmissionError> {
    let identity = Identity::parse(identity)?;
    if oui.len() != 6 || !oui.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(AdmissionError::Oui);
    }
    if product_class.len() > 64 || serial.len() > 64 || serial.is_empty() {
        return Err(AdmissionError::Length);
    }
    let binding = Binding {
        oui: oui.to_ascii_uppercase(),
        product_class: product_class.to_owned(),
        serial: serial.to_owned(),
    };
    Ok((identity, binding))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn i12_the_roster_is_imported_again_only_when_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db"), Arc::new(())).await.unwrap();
        let path = folder.path().join("identities.csv");
        let header = "identity,oui,product_class,serial\n";
        let first = "00005e005301.hnb.example,00005E,C,1\nnonsense,00005E,C,2\n";
        std::fs::write(&path, format!("{header}{first}")).unwrap();
        let roster = Roster::new(Some(path.clone()));
        let now = Timestamp::UNIX_EPOCH;
        assert!(roster.refresh(&store, now).await.unwrap());
        assert!(!roster.refresh(&store, now).await.unwrap());
        assert_eq!(store.devices("", 10).await.unwrap().len(), 1);
        std::fs::write(&path, format!("{header}{first}00005e005303.hnb.example,00005e,C,3\n")).unwrap();
        assert!(roster.refresh(&store, now).await.unwrap());
        let devices = store.devices("", 10).await.unwrap();
        assert_eq!(devices.len(), 2);
        assert_eq!(devices[1].oui.as_deref(), Some("00005E"));
    }
}
