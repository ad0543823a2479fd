//! A firmware image on its way: from the connection into its place on the disk, piece by piece. (decision 10, W-02)
//!
//! ```text
//!   head ─▶ signature, model, version, size ─▶ room ─▶ saved ─▶ pieces ─▶ flushed, read again, hash ─▶ saved ─▶ boot
//! ```
//!
//! What is refused before the first save leaves both images as they were. A power cut at any place fetches again, or
//! boots what is whole.

use std::{fs::File, io, path::PathBuf};

use bytes::{Bytes, BytesMut};
use cwmp::{FaultCode, FaultStruct};
use profile::{FirmwareHead, FirmwareKey, FirmwareManifest, StatementError};
use tokio::{io::AsyncWriteExt, task::spawn_blocking};

use super::{Agent, DaemonError, trust::statement_fault};
use crate::{
    config::Config,
    firmware::{
        Event, Upgrade, admit,
        store::{self, Stored},
    },
    link::FileStream,
    transfer::{Transfer, fault},
};

/// The keys that may sign for this cell; one of a lab needs a lab. (decision 12)
pub(super) fn keys(config: &Config) -> Result<Vec<FirmwareKey>, DaemonError> {
    config
        .firmware
        .keys
        .iter()
        .map(|path| {
            if !config.lab && profile::is_lab(path)? {
                return Err(DaemonError::LabKey(path.clone()));
            }
            Ok(FirmwareKey::read(path)?)
        })
        .collect()
}

/// An image that was believed, and the first of its bytes.
struct Arrival {
    manifest: FirmwareManifest,
    file: File,
    path: PathBuf,
    begun: Bytes,
}

impl Agent {
    /// Takes an image in, so that the next boot runs it.
    pub(super) async fn take_image(
        &mut self,
        transfer: &Transfer,
        started: jiff::Timestamp,
        mut stream: FileStream,
    ) -> Result<Result<(), FaultStruct>, DaemonError> {
        let arrival = match self.judge(transfer, &mut stream).await {
            Ok(arrival) => arrival,
            Err(fault) => return Ok(Err(fault)),
        };
        self.cell.download_begins();
        self.save().await?;
        let manifest = arrival.manifest.clone();
        if let Err(fault) = write(transfer, arrival, &mut stream).await {
            self.cell.download_went(Event::DownloadFails, &fault.fault_string);
            return Ok(Err(fault));
        }
        self.cell.download_went(Event::Received, "");
        if let Err((event, fault)) = validate(self.cell.spare_file(), &manifest).await {
            self.cell.download_went(event, &fault.fault_string);
            return Ok(Err(fault));
        }
        let upgrade = Upgrade { transfer: transfer.clone(), started, told: None };
        self.cell.installed(&manifest, upgrade);
        tracing::info!(version = manifest.version, "a firmware image is installed, and boots next");
        Ok(Ok(()))
    }

    /// Everything that can be said before a byte of it is kept.
    async fn judge(&mut self, transfer: &Transfer, stream: &mut FileStream) -> Result<Arrival, FaultStruct> {
        let mut begun = BytesMut::new();
        let statement = |error: StatementError| statement_fault(&error);
        let (manifest, length) = loop {
            if let Some(head) = FirmwareHead::read(&begun).map_err(statement)? {
                let (keys, revoked) = (&self.keys, self.cell.images.state.revoked());
                let revoked = self.config.firmware.revoked.union(revoked).cloned().collect();
                let manifest = FirmwareManifest::open(head.statement, keys, &revoked, self.cell.now());
                break (manifest.map_err(statement)?, head.length);
            }
            let piece = stream.next().await.map_err(|error| transfer.link_fault(&error))?;
            begun.extend_from_slice(&piece.ok_or_else(|| too_short("in its head"))?);
        };
        admit(&manifest, &self.cell.product(), self.cell.now())?;
        self.check_size(transfer, &manifest, length)?;
        let path = self.cell.spare_file();
        let (place, size) = (path.clone(), manifest.size);
        let reserved = spawn_blocking(move || store::reserve(&place, size)).await;
        let file =
            reserved.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| no_room(&error))?;
        Ok(Arrival { manifest, file, path, begun: begun.split_off(length).freeze() })
    }

    fn check_size(
        &self,
        transfer: &Transfer,
        manifest: &FirmwareManifest,
        head: usize,
    ) -> Result<(), FaultStruct> {
        let (size, most) = (manifest.size, self.cell.images.most_bytes);
        if size > most {
            let text = format!("the image has {size} bytes, and there is room for {most}");
            return Err(fault(FaultCode::DOWNLOAD_FAILURE, text));
        }
        transfer.check_size(size.saturating_add(u64::try_from(head).unwrap_or(u64::MAX)))
    }

    /// Boots the image that is wanted, where another one runs; what is on its disk is read first. (W-07)
    pub(super) async fn start_wanted_image(&mut self) {
        let Some(wanted) = self.cell.wanted_image() else { return };
        let checked = spawn_blocking(move || wanted.check()).await;
        self.cell.start_image(checked.unwrap_or_else(|error| Err(error.to_string())));
    }
}

fn no_room(error: &io::Error) -> FaultStruct {
    fault(FaultCode::DOWNLOAD_FAILURE, format!("the image cannot be kept: {error}"))
}

fn too_short(place: &str) -> FaultStruct {
    fault(FaultCode::DOWNLOAD_INCOMPLETE, format!("the file ends {place}"))
}

/// Writes the pieces as they come: no more of the image than one is ever in memory.
async fn write(transfer: &Transfer, arrival: Arrival, stream: &mut FileStream) -> Result<(), FaultStruct> {
    let Arrival { manifest, file, path, begun } = arrival;
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(PIECE);
    let mut missing = manifest.size;
    let mut piece = begun;
    loop {
        let count = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        missing = missing
            .checked_sub(count)
            .ok_or_else(|| fault(FaultCode::FILE_CORRUPTED, "the file goes on after the image".to_owned()))?;
        file.write_all(&piece).await.map_err(|error| no_room(&error))?;
        match stream.next().await.map_err(|error| transfer.link_fault(&error))? {
            Some(next) => piece = next,
            None => break,
        }
    }
    if missing > 0 {
        return Err(too_short(&format!("{missing} bytes before the image does")));
    }
    file.flush().await.map_err(|error| no_room(&error))?;
    let (file, size) = (file.into_std().await, manifest.size);
    let flushed = spawn_blocking(move || store::flush(&path, &file, size)).await;
    flushed.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| no_room(&error))
}

/// How much is on its way to the disk at a time.
const PIECE: usize = 64 << 10;

/// Reads what lies on the disk.
async fn validate(path: PathBuf, manifest: &FirmwareManifest) -> Result<(), (Event, FaultStruct)> {
    let stored = Stored { path, size: manifest.size, sha256: manifest.sha256.to_ascii_lowercase() };
    match spawn_blocking(move || stored.check()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(text)) => Err((Event::ValidationFails, fault(FaultCode::FILE_CORRUPTED, text))),
        Err(error) => Err((Event::InstallationFails, fault(FaultCode::INTERNAL_ERROR, error.to_string()))),
    }
}
