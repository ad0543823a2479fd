//! The lab's certificates: CAs, H(e)MS and H(e)NB. Never for production. (Decisions 12 and 24)
//!
//! ```text
//!   DIR/lab                                the marker
//!   DIR/operator.pem, DIR/manufacturer.pem bundles: what a H(e)NB trusts, what a H(e)MS trusts
//!   DIR/operator/<domain>.{pem,key}        CA for H(e)MS names below one domain
//!   DIR/manufacturer/<realm>.{pem,key}     CA for the H(e)NBs of one realm
//!   DIR/hems/<fqdn>.{pem,key}              DIR/henb/<eui>.<realm>.{pem,key}
//!   DIR/signer/<domain>.{pem,key}          who signs statements for the cells of one operator
//!   DIR/wake/<fqdn>.{pem,key}              with which the H(e)MS sends Connection Requests
//!   DIR/listener/<eui>.<realm>.{pem,key}   with which a H(e)NB takes them
//!   DIR/firmware/<name>.{pem,key}          who signs firmware
//!   DIR/identities.csv                     what admission imports
//!   DIR/<kind>/<domain>.revoked            what that CA took back; DIR/<kind>.crl.pem: the lists
//! ```
//!
//! [`init`] makes the folder; the rest is made on demand and at most once; files appear whole or not at all. [`Authority`] and
//! [`LeafOrder`] are public so that tests everywhere can order odd certificates from the same press.

mod authority;
mod der;
mod files;
mod order;
mod revoked;
mod status;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub use authority::{
    Authority, AuthorityOrder, Defect, Digest, Issued, Key, LeafOrder, Purpose, Usage, Validity, request,
};
pub use revoked::{revoke, write_crls};
pub use status::{CrlOrder, OcspAnswer, OcspOrder, RevocationReason, RevokedCertificate};

use crate::context::KeyPair;
use crate::identity::{Identity, IdentityError, is_label};
use crate::statement::StatementError;

/// The subject OU of every lab CA; configuration without `lab = true` refuses it. (Decision 12)
pub const LAB_MARKER: &str = "Hearth lab CA, not for production";

/// Who signs firmware in a lab: the key in use, and the one in the safe that revokes it.
pub const FIRMWARE_SIGNERS: [&str; 2] = ["working", "reserve"];

/// What a simulated cell calls its product class.
const PRODUCT_CLASS: &str = "SimulatedCell";
const IDENTITIES_HEADER: &str = "identity,oui,product_class,serial\n";
/// The RSA size of everything that the lab issues.
const LAB_BITS: u32 = 2048;
/// The file by which a folder is known as a lab PKI.
const MARKER: &str = "lab";
const LEAF_YEARS: i32 = 2;
const CA_YEARS: i32 = 10;

/// Makes the folders, the marker, and the CAs for `localhost` and `hnb.example`; does nothing twice.
pub fn init(dir: &Path) -> Result<(), PkiError> {
    for folder in ["operator", "manufacturer", "hems", "henb"] {
        files::folder(&dir.join(folder))?;
    }
    files::write_once(&dir.join("identities.csv"), IDENTITIES_HEADER.as_bytes(), files::PUBLIC)?;
    authority(dir, "operator", "localhost")?;
    authority(dir, "manufacturer", "hnb.example")?;
    // The marker comes last: where it is, the PKI is whole.
    files::write_once(
        &dir.join(MARKER),
        b"A Hearth lab PKI: its CAs are refused unless lab = true.\n",
        files::PUBLIC,
    )
}

/// A mistyped folder gets no CAs of its own, which nobody would trust.
fn initialised(dir: &Path) -> Result<(), PkiError> {
    if dir.join(MARKER).is_file() { Ok(()) } else { Err(PkiError::NotALab { dir: dir.into() }) }
}

/// The certificate of the H(e)MS `fqdn`: made at the first call, the same afterwards.
pub fn issue_hems(dir: &Path, fqdn: &str) -> Result<KeyPair, PkiError> {
    issue_host(dir, "hems", fqdn, LeafOrder::hems)
}

/// The certificate with which the H(e)MS `fqdn` sends Connection Requests: made at the first call, the same afterwards.
pub fn issue_wake(dir: &Path, fqdn: &str) -> Result<KeyPair, PkiError> {
    issue_host(dir, "wake", fqdn, LeafOrder::wake)
}

/// The name of a host, and not its address.
fn is_fqdn(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label) && name.parse::<std::net::IpAddr>().is_err()
}

