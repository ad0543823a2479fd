//! What cells claimed to be against their binding: shown on the claimant and on whose DeviceId it is. (I-06, P-20)
//!
//! A claim refuses the session that made it and stops nobody else: any cell of the fleet can claim anything.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Binding, Store, StoreError, Tx, ms, query, query_as};

/// Claims kept per identity: more than a swap or a repair makes; a liar drives out its own oldest.
const CLAIMS_PER_DEVICE: i64 = 10;

/// A claim that contradicts a binding.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct ClaimRow {
    pub(crate) identity: String,
    pub(crate) oui: String,
    pub(crate) product_class: String,
    pub(crate) serial: String,
    pub(crate) fingerprint: String,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) count: i64,
}

impl Store {
    /// Notes what the holder of a certificate claimed to be.
    pub(crate) async fn note_claim(
        &self,
        identity: String,
        claimed: Binding,
        fingerprint: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move { note(tx, &identity, &claimed, &fingerprint, ms(now)).await })
            })
            .await
    }

    /// What an identity claimed against its binding, newest first.
    pub(crate) async fn claims_of(&self, identity: &str) -> Result<Vec<ClaimRow>, StoreError> {
        let query = query_as("SELECT * FROM claim WHERE identity = $1 ORDER BY last_at DESC, serial");
        Ok(query.bind(identity).fetch_all(&self.reads).await?)
    }

    /// Who claimed to be this device and is not, newest first.
    pub(crate) async fn claimants_of(
        &self,
        identity: &str,
        binding: &Binding,
    ) -> Result<Vec<ClaimRow>, StoreError> {
        let query = query_as(
            "SELECT * FROM claim WHERE oui = $2 AND product_class = $3 AND serial = $4 AND identity <> $1 \
             ORDER BY last_at DESC, identity LIMIT $5",
        );
        let query =
            query.bind(identity).bind(&binding.oui).bind(&binding.product_class).bind(&binding.serial);
        Ok(query.bind(CLAIMS_PER_DEVICE).fetch_all(&self.reads).await?)
    }
}

async fn note(
    tx: &mut Tx,
    identity: &str,
    claimed: &Binding,
    fingerprint: &str,
    now: i64,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO claim (identity, oui, product_class, serial, fingerprint, first_at, last_at, count) \
         VALUES ($1, $2, $3, $4, $5, $6, $6, 1) ON CONFLICT (identity, oui, product_class, serial) \
         DO UPDATE SET fingerprint = excluded.fingerprint, last_at = excluded.last_at, count = claim.count + 1",
    )
    .bind(identity)
    .bind(claimed.oui.to_ascii_uppercase())
    .bind(&claimed.product_class)
    .bind(&claimed.serial)
    .bind(fingerprint)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    query(
        "DELETE FROM claim WHERE identity = $1 AND last_at < \
         (SELECT last_at FROM claim WHERE identity = $1 ORDER BY last_at DESC LIMIT 1 OFFSET $2)",
    )
    .bind(identity)
    .bind(CLAIMS_PER_DEVICE - 1)
    .execute(tx)
    .await?;
    Ok(())
}
