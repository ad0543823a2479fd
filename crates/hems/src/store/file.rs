//! Files: what is known of each. The contents lie in the object store; nothing of them is read here.
//!
//! A content is a stray before it is written and after its file is gone, so that one that nobody finished, or whose
//! deletion failed, is known by name. What files and strays take is counted in the same transactions.
//!
//! ```text
//!   reserve ──▶ stray ──(written)──▶ keep ──▶ file ──▶ remove ──▶ stray ──(deleted)──▶ forget
//!                 └──────────────── broke off ──────────────────────┘
//! ```

use jiff::Timestamp;
use profile::FirmwareManifest;
use sqlx::FromRow;

use super::{Condition, Edited, Store, StoreError, Tag, Tx, file_url, ms, query, query_as};

/// Rows that one run of the cleaning takes: it holds the writer for a few milliseconds.
const SWEPT: i64 = 100;
/// Images that are looked through for one of a version: ten products, each with a hundred.
const FIRMWARE_MAX: i64 = 1_000;
/// Under which name the bytes of all cells and people are counted.
const ALL: &str = "";

/// A file as it stands in the store.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct FileRow {
    pub(crate) id: i64,
    pub(crate) content: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) identity: Option<String>,
    pub(crate) size: i64,
    pub(crate) sha256: String,
    pub(crate) manifest: Option<String>,
    pub(crate) author: String,
    pub(crate) at: i64,
}

impl FileRow {
    /// What is signed of it, where it is firmware.
    pub(crate) fn firmware(&self) -> Option<FirmwareManifest> {
        serde_json::from_str(self.manifest.as_deref()?).ok()
    }
}

/// A file whose content is written and durable.
#[derive(Clone, Debug)]
pub(crate) struct NewFile {
    pub(crate) content: String,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// Through which URL it came.
    pub(crate) origin: Option<String>,
    pub(crate) size: i64,
    pub(crate) sha256: String,
    pub(crate) manifest: Option<String>,
    pub(crate) author: String,
    pub(crate) at: Timestamp,
}

/// A content that no file has.
#[derive(Clone, Debug)]
pub(crate) struct Stray {
    pub(crate) content: String,
    pub(crate) identity: Option<String>,
    pub(crate) size: i64,
    pub(crate) at: Timestamp,
}

/// Bytes that may be taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    pub(crate) device: i64,
    pub(crate) all: i64,
}

/// Whose bytes are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Device,
    All,
}

/// What became of a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// The file is gone; this content may be deleted.
    Done(String),
    /// There is no such file.
    None,
    /// A call that is open gives it to a cell.
    InUse,
    /// This template wants its version, and no other file has that for its product.
    Wanted(String),
}

