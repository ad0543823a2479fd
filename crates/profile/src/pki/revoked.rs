//! What the lab's CAs took back: an index beside each CA, and the lists made from them.
//!
//! ```text
//!   DIR/<kind>/<domain>.revoked    number,<of the last list>  then  <serial>,<date>,<reason> …
//!   DIR/<kind>.crl.pem             the lists of all CAs of that kind
//! ```

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan};
use openssl::x509::{X509, X509Crl};

use super::authority::{Authority, Validity};
use super::status::{CrlOrder, RevocationReason, RevokedCertificate, serial};
use super::{PkiError, files, initialised, pair_at};
use crate::certificate::hex;

const KINDS: [&str; 2] = ["operator", "manufacturer"];

/// One CA's index.
struct Index {
    path: PathBuf,
    number: u64,
    rows: Vec<RevokedCertificate>,
}

impl Index {
    fn load(dir: &Path, kind: &str, domain: &str) -> Result<Self, PkiError> {
        let path = dir.join(kind).join(format!("{domain}.revoked"));
        let mut index = Self { path, number: 0, rows: Vec::new() };
        if index.path.exists() {
            let text = String::from_utf8_lossy(&files::read(&index.path)?).into_owned();
            for (at, line) in text.lines().enumerate() {
                let broken = || PkiError::Index { path: index.path.clone(), line: at + 1 };
                match line.strip_prefix("number,") {
                    Some(number) => index.number = number.parse().map_err(|_| broken())?,
                    None => index.rows.push(row(line).ok_or_else(broken)?),
                }
            }
        }
        Ok(index)
    }

    fn save(&self) -> Result<(), PkiError> {
        let mut text = format!("number,{}\n", self.number);
        for row in &self.rows {
            let _ = writeln!(text, "{},{},{}", hex(&row.serial), row.date, row.reason.name());
        }
        files::replace(&self.path, text.as_bytes(), files::PUBLIC)
    }
}