fn issue_host(
    dir: &Path,
    folder: &str,
    fqdn: &str,
    order: fn(&str) -> LeafOrder,
) -> Result<KeyPair, PkiError> {
    let fqdn = fqdn.to_ascii_lowercase();
    if !is_fqdn(&fqdn) {
        return Err(PkiError::NotAHost);
    }
    initialised(dir)?;
    files::folder(&dir.join(folder))?;
    let pair = pair_at(dir, folder, &fqdn);
    if !files::exists(&pair) {
        let order = order(&fqdn).valid(Validity::lab(Timestamp::now(), LEAF_YEARS));
        issue(&authority(dir, "operator", parent_domain(&fqdn))?, &order, &Key::generate(LAB_BITS)?, &pair)?;
    }
    Ok(pair)
}

/// The certificate with which the H(e)NB `<eui>.<realm>` takes Connection Requests: made at the first call, the same
/// afterwards.
pub fn issue_listener(dir: &Path, eui: &str, realm: &str) -> Result<KeyPair, PkiError> {
    let identity = Identity::new(eui, realm)?;
    initialised(dir)?;
    files::folder(&dir.join("listener"))?;
    let pair = pair_at(dir, "listener", identity.as_str());
    if !files::exists(&pair) {
        let order = LeafOrder::listener(&identity).valid(Validity::lab(Timestamp::now(), LEAF_YEARS));
        let authority = authority(dir, "manufacturer", identity.realm())?;
        issue(&authority, &order, &Key::generate(LAB_BITS)?, &pair)?;
    }
    Ok(pair)
}

/// Who signs statements for cells under the operator CA of `domain`: made at the first call, the same afterwards.
pub fn issue_signer(dir: &Path, domain: &str) -> Result<KeyPair, PkiError> {
    let domain = domain.to_ascii_lowercase();
    if !domain.split('.').all(is_label) {
        return Err(PkiError::NotAHost);
    }
    initialised(dir)?;
    files::folder(&dir.join("signer"))?;
    let pair = pair_at(dir, "signer", &domain);
    if !files::exists(&pair) {
        let order = LeafOrder::signer(&domain).valid(Validity::lab(Timestamp::now(), LEAF_YEARS));
        issue(&authority(dir, "operator", &domain)?, &order, &Key::generate(LAB_BITS)?, &pair)?;
    }
    Ok(pair)
}

/// Who signs firmware, `name` being its use: made at the first call, the same afterwards.
///
/// Cells know it by its key; that a lab CA issued it marks it as a lab's.
pub fn issue_firmware_signer(dir: &Path, name: &str) -> Result<KeyPair, PkiError> {
    if !is_label(name) {
        return Err(PkiError::NotAHost);
    }
    initialised(dir)?;
    files::folder(&dir.join("firmware"))?;
    let pair = pair_at(dir, "firmware", name);
    if !files::exists(&pair) {
        let order = LeafOrder::firmware(name).valid(Validity::lab(Timestamp::now(), CA_YEARS));
        issue(&authority(dir, "manufacturer", "hnb.example")?, &order, &Key::generate(LAB_BITS)?, &pair)?;
    }
    Ok(pair)
}

/// Writes a statement where an operator wants it, whole or not at all.
pub fn write_statement(path: &Path, statement: &[u8]) -> Result<(), PkiError> {
    files::replace(path, statement, files::PUBLIC)
}

/// The certificate of the H(e)NB `<eui>.<realm>`, with a key of its own or a shared one, and its row in
/// `identities.csv`: made at the first call, the same afterwards.
pub fn issue_henb(dir: &Path, eui: &str, realm: &str, shared: Option<&Key>) -> Result<KeyPair, PkiError> {
    Fleet::open(dir, realm)?.issue(eui, shared)
}

/// The H(e)NBs of one realm, for who needs thousands: the CA and the list are read once.
#[derive(Debug)]
pub struct Fleet {
    dir: PathBuf,
    realm: String,
    authority: Authority,
    listed: std::collections::BTreeSet<String>,
}

impl Fleet {
    /// Opens a PKI that [`init`] made, and makes the realm's CA where it is missing.
    pub fn open(dir: &Path, realm: &str) -> Result<Self, PkiError> {
        Identity::new("000000000000", realm)?;
        initialised(dir)?;
        let realm = realm.to_ascii_lowercase();
        let rows = files::read(&dir.join("identities.csv"))?;
        let rows = String::from_utf8_lossy(&rows);
        let listed = rows.lines().filter_map(|row| row.split(',').next()).map(str::to_owned).collect();
        Ok(Self { dir: dir.into(), authority: authority(dir, "manufacturer", &realm)?, realm, listed })
    }

