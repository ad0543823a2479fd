//! What a certificate shall be, honest or not: the orders that an [`Authority`](super::Authority) carries out.
//!
//! An order says what differs from an honest certificate; what it does not mention is as it should be.

use std::net::IpAddr;

use jiff::Timestamp;

use super::LAB_BITS;
use super::authority::{Digest, Purpose, Usage, Validity};
use crate::identity::Identity;
use crate::url::address_literal;

/// What can be wrong with a certificate as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Of an end entity: X.509 version 1, and so without any extension.
    Version1,
    /// Of an end entity: a critical extension that nobody knows. (RFC 5280 4.2)
    UnknownCritical,
    /// Of a CA: basic constraints that say it is none.
    NotCa,
    /// Of a CA: no basic constraints.
    NoConstraints,
    /// Of a CA: key usage without keyCertSign.
    NoCertSign,
    /// Of a CA: basic constraints that are not critical.
    UncriticalConstraints,
    /// Of a CA: no key usage.
    NoUsage,
    /// Of a CA: key usage that is not critical.
    UncriticalUsage,
    /// Of an end entity: the names twice. (RFC 5280 4.2)
    NamesTwice,
    /// Of an end entity: X.509 version 4, which does not exist.
    Version4,
    /// Of an end entity: a purpose that is every purpose. (RFC 5280 4.2.1.12)
    AnyPurpose,
}

/// What a new CA shall be.
#[derive(Debug, Clone)]
pub struct AuthorityOrder {
    pub(super) common_name: String,
    pub(super) domain: Option<String>,
    pub(super) is_lab: bool,
    pub(super) bits: u32,
    pub(super) digest: Digest,
    pub(super) validity: Validity,
    pub(super) path_length: u32,
    pub(super) defect: Option<Defect>,
}

impl AuthorityOrder {
    /// A lab CA for names below `domain` only.
    pub fn lab(common_name: &str, domain: &str) -> Self {
        Self {
            common_name: common_name.to_owned(),
            domain: Some(domain.to_owned()),
            is_lab: true,
            bits: LAB_BITS,
            digest: Digest::Sha256,
            validity: Validity::lab(Timestamp::now(), 1),
            path_length: 0,
            defect: None,
        }
    }

    /// Without name constraints.
    #[must_use]
    pub fn unconstrained(self) -> Self {
        Self { domain: None, ..self }
    }

    /// Without the lab marker: for tests of what a product accepts.
    #[must_use]
    pub fn unmarked(self) -> Self {
        Self { is_lab: false, ..self }
    }

    /// Another RSA size.
    #[must_use]
    pub fn bits(self, bits: u32) -> Self {
        Self { bits, ..self }
    }

    /// Another digest.
    #[must_use]
    pub fn digest(self, digest: Digest) -> Self {
        Self { digest, ..self }
    }

    /// Another validity.
    #[must_use]
    pub fn valid(self, validity: Validity) -> Self {
        Self { validity, ..self }
    }

    /// With something wrong that no other order says.
    #[must_use]
    pub fn defective(self, defect: Defect) -> Self {
        Self { defect: Some(defect), ..self }
    }

    /// How many CAs may stand below it.
    #[must_use]
    pub fn path_length(self, path_length: u32) -> Self {
        Self { path_length, ..self }
    }
}

/// What a new end-entity certificate shall be, honest or not.
#[derive(Debug, Clone)]
pub struct LeafOrder {
    pub(super) common_name: String,
    pub(super) dns_names: Vec<Vec<u8>>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) digest: Digest,
    pub(super) validity: Validity,
    pub(super) usages: Vec<Usage>,
    pub(super) is_usage_critical: bool,
    pub(super) purposes: Vec<Purpose>,
    pub(super) is_ca: bool,
    pub(super) key_period: Option<Validity>,
    pub(super) defect: Option<Defect>,
}

impl LeafOrder {
    /// The certificate of a H(e)MS: a name, or an address, which only an iPAddress meets.
    pub fn hems(host: &str) -> Self {
        let usages = vec![Usage::DigitalSignature, Usage::KeyEncipherment];
        Self::new(host, usages, vec![Purpose::ServerAuth])
    }

