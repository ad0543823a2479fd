//! Terms, keys and anchors: everything that is checked once, before the first connection.
//!
//! What a peer would refuse us for is found here, by the same rules, and said with the file and the remedy: a
//! weak or wrong certificate, a key that others may read, an anchor without realms, a lab CA in production.
//! The recipe for the engine is here too: security level 0 is what TLS 1.1 needs, and what that level would let
//! in is shut out by the exact suites, verification level 2 and the list of signature algorithms.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssl::bn::BigNum;
use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslSessionCacheMode, SslVersion,
};
use openssl::x509::X509;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::X509Certificate;

use crate::certificate::{self, CertificateFacts};
use crate::clock::Clock;
use crate::identity::{Identity, IdentityError};
use crate::key::{KeySource, OwnCertificate};
use crate::pki::LAB_MARKER;
use crate::profile::{Exchange, Profile, SuiteOrder, Version};
use crate::refusal::{Reason, Refusal};
use crate::trust::{Exception, Trial, TrustAnchor};
use crate::verify::{self, Role};

/// Verification at 112 bits: RSA of 2048 bits and SHA-256, whatever the security level says.
pub(crate) const AUTH_LEVEL: i32 = 2;

/// The most CAs between a leaf and its anchor; real chains have one or two.
const MAX_DEPTH: u32 = 6;

/// The terms under which one side talks TLS.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The table.
    pub profile: &'static Profile,
    /// Which suites come first.
    pub order: SuiteOrder,
    /// The clock that certificates are checked with.
    pub clock: Arc<dyn Clock>,
    /// Whether lab CAs are accepted. (Decision 12)
    pub lab: bool,
    /// Whether sessions may be resumed; what a certificate must be is judged again each time. (Decision 8)
    pub resumption: bool,
}

impl Terms {
    /// The default terms: `ts33320`, DHE first, no lab, with resumption.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let order = SuiteOrder::default();
        Self { profile: &Profile::TS33320, order, clock, lab: false, resumption: true }
    }
}

/// A certificate chain and its private key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// The leaf first, then the CAs below the root.
    pub chain: PathBuf,
    /// The private key; only its owner may read the file.
    pub key: PathBuf,
}

