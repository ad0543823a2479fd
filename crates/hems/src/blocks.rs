//! Who is shut out although the certificate is good: the rules in memory, asked at every handshake. (I-12)
//!
//! ```text
//!  API ─▶ store ─▶ rules ─┬─▶ handshake: an alert
//!                         └─▶ every open connection, which watches the rules: it ends
//! ```
//!
//! A rule names an identity, a certificate, a key, an issuer or a range of an issuer's serial numbers. All but the
//! first look at the whole chain: a CA that went astray is shut out with everything below it.

use std::collections::BTreeSet;

use profile::{Blocklist, CertificateFacts, Identity};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::store::{Store, StoreError};

/// Characters of a SHA-256 in hexadecimal.
const DIGEST: usize = 64;
/// Digits of a serial number: 20 octets. (RFC 5280 4.1.2.2)
const SERIAL: usize = 40;
/// Bytes of a distinguished name, as facts of certificates are cut.
const NAME_MAX: usize = profile::MAX_TEXT;

/// What a block names.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[schemars(rename = "BlockKind")]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// An identity: `00005e005301.hnb.example`.
    Identity,
    /// SHA-256 of a certificate.
    Certificate,
    /// SHA-256 of a SubjectPublicKeyInfo.
    Key,
    /// An issuer's distinguished name, or SHA-256 of its certificate.
    Issuer,
    /// `FIRST-LAST@ISSUER`: a range of serial numbers in hexadecimal, and an issuer as above.
    Serials,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Identity, Self::Certificate, Self::Key, Self::Issuer, Self::Serials];

    /// The word for reports and stored rows.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Certificate => "certificate",
            Self::Key => "key",
            Self::Issuer => "issuer",
            Self::Serials => "serials",
        }
    }

    /// The kind of a word.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Why a value names nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    /// No identity.
    #[error("`value` is an identity such as 00005e005301.hnb.example: {0}")]
    Identity(#[from] profile::IdentityError),
    /// No digest.
    #[error("`value` is a SHA-256: {DIGEST} hexadecimal digits, with or without colons")]
    Digest,
    /// No issuer.
    #[error(
        "`value` is the issuer's distinguished name as sessions and refusals show it, 1 to {NAME_MAX} bytes, \
         or the SHA-256 of its certificate where that name was cut"
    )]
    Issuer,
    /// No range.
    #[error(
        "`value` is FIRST-LAST@ISSUER: two serial numbers of 1 to {SERIAL} hexadecimal digits, \
         the lower first, and an issuer's distinguished name or SHA-256"
    )]
    Serials,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule {
    kind: Kind,
    value: String,
}

impl Rule {
    /// Checks what an operator typed, and brings it into the one spelling that is stored.
    pub(crate) fn parse(kind: Kind, value: &str) -> Result<Self, BlockError> {
        let value = match kind {
            Kind::Identity => Identity::parse(value)?.to_string(),
            Kind::Certificate | Kind::Key => digest(value).ok_or(BlockError::Digest)?,
            Kind::Issuer => issuer(value).ok_or(BlockError::Issuer)?,
            Kind::Serials => {
                let (first, last, issuer) = serials(value).ok_or(BlockError::Serials)?;
                format!("{first}-{last}@{issuer}")
            }
        };
        Ok(Self { kind, value })
    }

    /// What it names.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Which.
    pub(crate) fn value(&self) -> &str {
        &self.value
    }

    fn of(kind: Kind, value: &str) -> Self {
        Self { kind, value: value.to_owned() }
    }

    fn says(&self) -> String {
        format!("its {} is blocked: {}", self.kind.name(), self.value)
    }
}

/// A digest without colons, in lower case.
fn digest(text: &str) -> Option<String> {
    let digits: String = text.trim().chars().filter(|c| *c != ':').collect();
    let is_digest = digits.len() == DIGEST && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| digits.to_ascii_lowercase())
}

/// A digest or a name that was not cut.
fn issuer(text: &str) -> Option<String> {
    let text = text.trim();
    let is_name = !text.is_empty() && text.len() <= NAME_MAX && text.contains('=');
    digest(text).or_else(|| is_name.then(|| text.to_owned()))
}

