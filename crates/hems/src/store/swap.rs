//! A cell is replaced by another: what is the place's goes over, in one transaction, and the old cell is shut out.
//!
//! ```text
//!  old ── site, tags, labels ── own values with their versions ── draws ──▶ new        old ──▶ block
//! ```

use super::{
    BlockRow, Blocking, ChangeError, Store, StoreError, Tx, block, call, change, inventory, query, query_as,
};
use crate::{change::Bounds, inventory::Place};

/// Why nothing was swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SwapError {
    #[error("the new device has values of its own: delete them first")]
    HasValues,
    #[error("there are as many blocks as there may be: remove some, the old device must be shut out")]
    Blocks,
    #[error("one of the devices is gone")]
    Gone,
}

impl Store {
    /// Moves what belongs to a place from one device to another, and blocks the first. `spends` is the fleet, where the
    /// other counts as a changed cell of the budget.
    pub(crate) async fn swap(
        &self,
        from: String,
        to: String,
        row: BlockRow,
        spends: Option<(Bounds, i64)>,
    ) -> Result<Result<(), SwapError>, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let swapped = swap(tx, &from, &to, &row).await?;
                    // Where the budget is spent, nothing is swapped: the error undoes it.
                    if let (Ok(()), Some((bounds, fleet))) = (&swapped, &spends) {
                        let spent = change::spend(tx, &to, bounds, *fleet, row.made_at).await?;
                        spent.map_err(ChangeError::from)?;
                    }
                    Ok(swapped)
                })
            })
            .await
    }
}

/// What may refuse comes before the first change: what is done here before a refusal is committed.
async fn swap(
    tx: &mut Tx,
    from: &str,
    to: &str,
    row: &BlockRow,
) -> Result<Result<(), SwapError>, StoreError> {
    let query = query_as("SELECT count(*) FROM template WHERE name = $1");
    let (values,): (i64,) = query.bind(to).fetch_one(&mut *tx).await?;
    if values > 0 {
        return Ok(Err(SwapError::HasValues));
    }
    let (Some(place), Some(_)) = (inventory::placed(tx, from).await?, inventory::placed(tx, to).await?)
    else {
        return Ok(Err(SwapError::Gone));
    };
    if block::block(tx, row).await? == Blocking::Full {
        return Ok(Err(SwapError::Blocks));
    }
    inventory::put(tx, to, &place).await?;
    inventory::put(tx, from, &Place::default()).await?;
    move_values(tx, from, to).await?;
    call::supersede(tx, from, None, row.made_at).await?;
    move_draws(tx, from, to).await?;
    Ok(Ok(()))
}

/// The device's own template carries its identity as its name; its versions and its changes go by that name.
async fn move_values(tx: &mut Tx, from: &str, to: &str) -> Result<(), StoreError> {
    for sql in [
        // Versions of values that the new device had once, and that were deleted.
        "DELETE FROM template_version WHERE name = $2 AND $1 <> $2",
        "UPDATE template_version SET name = $2 WHERE name = $1",
        "UPDATE template SET name = $2, identity = $2 WHERE name = $1",
        "UPDATE change SET name = $2, identity = $2 WHERE name = $1",
    ] {
        query(sql).bind(from).bind(to).execute(&mut *tx).await?;
    }
    Ok(())
}

/// What the new device drew of the same pools is free again.
async fn move_draws(tx: &mut Tx, from: &str, to: &str) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM draw WHERE identity = $2 AND pool IN (SELECT pool FROM draw WHERE identity = $1)",
        "UPDATE draw SET identity = $2 WHERE identity = $1",
    ] {
        query(sql).bind(from).bind(to).execute(&mut *tx).await?;
    }
    Ok(())
}
