//! A request's body, bounded while it streams: by bytes, by time, and by what all bodies together may take.

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one body that need no permit: nearly every envelope is shorter. (H-17)
const SMALL: usize = 64 * 1024;
/// Bytes of memory for all longer bodies together.
const LARGE_BYTES_MAX: usize = 256 << 20;
/// Bytes that are read and thrown away so that a peer which is still sending hears why it is refused.
const DISCARD_MAX: usize = 32 << 20;

/// Memory that long bodies share, in kilobytes.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_BYTES_MAX / 1024)))
    }
}

/// Why a body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// Longer than an envelope may be.
    TooLong,
    /// It took too long to come.
    TooSlow,
    /// It ended early or was no HTTP.
    Broken,
    /// Other long bodies take all the memory there is for them.
    Busy,
}

/// Bytes, and the memory that they were allowed.
pub(super) struct Taken {
    pub(super) bytes: Vec<u8>,
    _permits: Vec<OwnedSemaphorePermit>,
}

/// Reads a body to its end.
pub(super) async fn read(
    body: Incoming,
    bytes_max: usize,
    patience: Duration,
    budget: &Budget,
) -> Result<Taken, BodyError> {
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > bytes_max) {
        // Nothing of it needs to come before it is refused.
        tokio::spawn(tokio::time::timeout(patience, discard(body, BodyError::TooLong)));
        return Err(BodyError::TooLong);
    }
    match tokio::time::timeout(patience, collect(body, bytes_max, budget)).await {
        Ok(taken) => taken,
        Err(_) => Err(BodyError::TooSlow),
    }
}

async fn collect(mut body: Incoming, bytes_max: usize, budget: &Budget) -> Result<Taken, BodyError> {
    let (mut bytes, mut permits) = (Vec::new(), Vec::new());
    let mut allowed = SMALL;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > bytes_max {
            return Err(discard(body, BodyError::TooLong).await);
        }
        if length > allowed {
            let kilobytes = u32::try_from((length - allowed).div_ceil(1024)).unwrap_or(u32::MAX);
            let Ok(permit) = Arc::clone(&budget.0).try_acquire_many_owned(kilobytes) else {
                return Err(discard(body, BodyError::Busy).await);
            };
            permits.push(permit);
            allowed = length.next_multiple_of(1024);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Taken { bytes, _permits: permits })
}

/// A peer that is cut off while it sends sees a reset instead of the answer.
async fn discard(mut body: Incoming, error: BodyError) -> BodyError {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await {
        discarded += frame.into_data().map_or(0, |data| data.len());
        if discarded > DISCARD_MAX {
            break;
        }
    }
    error
}