/// Why a context cannot be made; each names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("{path} holds no {wanted} in PEM")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was expected.
        wanted: &'static str,
    },
    /// Others than the owner can read the key.
    #[error("{path} has mode {mode:03o}: others can read the key; run: chmod 600 {path}")]
    OpenKey {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Two files that do not belong together.
    #[error("the key {key} does not belong to the certificate {chain}")]
    KeyMismatch {
        /// The certificate.
        chain: PathBuf,
        /// The key.
        key: KeySource,
    },
    /// A key that cannot be reached, or a URI that names none.
    #[error("the key {uri}: {detail}")]
    Token {
        /// The PKCS#11 URI.
        uri: String,
        /// Why not.
        detail: String,
    },
    /// The mandatory suite decrypts with the key, and a token's engine cannot. (Decision 9)
    #[error(
        "the key {key} is in a token, which signs and cannot decrypt a premaster secret: TLS_RSA_WITH_AES_128_CBC_SHA, \
         which {profile} demands, could not be negotiated; use a key file, or the profile ts33210"
    )]
    TokenCannotDecrypt {
        /// The key.
        key: KeySource,
        /// The profile of the listener.
        profile: &'static str,
    },
    /// Every peer would refuse our certificate, or has to.
    #[error("the certificate {path}: {detail} ({}); {}", reason.clause(), reason.remedy())]
    Own {
        /// The certificate.
        path: PathBuf,
        /// The row of the table.
        reason: Reason,
        /// What is wrong with it.
        detail: String,
    },
    /// Static RSA suites, the mandatory one among them, cannot be negotiated. (P-12, T-14)
    #[error(
        "the certificate {path} does not permit keyEncipherment, so TLS_RSA_WITH_AES_128_CBC_SHA, which ts33320 demands, \
         cannot be negotiated (TS 33.320 8.3.4); issue it with digitalSignature and keyEncipherment"
    )]
    NoKeyEncipherment {
        /// The certificate.
        path: PathBuf,
    },
    /// An anchor that no chain should end in.
    #[error("the trust anchor {path}: {detail}; list self-signed CA certificates with strong keys only")]
    Anchor {
        /// The bundle.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A server without anchors would refuse everybody.
    #[error("no trust anchor is configured; name at least one with its realms")]
    NoAnchors,
    /// There is no "any realm". (Decision 7)
    #[error(
        "the trust anchor \"{name}\" names no realms; list the realms that it may issue for, there is no \"any\""
    )]
    NoRealms {
        /// The anchor.
        name: String,
    },
    /// A realm that no identity can have.
    #[error("the trust anchor \"{name}\" names the realm \"{realm}\": {source}")]
    BadRealm {
        /// The anchor.
        name: String,
        /// The realm.
        realm: String,
        /// Why.
        source: IdentityError,
    },
    /// One CA under two names would make the realms of both worthless.
    #[error(
        "the trust anchors \"{first}\" and \"{second}\" hold the same CA certificate; list it once with all realms"
    )]
    SharedAnchor {
        /// One anchor.
        first: String,
        /// Another.
        second: String,
    },
    /// What can be excepted is a short list.
    #[error(
        "the trust anchor \"{name}\" excepts \"{reason}\"; only {} can be excepted",
        possible_exceptions()
    )]
    Exception {
        /// The anchor.
        name: String,
        /// What it wants to except.
        reason: Reason,
    },
    /// An OCSP response that no cell would take.
    #[error("cannot staple")]
    Staple(#[from] crate::revocation::ocsp::StapleError),
    /// The response cannot be checked without the issuer.
    #[error("cannot staple {path}: the certificate file lacks the CA that issued our certificate; append it")]
    NoIssuer {
        /// The response.
        path: PathBuf,
    },
    /// (Decision 9)
    #[error("the key {key} already serves {user}; a key serves one listener, profile and role: make another")]
    SharedKey {
        /// The key.
        key: KeySource,
        /// Who has it.
        user: String,
    },
    /// (Decision 12)
    #[error(
        "{path} comes from a lab CA (\"{LAB_MARKER}\"); use certificates of a real CA, or say lab = true"
    )]
    Lab {
        /// The file.
        path: PathBuf,
    },
    /// The table itself breaks the clause.
    #[error("the profile table breaks its own rules: {0}")]
    Profile(crate::profile::ProfileError),
    /// The TLS library failed.
    #[error("the TLS library refuses")]
    Engine(#[from] ErrorStack),
}

fn possible_exceptions() -> String {
    Exception::POSSIBLE.map(Reason::code).join(", ")
}

/// One side's own certificate, loaded and found good.
pub(crate) struct Own {
    pub(crate) leaf: X509,
    /// Who issued the leaf, where the file says so.
    pub(crate) issuer: Option<X509>,
    above: Vec<X509>,
    key: PKey<Private>,
    pub(crate) facts: CertificateFacts,
    pub(crate) identity: Option<Identity>,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// One CA certificate that chains may end in.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    pub(crate) certificate: X509,
    pub(crate) der: Vec<u8>,
}

fn file(path: &Path) -> Result<Vec<u8>, ContextError> {
    fs::read(path).map_err(|source| ContextError::Read { path: path.into(), source })
}

pub(crate) fn certificates(path: &Path) -> Result<Vec<X509>, ContextError> {
    let missing = || ContextError::Pem { path: path.into(), wanted: "certificate" };
    let found = X509::stack_from_pem(&file(path)?).map_err(|_| missing())?;
    if found.is_empty() { Err(missing()) } else { Ok(found) }
}

/// Whether a CA certificate, or the issuer of another, carries the lab marker.
fn has_marker(certificate: &X509Certificate<'_>) -> bool {
    let mut units = certificate
        .subject()
        .iter_organizational_unit()
        .chain(certificate.issuer().iter_organizational_unit());
    units.any(|unit| unit.as_str() == Ok(LAB_MARKER))
}

