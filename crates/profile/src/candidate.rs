//! A H(e)MS certificate that is not in use yet, judged as a cell would judge it. (Decision 6)
//!
//! A cell that refuses us can report nothing, so the question is asked before the change: [`Candidate::faults`]
//! are what every cell would refuse, whatever its clock says; [`Candidate::refusal_at`] is what one cell would,
//! by the clock that it checks with. The engine builds the chain with the last certificate of the file as the
//! anchor: whether cells trust that one is not for the file to say.

use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509StoreContext, X509VerifyResult};

use crate::certificate::CertificateFacts;
use crate::handshake;
use crate::profile::Profile;
use crate::refusal::{Reason, Refusal};
use crate::trust::Trial;
use crate::url::{HemsUrl, address_literal};
use crate::verify::{self, Role};

/// The longest chain that is judged: what a handshake takes.
const MAX_CHAIN: usize = 8;

/// A H(e)MS certificate with its chain, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct Candidate {
    chain: Vec<CertificateFacts>,
    leaf: Vec<u8>,
    top: X509,
    faults: Vec<Refusal>,
}

/// Why a text cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum CandidateError {
    /// It is no chain.
    #[error("give one to {MAX_CHAIN} certificates in PEM, the H(e)MS's own first")]
    Pem,
    /// A certificate is not well-formed.
    #[error("{0}")]
    Malformed(#[from] Refusal),
    /// The TLS library failed.
    #[error("the TLS library refuses")]
    Engine(#[from] ErrorStack),
}

impl Candidate {
    /// Reads a chain in PEM, leaf first, as the certificate of the host in `url`.
    pub fn read(pem: &[u8], url: &HemsUrl, profile: &Profile) -> Result<Self, CandidateError> {
        let certificates = X509::stack_from_pem(pem).map_err(|_| CandidateError::Pem)?;
        let top = certificates.last().filter(|_| certificates.len() <= MAX_CHAIN);
        let top = top.ok_or(CandidateError::Pem)?.clone();
        let ders = certificates.iter().map(|one| one.to_der()).collect::<Result<Vec<_>, _>>()?;
        let mut chain = Vec::new();
        for der in &ders {
            chain.push(CertificateFacts::of(&verify::read(der)?, der));
        }
        let leaf = ders.first().cloned().unwrap_or_default();
        let mut candidate = Self { chain, leaf, top, faults: Vec::new() };
        candidate.faults = candidate.judge(&certificates, &ders, url, profile)?;
        Ok(candidate)
    }

    /// The facts of the chain, leaf first.
    pub fn chain(&self) -> &[CertificateFacts] {
        &self.chain
    }

    /// What every cell would refuse.
    pub fn faults(&self) -> &[Refusal] {
        &self.faults
    }

    /// The first and the last moment at which the whole chain is valid.
    pub fn validity(&self) -> (Timestamp, Timestamp) {
        let begin = self.chain.iter().map(|one| one.not_before).max();
        let end = self.chain.iter().map(|one| one.not_after).min();
        (begin.unwrap_or(Timestamp::MAX), end.unwrap_or(Timestamp::MIN))
    }

    /// The issuer of the last certificate: the root, or who signed what stands next to it.
    pub fn root(&self) -> &str {
        self.chain.last().map_or("", |one| one.issuer.as_str())
    }

    /// Whether both end in one root, by its key: names prove nothing, every lab's roots have the same ones. Files need
    /// not hold the root; where neither does, the same issuer with the same key identifier counts.
    pub fn shares_root(&self, other: &Self) -> bool {
        let signed = |root: &Self, below: &Self| {
            let is_issuer = root.top.issued(&below.top) == X509VerifyResult::OK;
            is_issuer && root.top.public_key().and_then(|key| below.top.verify(&key)).unwrap_or(false)
        };
        let key_id = |one: &Self| one.top.authority_key_id().map(|id| id.as_slice().to_owned());
        match (signed(self, self), signed(other, other)) {
            (true, _) => signed(self, other),
            (_, true) => signed(other, self),
            (false, false) => {
                self.root() == other.root() && key_id(self).is_some_and(|id| key_id(other) == Some(id))
            }
        }
    }

    /// Why a cell with this clock would refuse it, faults apart. (TS 33.320 8.3.4, P-18)
    pub fn refusal_at(&self, clock: Timestamp) -> Option<Refusal> {
        let (begin, end) = self.validity();
        if clock < begin {
            return Some(Refusal::new(Reason::CertificateNotYetValid, format!("valid from {begin}")));
        }
        if clock > end {
            return Some(Refusal::new(Reason::CertificateExpired, format!("valid until {end}")));
        }
        verify::read(&self.leaf).and_then(|leaf| verify::key_period(&leaf, clock)).err()
    }

    fn judge(
        &self,
        certificates: &[X509],
        ders: &[Vec<u8>],
        url: &HemsUrl,
        profile: &Profile,
    ) -> Result<Vec<Refusal>, ErrorStack> {
        let (begin, end) = self.validity();
        let mut faults = Vec::new();
        if begin > end {
            let detail = "the certificates of the chain are never valid at the same time";
            faults.push(Refusal::new(Reason::CertificateExpired, detail));
        }
        faults.extend(usage(&self.leaf, profile).err());
        let engine = built(certificates, ders, url, profile, begin)?;
        faults.extend(engine.filter(|refusal| !is_date(refusal.reason)));
        faults.dedup_by_key(|refusal| refusal.reason);
        Ok(faults)
    }
}

fn is_date(reason: Reason) -> bool {
    matches!(reason, Reason::CertificateNotYetValid | Reason::CertificateExpired | Reason::KeyPeriod)
}

/// The rules for the leaf, for both kinds of suite; dates are asked per cell.
fn usage(leaf: &[u8], profile: &Profile) -> Result<(), Refusal> {
    let leaf = verify::read(leaf)?;
    match verify::leaf_rules(&leaf, &mut Trial::plain(Role::Hems, profile, Timestamp::UNIX_EPOCH)) {
        Err(refusal) if !is_date(refusal.reason) => return Err(refusal),
        Ok(()) | Err(_) => {}
    }
    verify::suite_usage(&leaf, true)?;
    if profile.uses_static_rsa() { verify::suite_usage(&leaf, false) } else { Ok(()) }
}

/// What the engine says of the chain and the name at a moment at which all of it is valid.
fn built(
    certificates: &[X509],
    ders: &[Vec<u8>],
    url: &HemsUrl,
    profile: &Profile,
    at: Timestamp,
) -> Result<Option<Refusal>, ErrorStack> {
    let (Some(leaf), Some(top)) = (certificates.first(), certificates.last()) else {
        return Ok(None);
    };
    let store = anchored(top, url.host(), at)?;
    let mut above = Stack::new()?;
    for certificate in certificates.iter().skip(1) {
        above.push(certificate.clone())?;
    }
    X509StoreContext::new()?.init(&store, leaf, &above, |context| {
        let is_good = context.verify_cert()?;
        Ok((!is_good).then(|| handshake::engine_refusal(context, ders, Role::Hems, profile)))
    })
}

fn anchored(top: &X509, host: &str, at: Timestamp) -> Result<X509Store, ErrorStack> {
    let mut param = X509VerifyParam::new()?;
    param.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    param.set_auth_level(crate::context::AUTH_LEVEL);
    param.set_purpose(X509PurposeId::SSL_SERVER)?;
    param.set_time(at.as_second());
    param.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT);
    match address_literal(host) {
        Some(address) => param.set_ip(address)?,
        None => param.set_host(host)?,
    }
    let mut builder = X509StoreBuilder::new()?;
    builder.set_param(&param)?;
    builder.add_cert(top.clone())?;
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::mode::TransportMode;
    use crate::pki::{Authority, AuthorityOrder, Digest, Key, LeafOrder, Usage, Validity};

    const HOST: &str = "hems.operator.example";

    fn read(order: &LeafOrder) -> Candidate {
        let root = Authority::create(&AuthorityOrder::lab("operator", "operator.example")).unwrap();
        let leaf = root.issue(order, &Key::generate(2048).unwrap()).unwrap();
        let pem = [leaf.pem().unwrap(), root.pem().unwrap()].concat();
        let url = HemsUrl::parse(&format!("https://{HOST}/"), TransportMode::Public).unwrap();
        Candidate::read(&pem, &url, &Profile::TS33320).unwrap()
    }

    fn faults(order: &LeafOrder) -> Vec<Reason> {
        read(order).faults().iter().map(|refusal| refusal.reason).collect()
    }

    #[test]
    fn a05_a07_a08_a09_what_every_cell_would_refuse_is_a_fault() {
        let good = LeafOrder::hems(HOST);
        assert_eq!(faults(&good), []);
        assert_eq!(faults(&LeafOrder::hems("other.operator.example")), [Reason::WrongName]);
        assert_eq!(faults(&good.clone().usages(&[Usage::DigitalSignature])), [Reason::KeyUsage]);
        assert_eq!(faults(&good.clone().digest(Digest::Sha1)), [Reason::WeakSignature]);
        let purposes = [crate::pki::Purpose::ClientAuth];
        assert_eq!(faults(&good.purposes(&purposes)), [Reason::ExtendedKeyUsage]);
    }

    #[test]
    fn p18_a_clock_outside_the_validity_of_any_certificate_of_the_chain_refuses() {
        let (now, day) = (Timestamp::now(), SignedDuration::from_hours(24));
        let validity = Validity { not_before: now - day, not_after: now + day };
        let candidate = read(&LeafOrder::hems(HOST).valid(validity));
        let reason = |clock| candidate.refusal_at(clock).map(|refusal| refusal.reason);
        assert_eq!(reason(now), None);
        assert_eq!(reason(now - day * 2), Some(Reason::CertificateNotYetValid));
        assert_eq!(reason(now + day * 2), Some(Reason::CertificateExpired));
        assert!(candidate.faults().is_empty(), "{:?}", candidate.faults());
        assert!(candidate.root().contains("operator"), "{}", candidate.root());
    }

    #[test]
    fn a06_roots_are_told_apart_by_their_keys_and_not_by_their_names() {
        let [one, two] = [(); 2]
            .map(|()| Authority::create(&AuthorityOrder::lab("operator", "operator.example")).unwrap());
        let url = HemsUrl::parse(&format!("https://{HOST}/"), TransportMode::Public).unwrap();
        let chains = |root: &Authority| {
            let leaf = root.issue(&LeafOrder::hems(HOST), &Key::generate(2048).unwrap()).unwrap();
            let leaf = leaf.pem().unwrap();
            let with_root = [leaf.clone(), root.pem().unwrap()].concat();
            [leaf, with_root].map(|pem| Candidate::read(&pem, &url, &Profile::TS33320).unwrap())
        };
        for present in chains(&one) {
            assert!(chains(&one).iter().all(|next| next.shares_root(&present) && present.shares_root(next)));
            assert!(!chains(&two).iter().any(|next| next.shares_root(&present) || present.shares_root(next)));
        }
    }

    #[test]
    fn what_is_no_chain_is_refused_with_what_would_be_one() {
        let url = HemsUrl::parse("https://a.example/", TransportMode::Public).unwrap();
        for text in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = Candidate::read(text.as_bytes(), &url, &Profile::TS33320).unwrap_err();
            assert!(error.to_string().contains("PEM"), "{error}");
        }
    }
}