    /// [`issue_henb`] for one more cell.
    pub fn issue(&mut self, eui: &str, shared: Option<&Key>) -> Result<KeyPair, PkiError> {
        let identity = Identity::new(eui, &self.realm)?;
        let pair = pair_at(&self.dir, "henb", identity.as_str());
        if !files::exists(&pair) {
            let order = LeafOrder::henb(&identity).valid(Validity::lab(Timestamp::now(), LEAF_YEARS));
            let own = if shared.is_none() { Some(Key::generate(LAB_BITS)?) } else { None };
            let key = shared.or(own.as_ref()).ok_or(PkiError::NoKey)?;
            issue(&self.authority, &order, key, &pair)?;
        }
        if self.listed.insert(identity.to_string()) {
            let serial = identity.eui().to_ascii_uppercase();
            let row = format!("{identity},{},{PRODUCT_CLASS},{serial}\n", identity.oui());
            files::append(&self.dir.join("identities.csv"), row.as_bytes())?;
        }
        Ok(pair)
    }
}

/// The domain whose CA issues for a host: its parent, where that is a domain that somebody can own.
fn parent_domain(fqdn: &str) -> &str {
    match fqdn.split_once('.') {
        Some((_, parent)) if parent.contains('.') => parent,
        Some(_) | None => fqdn,
    }
}

fn pair_at(dir: &Path, folder: &str, name: &str) -> KeyPair {
    let path = |extension| dir.join(folder).join(format!("{name}.{extension}"));
    KeyPair { chain: path("pem"), key: path("key") }
}

fn issue(authority: &Authority, order: &LeafOrder, key: &Key, pair: &KeyPair) -> Result<(), PkiError> {
    // The certificate comes last: where it exists the pair is whole.
    files::replace(&pair.key, &key.pem()?, files::SECRET)?;
    files::replace(&pair.chain, &authority.issue(order, key)?.pem()?, files::PUBLIC)
}

/// The CA of one kind for one domain, made where it is missing; the bundle follows.
fn authority(dir: &Path, kind: &str, domain: &str) -> Result<Authority, PkiError> {
    let pair = pair_at(dir, kind, domain);
    if files::exists(&pair) {
        return Authority::load(&pair);
    }
    let order = AuthorityOrder::lab(&format!("{kind} {domain}"), domain)
        .valid(Validity::lab(Timestamp::now(), CA_YEARS))
        .bits(LAB_BITS);
    let authority = Authority::create(&order)?;
    files::replace(&pair.key, &authority.key().pem()?, files::SECRET)?;
    files::replace(&pair.chain, &authority.pem()?, files::PUBLIC)?;
    files::bundle(&dir.join(kind), &dir.join(format!("{kind}.pem")))?;
    Ok(authority)
}