impl Store {
    /// Makes room for a content that is about to be written.
    pub(crate) async fn reserve(&self, stray: Stray, quota: Quota) -> Result<Result<(), Full>, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { reserve(tx, &stray, quota).await })).await
    }

    /// Makes a content a file, in the place of what came through the same URL before; gives its number. Nothing where
    /// the content was given up in the meantime.
    pub(crate) async fn keep(&self, file: NewFile) -> Result<Option<i64>, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { keep(tx, &file).await })).await
    }

    /// Forgets a content that was deleted.
    pub(crate) async fn forget(&self, content: String) -> Result<(), StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { take_stray(tx, &content).await.map(drop) })).await
    }

    /// Contents that are strays since before a time, the oldest first.
    pub(crate) async fn strays(&self, before: Timestamp) -> Result<Vec<String>, StoreError> {
        let query = query_as("SELECT content FROM stray WHERE at < $1 ORDER BY at, content LIMIT $2");
        let rows: Vec<(String,)> = query.bind(ms(before)).bind(SWEPT).fetch_all(&self.reads).await?;
        Ok(rows.into_iter().map(|(content,)| content).collect())
    }

    /// One file.
    pub(crate) async fn file(&self, id: i64) -> Result<Option<FileRow>, StoreError> {
        Ok(query_as("SELECT * FROM file WHERE id = $1").bind(id).fetch_optional(&self.reads).await?)
    }

    /// The firmware of all products, the newest first.
    pub(crate) async fn firmware(&self) -> Result<Vec<FileRow>, StoreError> {
        let query = query_as("SELECT * FROM file WHERE kind = 'firmware' ORDER BY id DESC LIMIT $1");
        Ok(query.bind(FIRMWARE_MAX).fetch_all(&self.reads).await?)
    }

    /// Files below a number, the newest first; of one kind or of one cell where that is said.
    pub(crate) async fn files(
        &self,
        before: i64,
        kind: Option<&str>,
        identity: Option<&str>,
        limit: u32,
    ) -> Result<Vec<FileRow>, StoreError> {
        let query = query_as(
            "SELECT * FROM file WHERE id < $1 AND kind = COALESCE($2, kind) \
             AND ($3 IS NULL OR identity = $3) ORDER BY id DESC LIMIT $4",
        );
        let query = query.bind(before).bind(kind).bind(identity).bind(limit);
        Ok(query.fetch_all(&self.reads).await?)
    }

    /// Takes a file away, unless a call that is open gives it to a cell.
    pub(crate) async fn remove_file(
        &self,
        id: i64,
        now: Timestamp,
        condition: Condition,
    ) -> Result<Removal, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { remove(tx, id, ms(now), &condition).await })).await
    }

    /// Takes URLs away that are over, and files of cells from before a time.
    pub(crate) async fn sweep_files(&self, now: Timestamp, before: Timestamp) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    file_url::sweep(tx, ms(now), SWEPT).await?;
                    let query = query_as(
                        "SELECT * FROM file WHERE at < $1 AND identity IS NOT NULL ORDER BY at, id LIMIT $2",
                    );
                    let old: Vec<FileRow> = query.bind(ms(before)).bind(SWEPT).fetch_all(&mut *tx).await?;
                    for file in old {
                        discard(tx, &file).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

async fn reserve(tx: &mut Tx, stray: &Stray, quota: Quota) -> Result<Result<(), Full>, StoreError> {
    if used(tx, ALL).await?.saturating_add(stray.size) > quota.all {
        return Ok(Err(Full::All));
    }
    if let Some(identity) = &stray.identity
        && used(tx, identity).await?.saturating_add(stray.size) > quota.device
    {
        return Ok(Err(Full::Device));
    }
    add_stray(tx, stray, ms(stray.at)).await?;
    count(tx, stray.identity.as_deref(), stray.size).await?;
    Ok(Ok(()))
}

async fn keep(tx: &mut Tx, file: &NewFile) -> Result<Option<i64>, StoreError> {
    let Some(identity) = take_stray(tx, &file.content).await? else { return Ok(None) };
    let query = query_as("SELECT * FROM file WHERE identity = $1 AND origin = $2");
    let before: Option<FileRow> = query.bind(&identity).bind(&file.origin).fetch_optional(&mut *tx).await?;
    if let Some(before) = before {
        discard(tx, &before).await?;
    }
    count(tx, identity.as_deref(), file.size).await?;
    let (id,): (i64,) = query_as(
        "INSERT INTO file (content, kind, name, identity, origin, size, sha256, manifest, author, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
    )
    .bind(&file.content)
    .bind(file.kind)
    .bind(&file.name)
    .bind(&identity)
    .bind(&file.origin)
    .bind(file.size)
    .bind(&file.sha256)
    .bind(&file.manifest)
    .bind(&file.author)
    .bind(ms(file.at))
    .fetch_one(tx)
    .await?;
    Ok(Some(id))
}

impl Edited for FileRow {
    fn tag(&self) -> Tag {
        Tag::of(&self.sha256)
    }
}

async fn remove(tx: &mut Tx, id: i64, now: i64, condition: &Condition) -> Result<Removal, StoreError> {
    let query = query_as("SELECT * FROM file WHERE id = $1");
    let file: Option<FileRow> = query.bind(id).fetch_optional(&mut *tx).await?;
    condition.check(file.as_ref())?;
    let Some(file) = file else { return Ok(Removal::None) };
    if file_url::is_given(tx, id, now).await? {
        return Ok(Removal::InUse);
    }
    if let Some(template) = wanted_by(tx, &file).await? {
        return Ok(Removal::Wanted(template));
    }
    discard(tx, &file).await?;
    Ok(Removal::Done(file.content))
}

/// The template that wants this image, where no other file is one like it: one that applies, or is on its way.
async fn wanted_by(tx: &mut Tx, file: &FileRow) -> Result<Option<String>, StoreError> {
    let Some(manifest) = file.firmware() else { return Ok(None) };
    let query = query_as("SELECT * FROM file WHERE kind = 'firmware' AND id <> $1 ORDER BY id DESC LIMIT $2");
    let others: Vec<FileRow> = query.bind(file.id).bind(FIRMWARE_MAX).fetch_all(&mut *tx).await?;
    let product = |one: &FirmwareManifest| {
        (
            one.version.clone(),
            one.oui.to_uppercase(),
            one.product_class.to_uppercase(),
            one.hardware_versions.clone(),
        )
    };
    if others.iter().filter_map(FileRow::firmware).any(|other| product(&other) == product(&manifest)) {
        return Ok(None);
    }
    let wants = serde_json::json!({"software": manifest.version}).to_string();
    let wants = wants.trim_matches(['{', '}']).replace(['\\', '%'], "_");
    let query = query_as(
        "SELECT v.name FROM template_version v JOIN template t ON t.name = v.name WHERE v.body LIKE $1 \
         AND (v.version = t.version OR EXISTS (SELECT 1 FROM change c WHERE c.name = v.name \
         AND c.state IN ('waiting', 'running', 'stopped') AND v.version IN (c.from_version, c.to_version))) LIMIT 1",
    );
    let row: Option<(String,)> = query.bind(format!("%{wants}%")).fetch_optional(tx).await?;
    Ok(row.map(|(name,)| name))
}

/// A file is gone; its content is a stray of the first moment, which goes before any other. It still counts.
async fn discard(tx: &mut Tx, file: &FileRow) -> Result<(), StoreError> {
    query("DELETE FROM file WHERE id = $1").bind(file.id).execute(&mut *tx).await?;
    let (content, identity) = (file.content.clone(), file.identity.clone());
    let stray = Stray { content, identity, size: file.size, at: Timestamp::UNIX_EPOCH };
    add_stray(tx, &stray, 0).await
}

async fn add_stray(tx: &mut Tx, stray: &Stray, at: i64) -> Result<(), StoreError> {
    query("INSERT INTO stray (content, identity, size, at) VALUES ($1, $2, $3, $4)")
        .bind(&stray.content)
        .bind(&stray.identity)
        .bind(stray.size)
        .bind(at)
        .execute(tx)
        .await?;
    Ok(())
}

/// Takes a stray out with what it counted for; gives whose it was.
async fn take_stray(tx: &mut Tx, content: &str) -> Result<Option<Option<String>>, StoreError> {
    let query = query_as("DELETE FROM stray WHERE content = $1 RETURNING identity, size");
    let row: Option<(Option<String>, i64)> = query.bind(content).fetch_optional(&mut *tx).await?;
    let Some((identity, size)) = row else { return Ok(None) };
    count(tx, identity.as_deref(), -size).await?;
    Ok(Some(identity))
}

async fn used(tx: &mut Tx, whose: &str) -> Result<i64, StoreError> {
    let query = query_as("SELECT bytes FROM file_use WHERE identity = $1");
    let row: Option<(i64,)> = query.bind(whose).fetch_optional(tx).await?;
    Ok(row.map_or(0, |(bytes,)| bytes))
}

/// Counts bytes for a cell and for all.
async fn count(tx: &mut Tx, identity: Option<&str>, bytes: i64) -> Result<(), StoreError> {
    for whose in [ALL].into_iter().chain(identity) {
        query(
            "INSERT INTO file_use (identity, bytes) VALUES ($1, $2) \
             ON CONFLICT (identity) DO UPDATE SET bytes = file_use.bytes + excluded.bytes",
        )
        .bind(whose)
        .bind(bytes)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
