//! Keys for session tickets, as the nodes share them: the first one that is written for a period is everybody's.

use super::{Store, StoreError, Tx, query, query_as};

impl Store {
    /// Offers keys for periods that have none, forgets those before `oldest`, and gives what the nodes agreed on.
    pub(crate) async fn agree_on_ticket_keys(
        &self,
        offered: Vec<(i64, Vec<u8>)>,
        oldest: i64,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { agree(tx, &offered, oldest).await })).await
    }
}

async fn agree(
    tx: &mut Tx,
    offered: &[(i64, Vec<u8>)],
    oldest: i64,
) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    for (period, sealed) in offered {
        query("INSERT INTO ticket_key (period, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(period)
            .bind(sealed)
            .execute(&mut *tx)
            .await?;
    }
    query("DELETE FROM ticket_key WHERE period < $1").bind(oldest).execute(&mut *tx).await?;
    Ok(query_as("SELECT period, sealed FROM ticket_key ORDER BY period").fetch_all(&mut *tx).await?)
}