/// Whether any certificate of a PEM file comes from a lab CA. (Decision 12)
pub fn is_lab(pem: &Path) -> Result<bool, ContextError> {
    for certificate in certificates(pem)? {
        let der = certificate.to_der()?;
        if verify::read(&der).is_ok_and(|certificate| has_marker(&certificate)) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Own {
    /// Loads and judges our own certificate by the rules that a peer would apply. (Decision 9)
    pub(crate) fn load(pair: &OwnCertificate, role: Role, terms: &Terms) -> Result<Self, ContextError> {
        let chain = certificates(&pair.chain)?;
        let issuer = chain.get(1).cloned();
        let mut chain = chain.into_iter();
        let leaf = chain
            .next()
            .ok_or_else(|| ContextError::Pem { path: pair.chain.clone(), wanted: "certificate" })?;
        let decrypts = role == Role::Hems && terms.profile.uses_static_rsa();
        if decrypts && pair.key.only_signs() {
            let (key, profile) = (pair.key.clone(), terms.profile.name);
            return Err(ContextError::TokenCannotDecrypt { key, profile });
        }
        let key = pair.key.open()?;
        if !leaf.public_key()?.public_eq(&key) {
            return Err(ContextError::KeyMismatch { chain: pair.chain.clone(), key: pair.key.clone() });
        }
        let der = leaf.to_der()?;
        let bad = |refusal: Refusal| ContextError::Own {
            path: pair.chain.clone(),
            reason: refusal.reason,
            detail: refusal.detail,
        };
        let certificate = verify::read(&der).map_err(bad)?;
        if has_marker(&certificate) && !terms.lab {
            return Err(ContextError::Lab { path: pair.chain.clone() });
        }
        let mut trial = Trial::plain(role, terms.profile, terms.clock.now());
        if decrypts && !verify::permits(&certificate).map_err(bad)?.key_encipherment {
            verify::strength(&certificate, &mut trial).map_err(bad)?;
            return Err(ContextError::NoKeyEncipherment { path: pair.chain.clone() });
        }
        verify::leaf_rules(&certificate, &mut trial).map_err(bad)?;
        let identity = own_name(&certificate, role).map_err(bad)?;
        // The root is never sent: who trusts it has it.
        let above = chain.filter(|ca| ca.issued(ca) != openssl::x509::X509VerifyResult::OK).collect();
        Ok(Self { facts: CertificateFacts::of(&certificate, &der), leaf, issuer, above, key, identity })
    }
}

/// A H(e)NB has an identity; a H(e)MS has the name of a host, and permits DHE suites too.
fn own_name(certificate: &X509Certificate<'_>, role: Role) -> Result<Option<Identity>, Refusal> {
    match role {
        Role::Henb | Role::Listener => verify::identity_of(certificate).map(Some),
        Role::Hems | Role::Wake => {
            verify::suite_usage(certificate, true)?;
            match certificate.subject_alternative_name() {
                Ok(Some(names)) if !names.value.general_names.is_empty() => Ok(None),
                Ok(_) | Err(_) => Err(Refusal::new(Reason::WrongName, "there is no host in subjectAltName")),
            }
        }
    }
}

/// Loads a bundle of CA certificates and judges each.
pub(crate) fn roots(path: &Path, terms: &Terms) -> Result<Vec<Root>, ContextError> {
    let bad = |detail: String| ContextError::Anchor { path: path.into(), detail };
    let mut roots = Vec::new();
    for certificate in certificates(path)? {
        let der = certificate.to_der()?;
        let parsed = verify::read(&der).map_err(|refusal| bad(refusal.detail))?;
        if has_marker(&parsed) && !terms.lab {
            return Err(ContextError::Lab { path: path.into() });
        }
        if let Some(fault) = root_fault(&parsed, terms.profile) {
            return Err(bad(fault));
        }
        roots.push(Root { certificate, der });
    }
    Ok(roots)
}

/// Why a certificate cannot be a root, if so.
pub(crate) fn root_fault(root: &X509Certificate<'_>, profile: &Profile) -> Option<String> {
    let subject = certificate::bounded(&root.subject().to_string(), certificate::MAX_TEXT);
    let signs = root.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.key_cert_sign()));
    let is_weak = certificate::rsa_bits(root).is_some_and(|bits| bits < profile.min_rsa_bits);
    let fault = match () {
        () if root.subject().as_raw() != root.issuer().as_raw() => "is not self-signed".to_owned(),
        () if !root.is_ca() => "is not a CA".to_owned(),
        () if !signs => "may not sign certificates: its key usage lacks keyCertSign".to_owned(),
        () if is_weak => format!("has an RSA key below {} bits", profile.min_rsa_bits),
        () => return None,
    };
    Some(format!("{subject} {fault}"))
}

