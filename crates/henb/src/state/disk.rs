//! How the state lies on the disk: JSON that opens with the digest of all that follows it.
//!
//! It is replaced whole: written beside, flushed, renamed, and the folder flushed, so that a reader finds the old state
//! or the new one and nothing between. The state before stays beside it: where a disk lied and the new one is away, torn,
//! or has another digest, the cell goes on from there, and says so.
//!
//! ```text
//!   {"sha256":"<64 digits>","format":1, … }     the digest is of what follows its comma
//!             {"format":1, … }                  from before the digest: read, and saved with one
//! ```

use std::{fs, io, path::Path};

use profile::Sha256;
use serde::de::Error;

use super::{FORMAT, State, StateError};
use crate::durable;

/// The file's name in the state folder.
pub const STATE_FILE: &str = "state.json";

/// The state before, in the same folder.
pub(super) const FORMER: &str = "state.json.old";

/// What was found torn, for whoever looks into it.
const TORN: &str = "state.json.torn";

/// How a state begins.
const MARK: &[u8] = br#"{"sha256":""#;

/// How one began before it had a digest: no flipped bit makes one mark of the other.
const UNMARKED: &[u8] = br#"{"format":"#;

/// Hexadecimal digits of a digest.
const DIGITS: usize = 64;

/// Between the digest and what it is of.
const SEAM: &[u8] = br#"","#;

/// Reads the state of a folder; where it is away or damaged, the one before it, with a note that says so.
///
/// # Errors
/// There is a state that cannot be used, and none before it.
pub(crate) fn newest(folder: &Path) -> Result<(Option<State>, Option<String>), StateError> {
    match read(&folder.join(STATE_FILE)) {
        Err(StateError::Unreadable { path, source }) => match read(&folder.join(FORMER)) {
            Ok(Some(former)) => Ok(instead(former, &format!("is damaged: {source}"))),
            Ok(None) | Err(_) => Err(StateError::Unreadable { path, source }),
        },
        Ok(None) => {
            let former = read(&folder.join(FORMER))?;
            Ok(former.map_or((None, None), |former| instead(former, "is missing")))
        }
        found => Ok((found?, None)),
    }
}

fn instead(former: State, why: &str) -> (Option<State>, Option<String>) {
    let note = format!("the state {} is used, the one after it in {STATE_FILE} {why}", former.number);
    (Some(former), Some(note))
}

/// Puts the former state in the place of the one that is away or damaged: the next save must not lose it.
pub(super) fn set_aside(folder: &Path) -> io::Result<()> {
    let path = folder.join(STATE_FILE);
    fs::rename(&path, folder.join(TORN)).or_else(unless_missing)?;
    fs::rename(folder.join(FORMER), &path)
}

/// Writes a state, and keeps the one that it replaces.
pub(super) fn write(folder: &Path, state: &State) -> io::Result<()> {
    let (path, former) = (folder.join(STATE_FILE), folder.join(FORMER));
    let beside = durable::write_beside(&path, &encode(state)?)?;
    if path.exists() {
        // A whole state stays under one of both names, whenever the power goes.
        fs::remove_file(&former).or_else(unless_missing)?;
        fs::hard_link(&path, &former).or_else(|_| fs::rename(&path, &former))?;
    }
    durable::take_place(&beside, &path)
}

fn read(path: &Path) -> Result<Option<State>, StateError> {
    let path = path.to_owned();
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::Io { path, source }),
    };
    match decode(&bytes) {
        Ok(state) if state.format == FORMAT => Ok(Some(state)),
        Ok(state) => Err(StateError::Format { path, found: state.format }),
        Err(source) => Err(StateError::Unreadable { path, source }),
    }
}

fn encode(state: &State) -> serde_json::Result<Vec<u8>> {
    let json = serde_json::to_vec(state)?;
    let rest = json.get(1..).unwrap_or_default();
    Ok([MARK, digest(rest).as_bytes(), SEAM, rest].concat())
}

fn decode(bytes: &[u8]) -> serde_json::Result<State> {
    if !bytes.starts_with(UNMARKED) && !is_as_written(bytes) {
        return Err(Error::custom("its SHA-256 is another one than that of what was written"));
    }
    serde_json::from_slice(bytes)
}

fn is_as_written(bytes: &[u8]) -> bool {
    let (said, rest) = bytes.strip_prefix(MARK).and_then(|rest| rest.split_at_checked(DIGITS)).unzip();
    let rest = rest.and_then(|rest| rest.strip_prefix(SEAM));
    rest.is_some_and(|rest| said == Some(digest(rest).as_bytes()))
}

fn digest(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish()
}

fn unless_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