fn row(line: &str) -> Option<RevokedCertificate> {
    let mut cells = line.split(',');
    let (serial, date, reason) = (cells.next()?, cells.next()?, cells.next()?);
    Some(RevokedCertificate {
        serial: unhex(serial)?,
        date: date.parse().ok()?,
        reason: RevocationReason::named(reason)?,
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Every CA of one kind, with its domain.
fn authorities(dir: &Path, kind: &str) -> Result<Vec<(String, Authority)>, PkiError> {
    let folder = dir.join(kind);
    let failed = |source| PkiError::Read { path: folder.clone(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let domain = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
        if let (Some(domain), true) = (domain, path.extension().is_some_and(|extension| extension == "pem")) {
            let authority = Authority::load(&pair_at(dir, kind, &domain))?;
            found.push((domain, authority));
        }
    }
    found.sort_by(|(one, _), (two, _)| one.cmp(two));
    Ok(found)
}

/// Revokes a certificate that the lab issued, given its file, and writes new lists; gives their paths.
pub fn revoke(
    dir: &Path,
    certificate: &Path,
    reason: RevocationReason,
    valid: Validity,
) -> Result<Vec<PathBuf>, PkiError> {
    initialised(dir)?;
    let not_ours = || PkiError::NotOurs { path: certificate.into(), dir: dir.into() };
    let revoked = X509::from_pem(&files::read(certificate)?).map_err(|_| not_ours())?;
    for kind in KINDS {
        for (domain, authority) in authorities(dir, kind)? {
            let key = authority.certificate.public_key()?;
            if !revoked.verify(&key).unwrap_or(false) {
                continue;
            }
            let mut index = Index::load(dir, kind, &domain)?;
            let serial = serial(&revoked)?;
            if !index.rows.iter().any(|row| row.serial == serial) {
                index.rows.push(RevokedCertificate { serial, date: valid.not_before, reason });
                index.save()?;
            }
            return write_crls(dir, valid);
        }
    }
    Err(not_ours())
}

/// Writes new lists of every CA: `operator.crl.pem` for cells, `manufacturer.crl.pem` for the H(e)MS.
pub fn write_crls(dir: &Path, valid: Validity) -> Result<Vec<PathBuf>, PkiError> {
    initialised(dir)?;
    let mut written = Vec::new();
    for kind in KINDS {
        let mut pem = Vec::new();
        for (domain, authority) in authorities(dir, kind)? {
            let mut index = Index::load(dir, kind, &domain)?;
            // Counted before it is used: no number ever stands on two lists.
            index.number += 1;
            index.save()?;
            let der = authority.crl(&CrlOrder::new(index.number, valid).revoked(index.rows))?;
            pem.extend(X509Crl::from_der(&der)?.to_pem()?);
        }
        let path = dir.join(format!("{kind}.crl.pem"));
        files::replace(&path, &pem, files::PUBLIC)?;
        written.push(path);
    }
    Ok(written)
}

impl Validity {
    /// From now for some days.
    pub fn days(now: Timestamp, days: u32) -> Self {
        let end = now.checked_add((i64::from(days) * 24).hours());
        Self { not_before: now, not_after: end.unwrap_or(Timestamp::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{init, issue_hems, issue_henb};
    use crate::revocation::{CrlBook, CrlPolicy};

    fn chain(leaf: &Path, root: &Path) -> Vec<Vec<u8>> {
        let der = |path| X509::from_pem(&fs::read(path).unwrap()).unwrap().to_der().unwrap();
        vec![der(leaf), der(root)]
    }

    #[test]
    fn a11_what_the_lab_revokes_is_on_its_list_and_numbers_only_grow() {
        let dir = tempfile::tempdir().unwrap();
        let (dir, valid) = (dir.path(), Validity::days(Timestamp::now(), 30));
        init(dir).unwrap();
        let stolen = issue_henb(dir, "00005e005301", "hnb.example", None).unwrap().chain;
        let other = issue_henb(dir, "00005e005302", "hnb.example", None).unwrap().chain;
        let reason = RevocationReason::named("keyCompromise").unwrap();
        let lists = write_crls(dir, valid).unwrap();
        assert_eq!(lists, [dir.join("operator.crl.pem"), dir.join("manufacturer.crl.pem")]);
        for _ in 0..2 {
            assert_eq!(revoke(dir, &stolen, reason, valid).unwrap(), lists);
        }
        let (book, notes) = CrlBook::load(&lists, None).unwrap();
        assert_eq!(notes, []);
        let facts = book.facts();
        let manufacturer = facts.iter().find(|facts| facts.issuer.contains("manufacturer")).unwrap();
        assert_eq!((manufacturer.number.as_deref(), manufacturer.revoked), (Some("03"), 1));
        let root = dir.join("manufacturer/hnb.example.pem");
        let judge = |leaf: &Path| {
            book.check(&chain(leaf, &root), CrlPolicy::default(), valid.not_before, true)
                .map_err(|refusal| refusal.to_string())
        };
        assert!(judge(&stolen).unwrap_err().contains("(KeyCompromise)"));
        judge(&other).unwrap();
        let bundle = fs::read_to_string(dir.join("manufacturer.pem")).unwrap();
        assert_eq!(bundle.matches("BEGIN").count(), 1, "lists are no anchors");
    }

    #[test]
    fn what_the_lab_did_not_issue_it_cannot_revoke() {
        let (dir, stranger) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let valid = Validity::days(Timestamp::now(), 1);
        init(dir.path()).unwrap();
        init(stranger.path()).unwrap();
        let certificate = issue_hems(stranger.path(), "localhost").unwrap().chain;
        let reason = RevocationReason::named("unspecified").unwrap();
        for path in [&certificate, &dir.path().join("lab")] {
            let error = revoke(dir.path(), path, reason, valid).unwrap_err();
            assert!(matches!(error, PkiError::NotOurs { .. }), "{error}");
        }
        fs::write(dir.path().join("operator/localhost.revoked"), "number,1\nzz,now,why\n").unwrap();
        let error = write_crls(dir.path(), valid).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(write_crls(&dir.path().join("hems"), valid).is_err());
    }
}
