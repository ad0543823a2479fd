//! What every node of a deployment must agree on. (decision 4)

use super::{Store, StoreError, Tx, query, query_as};

/// The transport mode, of which there is one.
const MODE: &str = "mode";
/// The key of page tokens.
const PAGE_KEY: &str = "page_key";

impl Store {
    /// The deployment's transport mode; `mode` becomes it where there is none yet.
    pub(crate) async fn agree_on_mode(&self, mode: String) -> Result<String, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { agree(tx, MODE, &mode).await })).await
    }

    /// The key that seals page tokens on every node; `offered` becomes it where there is none yet.
    pub(crate) async fn agree_on_page_key(&self, offered: String) -> Result<String, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { agree(tx, PAGE_KEY, &offered).await })).await
    }

    /// Makes `mode` the deployment's, whatever it was.
    pub(crate) async fn set_mode(&self, mode: String) -> Result<(), StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { set(tx, &mode).await })).await
    }
}

async fn agree(tx: &mut Tx, name: &str, offered: &str) -> Result<String, StoreError> {
    let insert = "INSERT INTO deployment (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    query(insert).bind(name).bind(offered).execute(&mut *tx).await?;
    let query = query_as("SELECT value FROM deployment WHERE name = $1");
    let (agreed,): (String,) = query.bind(name).fetch_one(tx).await?;
    Ok(agreed)
}

async fn set(tx: &mut Tx, mode: &str) -> Result<(), StoreError> {
    let upsert = "INSERT INTO deployment (name, value) VALUES ($1, $2) \
                  ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    query(upsert).bind(MODE).bind(mode).execute(tx).await?;
    Ok(())
}
