//! Cleaning: URLs that are over, files of cells and recorded sessions that were kept long enough, contents that nobody
//! has. One node does it.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::sync::watch;

use super::{TRANSFER_MAX, receive::drop_content};
use crate::{Hems, store::StoreError, turn::Turn};

/// How often: what is deleted by a person takes room no longer than this.
const PERIOD: Duration = Duration::from_secs(60);
/// After how long a content that no file has is nobody's: whoever writes one has given it up long before.
const STRAY_AFTER: SignedDuration = SignedDuration::from_secs(2 * TRANSFER_MAX.as_secs() as i64);

/// Cleans until `shutdown` turns true.
pub(crate) async fn clean(hems: Arc<Hems>, mut shutdown: watch::Receiver<bool>) {
    let mut turn = Turn::new("files");
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = shutdown.wait_for(|is_over| *is_over) => break,
        }
        if turn.is_ours(&hems).await
            && let Err(error) = once(&hems).await
        {
            tracing::error!(%error, "files are not cleaned");
        }
    }
    turn.leave(&hems).await;
}

/// Cleans a bounded number of each.
pub(super) async fn once(hems: &Hems) -> Result<(), StoreError> {
    let now = hems.now();
    hems.store.sweep_files(now, now - hems.files.filing.keeps).await?;
    hems.store.sweep_recordings(now, now - hems.keeps_recordings).await?;
    for content in hems.store.strays(now - STRAY_AFTER).await? {
        drop_content(hems, &content).await;
    }
    Ok(())
}