/// Why a certificate cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{path} holds no PEM with {wanted}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// Both ends would refuse the key.
    #[error("the key {path} is {found}; {wanted}: name another key, or a new file to have one made")]
    Key {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What would be taken.
        wanted: String,
    },
    /// Two files that do not belong together.
    #[error("{key} is not the key of the certificate in {chain}")]
    KeyMismatch {
        /// The certificate.
        chain: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Nobody called [`init`] for this folder.
    #[error("{dir} is no lab PKI; check the name, or make one with `hearth pki init {dir}`")]
    NotALab {
        /// The folder.
        dir: PathBuf,
    },
    /// The EUI or the realm is none.
    #[error("the name of the H(e)NB is not <EUI>.<realm>")]
    Identity(#[from] IdentityError),
    /// The name is no FQDN.
    #[error("the name is not that of a host")]
    NotAHost,
    /// Neither a shared key nor one made on the spot.
    #[error("there is no key for the certificate")]
    NoKey,
    /// The CA's own certificate cannot be read.
    #[error("the CA's certificate cannot be read")]
    NotACertificate,
    /// The lab can only revoke what it issued.
    #[error(
        "{path} was not issued by a CA of {dir}; name the file of a certificate that `hearth pki` made there"
    )]
    NotOurs {
        /// The certificate.
        path: PathBuf,
        /// The folder.
        dir: PathBuf,
    },
    /// A line that nobody but a person wrote.
    #[error("{path}, line {line}: expected number,N or serial,date,reason")]
    Index {
        /// The index of a CA.
        path: PathBuf,
        /// Counted from one.
        line: usize,
    },
    /// A statement cannot be written down.
    #[error("the statement cannot be written")]
    Json(#[source] serde_json::Error),
    /// A manifest says what no cell would read.
    #[error("the manifest cannot be signed")]
    Manifest(#[from] StatementError),
    /// The TLS library failed.
    #[error("the TLS library refuses")]
    Engine(#[from] openssl::error::ErrorStack),
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::certificate::CertificateFacts;

    #[test]
    fn a01_a02_the_lab_issues_the_layout_and_repeats_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        init(dir).unwrap();
        let hems = issue_hems(dir, "hems.operator.example").unwrap();
        let henb = issue_henb(dir, "00005E005301", "hnb.example", None).unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let before = (read(&hems.chain), read(&henb.chain), read(&dir.join("operator.pem")));
        issue_hems(dir, "HEMS.operator.example").unwrap();
        issue_henb(dir, "00005e005301", "hnb.example", None).unwrap();
        init(dir).unwrap();
        assert_eq!(before, (read(&hems.chain), read(&henb.chain), read(&dir.join("operator.pem"))));
        assert_eq!(henb.chain, dir.join("henb/00005e005301.hnb.example.pem"));
        assert_eq!(read(&dir.join("operator.pem")).matches("BEGIN CERTIFICATE").count(), 2);
        assert_eq!(read(&dir.join("manufacturer.pem")), read(&dir.join("manufacturer/hnb.example.pem")));
        assert!(dir.join("operator/operator.example.key").exists() && dir.join("lab").exists());
        let row = "00005e005301.hnb.example,00005E,SimulatedCell,00005E005301\n";
        assert_eq!(read(&dir.join("identities.csv")), format!("{IDENTITIES_HEADER}{row}"));
        for key in [&hems.key, &henb.key, &dir.join("operator/localhost.key")] {
            assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600, "{key:?}");
        }
    }

    #[test]
    fn k06_lab_certificates_are_dated_back_before_the_build() {
        let dir = tempfile::tempdir().unwrap();
        init(dir.path()).unwrap();
        let pair = issue_henb(dir.path(), "00005e005301", "hnb.example", None).unwrap();
        let pem = openssl::x509::X509::from_pem(&std::fs::read(pair.chain).unwrap()).unwrap();
        let facts = CertificateFacts::read(&pem.to_der().unwrap()).unwrap();
        assert!(facts.not_before < crate::clock::build_time());
        assert_eq!(facts.dns_names, ["00005e005301.hnb.example"]);
        assert_eq!((facts.key.as_str(), facts.signature.as_str()), ("RSA 2048", "sha256WithRSAEncryption"));
    }

    #[test]
    fn g01_the_lab_issues_both_ends_of_a_connection_request() {
        let dir = tempfile::tempdir().unwrap();
        init(dir.path()).unwrap();
        let wake = issue_wake(dir.path(), "LOCALHOST").unwrap();
        let listener = issue_listener(dir.path(), "00005E005301", "hnb.example").unwrap();
        assert_eq!(wake.chain, dir.path().join("wake/localhost.pem"));
        assert_eq!(listener.chain, dir.path().join("listener/00005e005301.hnb.example.pem"));
        let list = std::fs::read_to_string(dir.path().join("identities.csv")).unwrap();
        assert_eq!(list, IDENTITIES_HEADER, "a listener is no cell");
    }

    #[test]
    fn a_fleet_shares_a_key() {
        let dir = tempfile::tempdir().unwrap();
        let key = Key::generate(2048).unwrap();
        init(dir.path()).unwrap();
        let mut fleet = Fleet::open(dir.path(), "hnb.example").unwrap();
        let pairs: Vec<_> =
            (1..4).map(|n| fleet.issue(&format!("02000000000{n}"), Some(&key)).unwrap()).collect();
        let keys: Vec<_> = pairs.iter().map(|pair| std::fs::read(&pair.key).unwrap()).collect();
        assert!(keys.windows(2).all(|two| two[0] == two[1]));
        let list = std::fs::read_to_string(dir.path().join("identities.csv")).unwrap();
        assert_eq!(list.lines().count(), 4);
    }

    #[test]
    fn a_folder_that_init_did_not_make_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        for mistyped in [dir.path().to_path_buf(), dir.path().join("nowhere")] {
            let refusals = [
                issue_hems(&mistyped, "localhost").unwrap_err(),
                issue_henb(&mistyped, "00005e005301", "hnb.example", None).unwrap_err(),
            ];
            for refusal in refusals {
                assert!(matches!(refusal, PkiError::NotALab { .. }), "{refusal}");
                assert!(refusal.to_string().contains("hearth pki init"), "{refusal}");
            }
        }
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["../x", "a/b", "", "127.0.0.1", "a..b", "*.example"] {
            assert!(matches!(issue_hems(dir.path(), name), Err(PkiError::NotAHost)), "{name}");
        }
        assert!(issue_henb(dir.path(), "00005e005301", "../x.example", None).is_err());
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
    }

    #[test]
    fn the_ca_of_a_host_is_its_domain_s() {
        for (fqdn, domain) in
            [("localhost", "localhost"), ("hems.example", "hems.example"), ("a.b.example", "b.example")]
        {
            assert_eq!(parent_domain(fqdn), domain);
        }
    }
}
