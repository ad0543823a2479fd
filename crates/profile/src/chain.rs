//! What is kept of a chain that was verified: its dates, to judge them again when the clock moves, and its root. (K-10)

use jiff::Timestamp;

use crate::certificate::CertificateFacts;
use crate::refusal::{Reason, Refusal};
use crate::verify;

/// The dates of a verified chain, and where it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainDates {
    chain: Vec<Vec<u8>>,
}

impl ChainDates {
    /// The chain in DER, leaf first, root last.
    pub(crate) fn of(chain: Vec<Vec<u8>>) -> Self {
        Self { chain }
    }

    /// SHA-256 of the root in hexadecimal; empty where nothing is known.
    #[must_use]
    pub fn root(&self) -> String {
        let root = self.chain.last().and_then(|der| CertificateFacts::read(der));
        root.map(|facts| facts.fingerprint_sha256).unwrap_or_default()
    }

    /// Whether every certificate of the chain is valid at `now`, by each field that has a time. (P-18, K-10)
    ///
    /// # Errors
    /// The refusal that a handshake at that time would end with.
    pub fn check(&self, now: Timestamp) -> Result<(), Refusal> {
        for der in &self.chain {
            let certificate = verify::read(der)?;
            let facts = CertificateFacts::of(&certificate, der);
            let refused = |reason, text: String| Err(Refusal::new(reason, text).about(Some(facts.clone())));
            if now > facts.not_after {
                let text = format!("{} ended at {}", facts.subject, facts.not_after);
                return refused(Reason::CertificateExpired, text);
            }
            if now < facts.not_before {
                let text = format!("{} begins at {}", facts.subject, facts.not_before);
                return refused(Reason::CertificateNotYetValid, text);
            }
            verify::key_period(&certificate, now).map_err(|refusal| refusal.about(Some(facts)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use openssl::x509::X509;

    use super::*;
    use crate::pki::{Authority, AuthorityOrder, Key, LeafOrder, Validity};

    fn der(pem: &[u8]) -> Vec<u8> {
        X509::from_pem(pem).unwrap().to_der().unwrap()
    }

    #[test]
    fn k10_a_chain_is_judged_again_by_each_of_its_dates() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let years = |first: &str, last: &str| Validity { not_before: at(first), not_after: at(last) };
        let whole = years("2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z");
        let key = Key::generate(2048).unwrap();
        let order = AuthorityOrder::lab("operator", "localhost")
            .valid(years("2021-01-01T00:00:00Z", "2030-01-01T00:00:00Z"));
        let root = Authority::create(&order).unwrap();
        let leaf = LeafOrder::hems("localhost")
            .valid(whole)
            .key_period(years("2022-01-01T00:00:00Z", "2028-01-01T00:00:00Z"));
        let leaf = root.issue(&leaf, &key).unwrap();
        let root = der(&root.pem().unwrap());
        let chain = ChainDates::of(vec![der(&leaf.pem().unwrap()), root.clone()]);
        let reason = |time: &str| chain.check(at(time)).err().map(|refusal| refusal.reason);
        assert_eq!(reason("2025-01-01T00:00:00Z"), None);
        assert_eq!(reason("2029-01-01T00:00:00Z"), Some(Reason::KeyPeriod));
        assert_eq!(reason("2021-06-01T00:00:00Z"), Some(Reason::KeyPeriod));
        let reason =
            |chain: &ChainDates, time: &str| chain.check(at(time)).err().map(|refusal| refusal.reason);
        let root_only = ChainDates::of(vec![root]);
        assert_eq!(reason(&root_only, "2031-01-01T00:00:00Z"), Some(Reason::CertificateExpired));
        assert_eq!(reason(&root_only, "2020-06-01T00:00:00Z"), Some(Reason::CertificateNotYetValid));
        assert_eq!(root_only.root(), chain.root());
        assert_eq!(ChainDates::default().root(), "");
    }
}
