//! URLs that cells were given. One is worth something for its identity alone, as long as its call is open and its time
//! is not over; so TransferComplete ends it in the transaction that ends the call.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, ms, query, query_as};

/// A URL that goes with a call.
#[derive(Clone, Debug)]
pub(crate) struct NewUrl {
    pub(crate) token: String,
    /// `GET` or `PUT`.
    pub(crate) method: &'static str,
    pub(crate) kind: &'static str,
    /// The file that it gives.
    pub(crate) file: Option<i64>,
    /// Bytes that it takes.
    pub(crate) size_max: i64,
    pub(crate) expires_at: Timestamp,
}

/// A URL that is worth something.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct UrlRow {
    pub(crate) token: String,
    pub(crate) method: String,
    pub(crate) kind: String,
    pub(crate) file: Option<i64>,
    pub(crate) size_max: i64,
}

impl Store {
    /// What a token is worth for an identity now.
    pub(crate) async fn file_url(
        &self,
        token: &str,
        identity: &str,
        now: Timestamp,
    ) -> Result<Option<UrlRow>, StoreError> {
        let query = query_as(
            "SELECT token, file_url.method, kind, file, size_max FROM file_url JOIN call \
             ON call.identity = file_url.identity AND call.command_key = file_url.command_key \
             WHERE token = $1 AND file_url.identity = $2 AND expires_at > $3 \
             AND state IN ('queued', 'sent', 'accepted', 'unknown')",
        );
        Ok(query.bind(token).bind(identity).bind(ms(now)).fetch_optional(&self.reads).await?)
    }
}

/// Gives a URL to a cell, with the call of this key.
pub(super) async fn give(
    tx: &mut Tx,
    url: &NewUrl,
    identity: &str,
    command_key: &str,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO file_url (token, identity, method, kind, file, command_key, size_max, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&url.token)
    .bind(identity)
    .bind(url.method)
    .bind(url.kind)
    .bind(url.file)
    .bind(command_key)
    .bind(url.size_max)
    .bind(ms(url.expires_at))
    .execute(tx)
    .await?;
    Ok(())
}

/// Whether a call that is open gives this file. One of which nobody knows anything holds no file for ever.
pub(super) async fn is_given(tx: &mut Tx, file: i64, now: i64) -> Result<bool, StoreError> {
    let (count,): (i64,) = query_as(
        "SELECT count(*) FROM file_url JOIN call \
         ON call.identity = file_url.identity AND call.command_key = file_url.command_key \
         WHERE file = $1 AND expires_at > $2 AND state IN ('queued', 'sent', 'accepted')",
    )
    .bind(file)
    .bind(now)
    .fetch_one(tx)
    .await?;
    Ok(count > 0)
}

/// Takes URLs away that are over, the oldest first.
pub(super) async fn sweep(tx: &mut Tx, now: i64, most: i64) -> Result<(), StoreError> {
    query(
        "DELETE FROM file_url WHERE token IN \
         (SELECT token FROM file_url WHERE expires_at <= $1 ORDER BY expires_at, token LIMIT $2)",
    )
    .bind(now)
    .bind(most)
    .execute(tx)
    .await?;
    Ok(())
}
