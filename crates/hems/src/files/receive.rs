//! One file coming in, from a person or a cell: measured while it streams, and durable before it is said to be.
//!
//! Whatever goes wrong, nothing stays: the content is a stray from before its first byte, and is deleted at once, or by
//! [`clean`](super::clean()) where the process itself ended.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use object_store::{MultipartUpload, ObjectStoreExt, path::Path};
use profile::Sha256;

use super::{Kind, TRANSFER_MAX, firmware::Image, token};
use crate::{
    Hems,
    people::secret::SecretError,
    store::{FileRow, Full, NewFile, Quota, Store, StoreError, Stray},
};

/// How long a sender may say nothing.
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes that are written at a time.
const PART: usize = 64 * 1024;

/// What is known of a file before it comes.
#[derive(Clone, Debug)]
pub(crate) struct Arriving {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// The cell that sends it; nothing where a person does.
    pub(crate) identity: Option<String>,
    /// Through which URL; what came through it before gives way.
    pub(crate) origin: Option<String>,
    pub(crate) author: String,
    pub(crate) size_max: u64,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("the file is larger than {0} bytes")]
    TooLong(u64),
    #[error("the file is empty")]
    Empty,
    #[error("the file ended before its announced size, or the connection broke")]
    Broken,
    #[error("the file took too long")]
    TooSlow,
    #[error("too many files come in; try again later")]
    Busy,
    #[error("the files of this cell take all that one cell may have: files.device_mb")]
    DeviceFull,
    #[error("the files take all that they may have: files.total_mb")]
    Full,
    /// No cell would take it.
    #[error("no firmware that a cell would take: {0}")]
    Firmware(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Content(#[from] object_store::Error),
    #[error(transparent)]
    Randomness(#[from] SecretError),
}

/// What was measured of a content that is written.
struct Measured {
    size: u64,
    sha256: String,
    manifest: Option<String>,
}

/// Takes a file in. It goes to its end, well or badly, also where whoever asked for it is gone.
///
/// # Errors
/// Why it was not taken; nothing of it is left.
pub(crate) async fn receive<B>(hems: &Arc<Hems>, arriving: Arriving, body: B) -> Result<FileRow, FileError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    let hems = Arc::clone(hems);
    let task = tokio::spawn(async move { arrive(&hems, arriving, body).await });
    task.await.unwrap_or(Err(FileError::Broken))
}

async fn arrive<B>(hems: &Hems, arriving: Arriving, body: B) -> Result<FileRow, FileError>
where
    B: Body<Data = Bytes> + Send + Unpin,
{
    let Ok(_place) = hems.files.arriving.try_acquire() else { return Err(FileError::Busy) };
    let announced = body.size_hint().exact();
    if announced.is_some_and(|size| size > arriving.size_max) {
        return Err(FileError::TooLong(arriving.size_max));
    }
    let content = token()?;
    reserve(hems, &arriving, &content, announced.unwrap_or(arriving.size_max)).await?;
    let written = tokio::time::timeout(TRANSFER_MAX, write(hems, &arriving, &content, body)).await;
    let kept = match written.unwrap_or(Err(FileError::TooSlow)) {
        Ok(measured) => keep(hems, arriving, &content, measured).await,
        Err(error) => Err(error),
    };
    if kept.is_err() {
        drop_content(hems, &content).await;
    }
    kept
}

async fn reserve(hems: &Hems, arriving: &Arriving, content: &str, size: u64) -> Result<(), FileError> {
    let filing = &hems.files.filing;
    let quota = Quota { device: signed(filing.device_bytes), all: signed(filing.total_bytes) };
    let stray = Stray {
        content: content.to_owned(),
        identity: arriving.identity.clone(),
        size: signed(size),
        at: hems.now(),
    };
    hems.store.reserve(stray, quota).await?.map_err(|full| match full {
        Full::Device => FileError::DeviceFull,
        Full::All => FileError::Full,
    })
}

/// Writes the content; its name is there, and durable, only when all of it is.
async fn write<B>(hems: &Hems, arriving: &Arriving, content: &str, body: B) -> Result<Measured, FileError>
where
    B: Body<Data = Bytes> + Send + Unpin,
{
    let mut upload = hems.files.contents.put_multipart(&Path::from(content)).await?;
    match pour(hems, arriving, body, upload.as_mut()).await {
        Ok(measured) => {
            upload.complete().await?;
            Ok(measured)
        }
        Err(error) => {
            let _ = upload.abort().await;
            Err(error)
        }
    }
}

async fn pour<B>(
    hems: &Hems,
    arriving: &Arriving,
    mut body: B,
    upload: &mut dyn MultipartUpload,
) -> Result<Measured, FileError>
where
    B: Body<Data = Bytes> + Send + Unpin,
{
    let (mut hash, mut size, mut part) = (Sha256::new(), 0, BytesMut::with_capacity(PART));
    let mut image = (arriving.kind == Kind::Firmware).then(Image::default);
    while let Some(frame) =
        tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| FileError::TooSlow)?
    {
        let Ok(bytes) = frame.map_err(|_| FileError::Broken)?.into_data() else { continue };
        size += bytes.len() as u64;
        if size > arriving.size_max {
            return Err(FileError::TooLong(arriving.size_max));
        }
        hash.update(&bytes);
        if let Some(image) = &mut image {
            let taken = image.take(&bytes, &hems.files.filing.keys, hems.now());
            taken.map_err(FileError::Firmware)?;
        }
        part.extend_from_slice(&bytes);
        if part.len() >= PART {
            upload.put_part(part.split().freeze().into()).await?;
        }
    }
    if size == 0 {
        return Err(FileError::Empty);
    }
    if !part.is_empty() {
        upload.put_part(part.freeze().into()).await?;
    }
    let manifest = image.map(Image::finish).transpose().map_err(FileError::Firmware)?;
    let manifest = manifest.and_then(|manifest| serde_json::to_string(&manifest).ok());
    Ok(Measured { size, sha256: hash.finish(), manifest })
}

async fn keep(
    hems: &Hems,
    arriving: Arriving,
    content: &str,
    measured: Measured,
) -> Result<FileRow, FileError> {
    let file = NewFile {
        content: content.to_owned(),
        kind: arriving.kind.name(),
        name: arriving.name,
        origin: arriving.origin,
        size: signed(measured.size),
        sha256: measured.sha256,
        manifest: measured.manifest,
        author: arriving.author,
        at: hems.now(),
    };
    let id = hems.store.keep(file).await?.ok_or(FileError::TooSlow)?;
    hems.store.file(id).await?.ok_or(FileError::Broken)
}

/// Deletes a content that no file has; where that fails, the cleaning does it later.
pub(crate) async fn drop_content(hems: &Hems, content: &str) {
    let store: &Store = &hems.store;
    match hems.files.delete(content).await {
        Ok(()) => {
            if let Err(error) = store.forget(content.to_owned()).await {
                tracing::warn!(%error, "a content is deleted, and not forgotten yet");
            }
        }
        Err(error) => tracing::warn!(%error, "a content cannot be deleted now"),
    }
}

/// Sizes are far below this in bytes; a stored one is signed.
fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