fn serials(text: &str) -> Option<(String, String, String)> {
    let (range, by) = text.split_once('@')?;
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last) = (serial(first)?, serial(last)?);
    let is_range = order(&first) <= order(&last);
    is_range.then_some((first, last, issuer(by)?))
}

/// A serial number without leading zeros, in lower case.
fn serial(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.trim_start_matches('0');
    let is_hex = !text.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = if digits.is_empty() { "0" } else { digits };
    (is_hex && digits.len() <= SERIAL).then(|| digits.to_ascii_lowercase())
}

/// Numbers without leading zeros: the longer is the larger.
fn order(serial: &str) -> (usize, &str) {
    (serial.len(), serial)
}

/// All rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules(BTreeSet<Rule>);

impl FromIterator<Rule> for Rules {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        Self(rules.into_iter().collect())
    }
}

impl Rules {
    /// The rule that shuts out an identity with its chain, leaf first.
    pub(crate) fn blocked(&self, identity: &Identity, chain: &[CertificateFacts]) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let mut named = vec![Rule::of(Kind::Identity, identity.as_str())];
        for (depth, facts) in chain.iter().enumerate() {
            named.push(Rule::of(Kind::Certificate, &facts.fingerprint_sha256));
            named.push(Rule::of(Kind::Key, &facts.public_key_sha256));
            named.push(Rule::of(Kind::Issuer, &facts.issuer));
            if depth > 0 {
                named.push(Rule::of(Kind::Issuer, &facts.fingerprint_sha256));
            }
        }
        let exact = named.iter().find(|rule| self.0.contains(rule));
        exact
            .or_else(|| self.0.iter().find(|rule| rule.kind == Kind::Serials && rule.holds(chain)))
            .map(Rule::says)
    }
}

impl Rule {
    /// Whether a certificate of the chain is of this issuer and lies in the range.
    fn holds(&self, chain: &[CertificateFacts]) -> bool {
        let Some((first, last, by)) = serials(&self.value) else { return false };
        chain.iter().enumerate().any(|(depth, facts)| {
            let is_by = facts.issuer == by
                || chain.get(depth + 1).is_some_and(|issuer| issuer.fingerprint_sha256 == by);
            let within = |serial: String| (order(&first)..=order(&last)).contains(&order(&serial));
            is_by && serial(&facts.serial).is_some_and(within)
        })
    }
}

/// The rules that hold now; clones share them, and whoever waits for a change hears of it at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocks(watch::Sender<Rules>);

impl Blocks {
    /// Takes the rules from the store; whether they are others than before.
    pub(crate) async fn refresh(&self, store: &Store) -> Result<bool, StoreError> {
        let rows = store.blocks().await?;
        let rule = |row: crate::store::BlockRow| Some(Rule::of(Kind::named(&row.kind)?, &row.value));
        let rules: Rules = rows.into_iter().filter_map(rule).collect();
        Ok(self.0.send_if_modified(|now| {
            let is_new = *now != rules;
            *now = rules;
            is_new
        }))
    }

    /// The rule that shuts out an identity with its chain now.
    pub(crate) fn blocked(&self, identity: &Identity, chain: &[CertificateFacts]) -> Option<String> {
        self.0.borrow().blocked(identity, chain)
    }

    /// Ready as soon as this peer is shut out, with the rule; also where it is already.
    pub(crate) async fn until_blocked(&self, identity: &Identity, chain: &[CertificateFacts]) -> String {
        let mut rules = self.0.subscribe();
        let mut why = None;
        // The sender is ours, so the wait has no other end.
        let _ = rules
            .wait_for(|rules| {
                why = rules.blocked(identity, chain);
                why.is_some()
            })
            .await;
        why.unwrap_or_default()
    }
}