    /// The certificate of a H(e)NB.
    pub fn henb(identity: &Identity) -> Self {
        Self::new(identity.as_str(), vec![Usage::DigitalSignature], vec![Purpose::ClientAuth])
    }

    /// The certificate of who signs statements for the cells of `domain`: it names no host. (Decision 28)
    pub fn signer(domain: &str) -> Self {
        let common_name = format!("statements for cells, {domain}");
        let order = Self::new(&common_name, vec![Usage::DigitalSignature], vec![Purpose::Statements]);
        Self { dns_names: Vec::new(), ..order }
    }

    /// The certificate with which a H(e)MS sends Connection Requests to the cells whose H(e)MS is `host`. (Decision 5)
    pub fn wake(host: &str) -> Self {
        Self::new(host, vec![Usage::DigitalSignature], vec![Purpose::ClientAuth, Purpose::Wake])
    }

    /// The certificate of a H(e)NB's listener for them: its key signs handshakes and decrypts nothing.
    pub fn listener(identity: &Identity) -> Self {
        Self::new(identity.as_str(), vec![Usage::DigitalSignature], vec![Purpose::ServerAuth])
    }

    /// The certificate of who signs firmware. (Decision 10)
    pub fn firmware(name: &str) -> Self {
        let common_name = format!("firmware, {name}");
        let order = Self::new(&common_name, vec![Usage::DigitalSignature], vec![Purpose::CodeSigning]);
        Self { dns_names: Vec::new(), ..order }
    }

    fn new(name: &str, usages: Vec<Usage>, purposes: Vec<Purpose>) -> Self {
        let address = address_literal(name);
        Self {
            common_name: name.to_owned(),
            dns_names: if address.is_some() { Vec::new() } else { vec![name.as_bytes().to_vec()] },
            addresses: address.into_iter().collect(),
            digest: Digest::Sha256,
            validity: Validity::lab(Timestamp::now(), 1),
            usages,
            is_usage_critical: true,
            purposes,
            is_ca: false,
            key_period: None,
            defect: None,
        }
    }

    /// Another subject common name.
    #[must_use]
    pub fn common_name(self, name: &str) -> Self {
        Self { common_name: name.to_owned(), ..self }
    }

    /// Other dNSNames, byte for byte; none leaves the extension out.
    #[must_use]
    pub fn dns_names<N: AsRef<[u8]>>(self, names: &[N]) -> Self {
        Self { dns_names: names.iter().map(|name| name.as_ref().to_vec()).collect(), ..self }
    }

    /// iPAddresses.
    #[must_use]
    pub fn addresses(self, addresses: &[IpAddr]) -> Self {
        Self { addresses: addresses.to_vec(), ..self }
    }

    /// Another digest.
    #[must_use]
    pub fn digest(self, digest: Digest) -> Self {
        Self { digest, ..self }
    }

    /// Another validity.
    #[must_use]
    pub fn valid(self, validity: Validity) -> Self {
        Self { validity, ..self }
    }

    /// Other key usage; none leaves the extension out.
    #[must_use]
    pub fn usages(self, usages: &[Usage]) -> Self {
        Self { usages: usages.to_vec(), ..self }
    }

    /// With key usage that a reader may skip.
    #[must_use]
    pub fn uncritical_usage(self) -> Self {
        Self { is_usage_critical: false, ..self }
    }

    /// Other extended key usage; none leaves the extension out.
    #[must_use]
    pub fn purposes(self, purposes: &[Purpose]) -> Self {
        Self { purposes: purposes.to_vec(), ..self }
    }

    /// With the CA flag, where no CA flag belongs.
    #[must_use]
    pub fn as_ca(self) -> Self {
        Self { is_ca: true, ..self }
    }

    /// With something wrong that no other order says.
    #[must_use]
    pub fn defective(self, defect: Defect) -> Self {
        Self { defect: Some(defect), ..self }
    }

    /// With a private key usage period.
    #[must_use]
    pub fn key_period(self, period: Validity) -> Self {
        Self { key_period: Some(period), ..self }
    }
}
