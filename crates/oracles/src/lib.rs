//! Where tests find what nobody here wrote: schemas, data models, messages from the field, judges.
//!
//! One rule: a test that cannot ask its oracle says so in the list that ends a run, and passes; where the
//! oracle is there, nothing is skipped. For tests alone: no shipped crate depends on this one.

mod nats;
mod postgres;

use std::{env, fs, io::Write, path::PathBuf};

pub use nats::Nats;
pub use postgres::Postgres;

/// The folder of oracles: `$HEARTH_ORACLES`, or `shared` beside the project. Nothing where there is none:
/// then the skip of `test` is noted in the file that `$HEARTH_SKIPS` names.
#[must_use]
pub fn folder(test: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = env::var_os("HEARTH_ORACLES").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    skip(test, "no folder of oracles; $HEARTH_ORACLES names it");
    None
}

/// The folder with the Broadband Forum's models in their split form beside the full one: `$HEARTH_SPLIT_MODELS`, or that
/// of the oracles where it has them. Nothing where neither does: then the skip of `test` is noted in the same list.
#[must_use]
pub fn split_models(test: &str) -> Option<PathBuf> {
    let own = || folder(test).map(|folder| folder.join("bbf"));
    let folder = env::var_os("HEARTH_SPLIT_MODELS").map_or_else(own, |folder| Some(folder.into()))?;
    if folder.join("tr-196-2-1-2-cwmp.xml").is_file() {
        return Some(folder);
    }
    skip(test, "no models in their split form; $HEARTH_SPLIT_MODELS names their folder");
    None
}

/// A judge that `./x test` installs: on the path, or in `target/judges`. Nothing where it is missing: then the
/// skip of `test` is noted in the same list.
#[must_use]
pub fn tool(test: &str, program: &str) -> Option<PathBuf> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/judges/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let found =
        env::split_paths(&path).chain([own]).map(|folder| folder.join(program)).find(|file| file.is_file());
    if found.is_none() {
        skip(test, &format!("no {program}; ./x test installs it"));
    }
    found
}

fn skip(test: &str, why: &str) {
    let Some(skips) = env::var_os("HEARTH_SKIPS") else { return };
    let list = fs::OpenOptions::new().append(true).create(true).open(skips);
    // A list that cannot be written is xtask's to notice: it counts the lines.
    let _ = list.and_then(|mut list| writeln!(list, "{test}: {why}"));
}
