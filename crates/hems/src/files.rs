//! Files for cells and from cells: their kinds, where their contents lie, and what they may take. (decision 10)
//!
//! What is known of a file is a row of the store; its content is an object under a random name of its own.
//!
//! ```text
//!  person ──POST /api/v1/files──▶ receive ─▶ contents, row ─▶ Download names …/files/TOKEN ──GET──▶ cell
//!  person ◀──/files/ID/content── contents, row ◀─ receive ◀──PUT── cell ◀─ Upload names …/files/TOKEN
//! ```

mod clean;
mod firmware;
mod offer;
mod receive;

use std::{fs::DirBuilder, io, os::unix::fs::DirBuilderExt, path::PathBuf, time::Duration};

use futures_util::stream::Stream;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path};
use profile::HemsUrl;
use tokio::sync::Semaphore;

pub(crate) use clean::clean;
pub(crate) use offer::{download, new_url};
pub(crate) use receive::{Arriving, FileError, drop_content, receive};

use crate::{config::Filing, hex, people::secret::SecretError};

/// How long one transfer may take: an image over a line of 2 Mbit/s. What is slower holds a connection for nothing.
pub(crate) const TRANSFER_MAX: Duration = Duration::from_secs(3600);
/// Files that come in at a time; each has a buffer, and a connection.
const ARRIVING_MAX: usize = 256;
/// Bytes of randomness in a token and in a content's name.
const NAME_BYTES: usize = 16;
/// Characters of a file's name.
const NAME_MAX: usize = 128;
/// Where files are below the authority of the URL that cells are given.
pub(crate) const PATH: &str = "/files/";
/// The place below [`PATH`] to which each cell sends its measurements; it never changes, and is the same for all.
pub(crate) const MEASUREMENTS: &str = "measurements";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[schemars(rename = "FileKind")]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// An image behind its signed manifest.
    Firmware,
    /// What a management system may write of a cell.
    Configuration,
    /// What a cell said.
    Log,
    /// What a cell counted. (TS 32.435)
    Measurement,
}

impl Kind {
    /// Its name in rows and in the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::Configuration => "configuration",
            Self::Log => "log",
            Self::Measurement => "measurement",
        }
    }

    /// The kind of a row.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Firmware, Self::Configuration, Self::Log, Self::Measurement]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// The FileType with which a cell fetches it; nothing where it has no use for it. (TR-069 A.3.2.8)
    pub(crate) fn to_download(self) -> Option<&'static str> {
        match self {
            Self::Firmware => Some("1 Firmware Upgrade Image"),
            Self::Configuration => Some("3 Vendor Configuration File"),
            Self::Log | Self::Measurement => None,
        }
    }

    /// The FileType with which a cell sends it; nothing where it sends it by itself, or never. (TR-069 A.4.1.5)
    pub(crate) fn to_upload(self) -> Option<&'static str> {
        match self {
            Self::Configuration => Some("1 Vendor Configuration File"),
            Self::Log => Some("2 Vendor Log File"),
            Self::Firmware | Self::Measurement => None,
        }
    }
}

/// The contents of files, and what they may take.
pub(crate) struct Files {
    contents: LocalFileSystem,
    pub(crate) filing: Filing,
    arriving: Semaphore,
}

/// A content's bytes as they are read.
pub(crate) type Reading =
    std::pin::Pin<Box<dyn Stream<Item = object_store::Result<bytes::Bytes>> + Send + 'static>>;

impl Files {
    /// Opens the folder of the contents, and makes it where it is missing.
    ///
    /// # Errors
    /// It cannot be made or used.
    pub(crate) fn open(filing: Filing) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&filing.folder)?;
        let contents = LocalFileSystem::new_with_prefix(&filing.folder)?.with_fsync(true);
        Ok(Self { contents, filing, arriving: Semaphore::new(ARRIVING_MAX) })
    }

    /// Reads a content, or a part of it.
    pub(crate) async fn read(
        &self,
        content: &str,
        part: Option<std::ops::Range<u64>>,
    ) -> object_store::Result<Reading> {
        let options = GetOptions { range: part.map(GetRange::Bounded), ..GetOptions::default() };
        Ok(self.contents.get_opts(&Path::from(content), options).await?.into_stream())
    }

    /// Deletes a content, with what an upload left of it that a power cut ended; one that is not there is deleted.
    async fn delete(&self, content: &str) -> object_store::Result<()> {
        let _ = tokio::fs::remove_file(self.staged(content)).await;
        match self.contents.delete(&Path::from(content)).await {
            Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Where the crate writes a content before it has its name. Names are random, so there is no second one.
    fn staged(&self, content: &str) -> PathBuf {
        self.filing.folder.join(format!("{content}#1"))
    }
}

/// A name that nobody guesses, and that is given once.
pub(crate) fn token() -> Result<String, SecretError> {
    hex::random::<NAME_BYTES>().ok_or(SecretError::Randomness)
}

/// The URL of something below [`PATH`], as cells reach it.
pub(crate) fn url(base: &HemsUrl, below: &str) -> String {
    let scheme = if base.is_https() { "https" } else { "http" };
    format!("{scheme}://{}{PATH}{below}", base.authority())
}

/// Whether a text can be a file's name: it is shown, and goes into a header.
pub(crate) fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+@ ".contains(&byte);
    (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// What [`is_name`] asks for, in the words of JSON Schema.
pub(crate) const NAME: &str = "^[A-Za-z0-9._+@ -]{1,128}$";

/// What [`is_name`] asks for, in words.
pub(crate) const NAME_RULE: &str = "a file's name has 1 to 128 ASCII letters, digits, blanks and . _ - + @";

#[cfg(test)]
mod tests;