fn engine_version(version: Version) -> SslVersion {
    match version {
        Version::Tls11 => SslVersion::TLS1_1,
        Version::Tls12 => SslVersion::TLS1_2,
        Version::Tls13 => SslVersion::TLS1_3,
    }
}

/// The recipe that both sides share.
pub(crate) fn builder<'a>(
    terms: &Terms,
    own: &Own,
    roots: impl Iterator<Item = &'a Root>,
) -> Result<SslContextBuilder, ContextError> {
    if let Some(breach) = terms.profile.breaches().first() {
        return Err(ContextError::Profile(*breach));
    }
    let mut builder = SslContext::builder(SslMethod::tls())?;
    builder.set_security_level(0);
    builder.verify_param_mut().set_auth_level(AUTH_LEVEL);
    builder.set_verify_depth(MAX_DEPTH);
    offer(&mut builder, terms)?;
    builder.set_options(
        SslOptions::NO_COMPRESSION | SslOptions::NO_RENEGOTIATION | SslOptions::CIPHER_SERVER_PREFERENCE,
    );
    builder.set_mode(SslMode::RELEASE_BUFFERS | SslMode::NO_AUTO_CHAIN);
    builder.set_certificate(&own.leaf)?;
    builder.set_private_key(&own.key)?;
    for certificate in &own.above {
        builder.add_extra_chain_cert(certificate.clone())?;
    }
    for root in roots {
        builder.cert_store_mut().add_cert(root.certificate.clone())?;
    }
    Ok(builder)
}

/// Versions, suites, signatures and curves: exactly the table, whatever the system's openssl.cnf says.
fn offer(builder: &mut SslContextBuilder, terms: &Terms) -> Result<(), ContextError> {
    let profile = terms.profile;
    let suites = profile.offered(terms.order);
    let names = |is_newer: bool| {
        let chosen = suites.iter().filter(|suite| (suite.exchange() == Exchange::Tls13) == is_newer);
        chosen.map(|suite| suite.engine_name).collect::<Vec<_>>().join(":")
    };
    builder.set_cipher_list(&names(false))?;
    builder.set_ciphersuites(&names(true))?;
    builder.set_sigalgs_list(profile.signatures)?;
    if let Some(groups) = profile.groups {
        builder.set_groups_list(groups)?;
    }
    builder.set_min_proto_version(Some(engine_version(profile.min_version)))?;
    builder.set_max_proto_version(Some(engine_version(profile.max_version)))?;
    // The system's openssl.cnf may have switched versions off behind the range.
    builder.clear_options(SslOptions::NO_TLSV1_1 | SslOptions::NO_TLSV1_2 | SslOptions::NO_TLSV1_3);
    Ok(())
}

/// No tickets and no cache.
pub(crate) fn never_resume(builder: &mut SslContextBuilder) {
    builder.set_options(SslOptions::NO_TICKET);
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
}

/// The 2048-bit MODP group 14. (RFC 3526 3, T-05)
pub(crate) fn dh_group() -> Result<Dh<openssl::pkey::Params>, ErrorStack> {
    Dh::from_pqg(BigNum::get_rfc3526_prime_2048()?, None, BigNum::from_u32(2)?)
}

/// A realm as identities have it, or why none has it.
pub(crate) fn realm(anchor: &TrustAnchor, realm: &str) -> Result<String, ContextError> {
    let identity = Identity::new("000000000000", realm).map_err(|source| ContextError::BadRealm {
        name: anchor.name.clone(),
        realm: realm.to_owned(),
        source,
    })?;
    Ok(identity.realm().to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::SystemClock;
    use crate::pki;

    #[test]
    fn t06_t07_the_engine_is_told_not_to_compress_and_not_to_renegotiate() {
        let folder = tempfile::tempdir().unwrap();
        pki::init(folder.path()).unwrap();
        let pair = pki::issue_hems(folder.path(), "localhost").unwrap();
        let terms = Terms { lab: true, ..Terms::new(Arc::new(SystemClock)) };
        let own = Own::load(&(&pair).into(), Role::Hems, &terms).unwrap();
        let builder = builder(&terms, &own, std::iter::empty()).unwrap();
        assert!(builder.options().contains(SslOptions::NO_COMPRESSION | SslOptions::NO_RENEGOTIATION));
    }
}