impl Blocklist for Blocks {
    fn blocked(&self, identity: &Identity, chain: &[CertificateFacts]) -> Option<String> {
        Self::blocked(self, identity, chain)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const ROOT: &str = "CN=root, O=Maker";

    fn facts(mark: char, serial: &str, issuer: &str) -> CertificateFacts {
        CertificateFacts {
            subject: String::new(),
            issuer: issuer.to_owned(),
            serial: serial.to_owned(),
            fingerprint_sha256: mark.to_string().repeat(DIGEST),
            public_key_sha256: mark.to_string().repeat(DIGEST - 1) + "0",
            not_before: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::UNIX_EPOCH,
            dns_names: Vec::new(),
            key: String::new(),
            signature: String::new(),
        }
    }

    fn is_blocked(kind: Kind, value: &str) -> bool {
        let rules: Rules = std::iter::once(Rule::parse(kind, value).unwrap()).collect();
        let chain = [facts('a', "00ff01", ROOT), facts('b', "01", ROOT)];
        let identity = Identity::parse("00005e005301.hnb.example").unwrap();
        rules.blocked(&identity, &chain).is_some()
    }

    #[test]
    fn i12_each_kind_of_block_meets_what_it_names_and_nothing_else() {
        let a = "A".repeat(DIGEST);
        let key = format!("{}0", "a".repeat(DIGEST - 1));
        let other = "c".repeat(DIGEST);
        let root = "b".repeat(DIGEST);
        for (kind, value, expected) in [
            (Kind::Identity, "00005E005301.HNB.example", true),
            (Kind::Identity, "00005e005302.hnb.example", false),
            (Kind::Certificate, a.as_str(), true),
            (Kind::Certificate, &root, true),
            (Kind::Certificate, &other, false),
            (Kind::Key, &key, true),
            (Kind::Key, &a, false),
            (Kind::Issuer, ROOT, true),
            (Kind::Issuer, "CN=root, O=Other", false),
            (Kind::Issuer, &root, true),
            (Kind::Issuer, &a, false),
            (Kind::Serials, "ff01-ff01@CN=root, O=Maker", true),
            (Kind::Serials, "FF00-1ffff@CN=root, O=Maker", true),
            (Kind::Serials, "ff02-1ffff@CN=root, O=Maker", false),
            (Kind::Serials, "2-ff@CN=root, O=Maker", false),
            (Kind::Serials, "ff00-ffff@CN=root, O=Other", false),
            (Kind::Serials, &format!("0-ffff@{root}"), true),
            (Kind::Serials, &format!("0-ffff@{a}"), false),
        ] {
            assert_eq!(is_blocked(kind, value), expected, "{kind:?} {value}");
        }
    }

    #[test]
    fn a_value_that_names_nothing_is_refused_and_says_what_would() {
        for (kind, value, says) in [
            (Kind::Identity, "cell.hnb.example", "00005e005301.hnb.example"),
            (Kind::Certificate, "abc", "64 hexadecimal digits"),
            (Kind::Key, "", "64 hexadecimal digits"),
            (Kind::Issuer, "", "distinguished name"),
            (Kind::Issuer, "somebody", "distinguished name"),
            (Kind::Serials, "1-2", "FIRST-LAST@ISSUER"),
            (Kind::Serials, "2-1@CN=x", "the lower first"),
            (Kind::Serials, "g-h@CN=x", "FIRST-LAST@ISSUER"),
            (Kind::Serials, "1-fffffffffffffffffffffffffffffffffffffffff@CN=x", "FIRST-LAST@ISSUER"),
        ] {
            let error = Rule::parse(kind, value).unwrap_err().to_string();
            assert!(error.contains(says), "{kind:?} {value}: {error}");
        }
        let colons = vec!["AB"; 32].join(":");
        assert_eq!(Rule::parse(Kind::Key, &colons).unwrap().value(), "ab".repeat(32));
        assert_eq!(Rule::parse(Kind::Serials, "0a@CN=x").unwrap().value(), "a-a@CN=x");
    }

    #[tokio::test]
    async fn i12_a_peer_hears_of_its_block_at_once() {
        let blocks = Blocks::default();
        let identity = Identity::parse("00005e005301.hnb.example").unwrap();
        let rules: Rules = std::iter::once(Rule::of(Kind::Identity, identity.as_str())).collect();
        let waiting = blocks.until_blocked(&identity, &[]);
        let mut waiting = std::pin::pin!(waiting);
        tokio::select! {
            biased;
            why = &mut waiting => panic!("nobody is blocked: {why}"),
            () = std::future::ready(()) => {}
        }
        blocks.0.send_replace(rules);
        assert_eq!(waiting.await, "its identity is blocked: 00005e005301.hnb.example");
    }
}
