//! The audit log's lines. The chain is extended inside the writer's transaction, so that no two nodes write one number.

use super::{Store, StoreError, Tx, query, query_as};
use crate::people::audit::{AuditChain, Event};

impl Store {
    /// Appends an event; it is durable when this returns.
    pub(crate) async fn note(&self, event: Event) -> Result<(), StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { append(tx, &event).await })).await
    }

    /// Lines after a number, the earliest first, with their hashes.
    pub(crate) async fn audit_lines(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, String, String)>, StoreError> {
        let query =
            query_as("SELECT number, line, hash FROM audit_log WHERE number > $1 ORDER BY number LIMIT $2");
        Ok(query.bind(after).bind(limit).fetch_all(&self.reads).await?)
    }

    /// Alters a line as somebody would who has the database.
    #[cfg(test)]
    pub(crate) async fn forge(&self, number: i64, from: &'static str, to: &'static str) {
        let forged = self.writer.commit(move |tx| {
            Box::pin(async move {
                let update = query("UPDATE audit_log SET line = replace(line, $2, $3) WHERE number = $1");
                Ok(update.bind(number).bind(from).bind(to).execute(tx).await?.rows_affected())
            })
        });
        assert_eq!(forged.await.unwrap(), 1);
    }

    /// The end of the chain.
    pub(crate) async fn audit_end(&self) -> Result<AuditChain, StoreError> {
        let query = query_as("SELECT number, hash FROM audit_end");
        let (number, hash): (i64, String) = query.fetch_one(&self.reads).await?;
        Ok(AuditChain::at(number, hash))
    }
}

async fn append(tx: &mut Tx, event: &Event) -> Result<(), StoreError> {
    let (number, hash): (i64, String) =
        query_as("SELECT number, hash FROM audit_end").fetch_one(&mut *tx).await?;
    let mut chain = AuditChain::at(number, hash);
    let (line, hash) = event.append(&mut chain);
    query("INSERT INTO audit_log (number, line, hash) VALUES ($1, $2, $3)")
        .bind(chain.number())
        .bind(line)
        .bind(&hash)
        .execute(&mut *tx)
        .await?;
    query("UPDATE audit_end SET number = $1, hash = $2").bind(chain.number()).bind(&hash).execute(tx).await?;
    Ok(())
}
