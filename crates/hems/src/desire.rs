//! What is desired of one device: its templates, resolved, with what must be drawn from pools.
//!
//! A session draws what is missing; a preview only shows what it would draw.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    plan::Desired,
    store::{DrawError, Store, StoreError},
    template::{Layers, Subject},
};

/// What is desired, or which draw failed.
pub(crate) type Resolved = Result<Desired, Missing>;

/// A pool that gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pool `{pool}`: {error}")]
pub(crate) struct Missing {
    pub(crate) pool: String,
    pub(crate) error: DrawError,
}

/// Resolves the templates of a device, and draws what it does not hold yet.
pub(crate) async fn draw(store: &Store, subject: &Subject, now: Timestamp) -> Result<Resolved, StoreError> {
    let templates = store.templates().await?;
    let layers = Layers::of(&templates, subject);
    let mut draws = BTreeMap::new();
    for pool in layers.pools() {
        match store.draw(pool, subject.identity.as_str(), now).await? {
            Ok(value) => draws.insert(pool.to_owned(), value),
            Err(error) => return Ok(Err(Missing { pool: pool.to_owned(), error })),
        };
    }
    Ok(Ok(layers.desired(&draws).unwrap_or_default()))
}

/// Resolves the templates of a device with what it holds already; nothing where something is still to be drawn.
pub(crate) async fn preview(store: &Store, subject: &Subject) -> Result<Option<Desired>, StoreError> {
    let templates = store.templates().await?;
    let layers = Layers::of(&templates, subject);
    let mut draws = BTreeMap::new();
    for pool in layers.pools() {
        if let Some(value) = store.drawn(pool, subject.identity.as_str()).await? {
            draws.insert(pool.to_owned(), value);
        }
    }
    Ok(layers.desired(&draws))
}
