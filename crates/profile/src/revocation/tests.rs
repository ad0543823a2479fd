//! Lists and staples, good and bad, at a time that no machine's clock shows.

mod judges;
mod kept;
mod lists;
mod staples;

use std::path::PathBuf;
use std::sync::LazyLock;

use jiff::{Timestamp, ToSpan};
use tempfile::TempDir;

use super::{CrlBook, CrlNote, CrlPolicy, CrlStanding, CrlTrouble};
use crate::identity::Identity;
use crate::pki::{
    Authority, AuthorityOrder, CrlOrder, Issued, Key, LeafOrder, RevocationReason, RevokedCertificate,
    Validity,
};
use crate::refusal::{Reason, Refusal};

/// A root, a CA below it, and a cell.
struct World {
    root: Authority,
    ca: Authority,
    leaf: Issued,
    key: Key,
    chain: Vec<Vec<u8>>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let order =
        |name: &str| AuthorityOrder::lab(name, "hnb.example").unconstrained().valid(years(2020, 2090));
    let root = Authority::create(&order("root").path_length(2)).unwrap();
    let ca = root.subordinate(&order("ca").path_length(1)).unwrap();
    let key = root.key().clone();
    let leaf = ca.issue(&henb(), &key).unwrap();
    let chain = [leaf.ders().unwrap(), vec![root.der().unwrap()]].concat();
    World { root, ca, leaf, key, chain }
});

fn henb() -> LeafOrder {
    LeafOrder::henb(&Identity::parse("00005e005301.hnb.example").unwrap()).valid(years(2020, 2090))
}

fn years(from: i16, to: i16) -> Validity {
    let begin = |year: i16| format!("{year}-01-01T00:00:00Z").parse().unwrap();
    Validity { not_before: begin(from), not_after: begin(to) }
}

/// The present of these tests.
fn now() -> Timestamp {
    "2060-06-01T12:00:00Z".parse().unwrap()
}

/// In force from yesterday until tomorrow.
fn current() -> Validity {
    Validity { not_before: now() - 24.hours(), not_after: now() + 24.hours() }
}

fn revoked(serial: Vec<u8>, reason: &str) -> RevokedCertificate {
    RevokedCertificate { serial, date: now() - 36.hours(), reason: RevocationReason::named(reason).unwrap() }
}

fn empty(number: u64) -> CrlOrder {
    CrlOrder::new(number, current())
}

/// Files of lists, and the folder that remembers.
struct Desk {
    dir: TempDir,
    files: Vec<PathBuf>,
}

impl Desk {
    /// The root's list in force, and what is to be tried as the CA's.
    fn with(order: &CrlOrder) -> Self {
        let mut desk = Self { dir: tempfile::tempdir().unwrap(), files: Vec::new() };
        desk.put("root", &WORLD.root.crl(&empty(1)).unwrap());
        desk.put("ca", &WORLD.ca.crl(order).unwrap());
        desk
    }

    fn put(&mut self, name: &str, content: &[u8]) {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        if !self.files.contains(&path) {
            self.files.push(path);
        }
    }

    fn load(&self) -> (CrlBook, Vec<CrlTrouble>) {
        let (book, notes) = CrlBook::load(&self.files, Some(&self.dir.path().join("kept"))).unwrap();
        (book, troubles(&notes))
    }

    /// Reads the files and judges the chain.
    fn judge(&self) -> Result<CrlStanding, Reason> {
        verdict(&self.load().0)
    }
}

fn troubles(notes: &[CrlNote]) -> Vec<CrlTrouble> {
    notes.iter().map(|note| note.trouble).collect()
}

fn check(book: &CrlBook) -> Result<CrlStanding, Refusal> {
    book.check(&WORLD.chain, CrlPolicy::default(), now(), true)
}

fn verdict(book: &CrlBook) -> Result<CrlStanding, Reason> {
    check(book).map_err(|refusal| refusal.reason)
}
