//! Whom a listener trusts, and the whole judgement of a chain: what is said here is said again whenever a session
//! resumes, because the engine then says nothing. (TS 33.320 8.3.3)
//!
//! ```text
//!   chain ─▶ anchor of its root ─▶ dates ─▶ strength ─▶ leaf rules ─▶ revocation ─▶ identity ─▶ realm ─▶ blocks
//!                                  └──── a rule that fails may be excepted, until a date, and is noted ────┘
//! ```

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509StoreContext};
use serde::{Deserialize, Serialize};

use crate::blocks::Blocklist;
use crate::certificate::CertificateFacts;
use crate::clock::Clock;
use crate::context::{self, ContextError, Root, Terms};
use crate::identity::Identity;
use crate::profile::{KeyKind, Profile};
use crate::refusal::{Reason, Refusal};
use crate::revocation::{CrlBook, CrlFacts, CrlNote, CrlPolicy, CrlStanding};
use crate::verify::{self, Role};

/// CA certificates, the realms that they may issue for, and what their certificates must be. (Decision 7)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchor {
    /// What the operator calls it.
    pub name: String,
    /// A PEM bundle of self-signed CA certificates.
    pub certificates: PathBuf,
    /// The realms; never empty for a server.
    pub realms: Vec<String>,
    /// The kinds of key that its certificates may hold, where it is fewer than the profile permits.
    pub keys: Option<Vec<KeyKind>>,
    /// The smallest RSA key, where it is larger than the profile's.
    pub min_rsa_bits: Option<u32>,
    /// Rules that its certificates may break for a while: outside the profile, and shown as such.
    pub exceptions: Vec<Exception>,
    /// Files of revocation lists, which then have to cover every chain; without one nothing is checked.
    pub crls: Vec<PathBuf>,
    /// How long a list may be overdue.
    pub crl_policy: CrlPolicy,
}

impl TrustAnchor {
    /// An anchor that adds nothing to the profile's rules.
    pub fn new(name: &str, certificates: PathBuf, realms: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            certificates,
            realms,
            keys: None,
            min_rsa_bits: None,
            exceptions: Vec::new(),
            crls: Vec::new(),
            crl_policy: CrlPolicy::default(),
        }
    }
}

impl TrustAnchor {
    /// Its revocation lists; what is wrong with a file is said and the list before it stays.
    fn book(&self, kept: Option<&Path>) -> Result<Option<CrlBook>, ContextError> {
        if self.crls.is_empty() {
            return Ok(None);
        }
        let (book, notes) = CrlBook::load(&self.crls, kept)?;
        for note in notes {
            book.note(Some(note));
        }
        Ok(Some(book))
    }
}

/// A rule that the certificates of one anchor may break until a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// The reason for which they would be refused: one of [`Exception::POSSIBLE`].
    pub allow: Reason,
    /// The last moment of the exception.
    pub until: Timestamp,
}

impl Exception {
    /// What can be excepted: weak keys, weak signatures, wrong usage, and an identity in the common name.
    pub const POSSIBLE: [Reason; 5] = [
        Reason::WeakKey,
        Reason::WeakSignature,
        Reason::KeyUsage,
        Reason::ExtendedKeyUsage,
        Reason::NotAnIdentity,
    ];
}

/// A loaded trust anchor.
#[derive(Debug)]
pub(crate) struct Anchor {
    pub(crate) name: String,
    realms: Vec<String>,
    pub(crate) roots: Vec<Root>,
    keys: Option<Vec<KeyKind>>,
    min_rsa_bits: u32,
    exceptions: Vec<Exception>,
    /// None where no list is configured.
    crls: Option<CrlBook>,
    crl_policy: CrlPolicy,
}

/// What was found about a chain that nothing speaks against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) identity: Option<Identity>,
    pub(crate) anchor: String,
    /// The rules that it breaks under an exception.
    pub(crate) outside_profile: Vec<Reason>,
    /// What the revocation lists say; none where none is configured.
    pub(crate) revocation: Option<CrlStanding>,
}

/// Rules on trial: what fails is refused, or excepted and noted.
pub(crate) struct Trial<'a> {
    pub(crate) role: Role,
    pub(crate) now: Timestamp,
    pub(crate) min_rsa_bits: u32,
    pub(crate) keys: &'a [KeyKind],
    exceptions: &'a [Exception],
    noted: Vec<Reason>,
}

impl<'a> Trial<'a> {
    /// A trial by the profile alone.
    pub(crate) fn plain(role: Role, profile: &'a Profile, now: Timestamp) -> Self {
        let (min_rsa_bits, keys) = (profile.min_rsa_bits, profile.keys);
        Self { role, now, min_rsa_bits, keys, exceptions: &[], noted: Vec::new() }
    }

    /// Lets a failure pass that is excepted now.
    pub(crate) fn excuse(&mut self, outcome: Result<(), Refusal>) -> Result<(), Refusal> {
        match outcome {
            Err(refusal) if self.excepts(refusal.reason) => Ok(()),
            other => other,
        }
    }

    /// Whether an exception for this reason is in force; if so, it is noted as used.
    pub(crate) fn excepts(&mut self, reason: Reason) -> bool {
        let holds = self.exceptions.iter().any(|one| one.allow == reason && self.now <= one.until);
        if holds && !self.noted.contains(&reason) {
            self.noted.push(reason);
        }
        holds
    }
}

impl Anchor {
    fn load(
        order: &TrustAnchor,
        role: Role,
        terms: &Terms,
        kept: Option<&Path>,
    ) -> Result<Self, ContextError> {
        if matches!(role, Role::Henb | Role::Listener) && order.realms.is_empty() {
            return Err(ContextError::NoRealms { name: order.name.clone() });
        }
        let impossible = order.exceptions.iter().find(|one| !Exception::POSSIBLE.contains(&one.allow));
        if let Some(exception) = impossible {
            return Err(ContextError::Exception { name: order.name.clone(), reason: exception.allow });
        }
        let realms = order.realms.iter().map(|realm| context::realm(order, realm));
        Ok(Self {
            name: order.name.clone(),
            realms: realms.collect::<Result<_, _>>()?,
            roots: context::roots(&order.certificates, terms)?,
            keys: order.keys.clone(),
            min_rsa_bits: order.min_rsa_bits.unwrap_or_default().max(terms.profile.min_rsa_bits),
            exceptions: order.exceptions.clone(),
            crls: order.book(kept)?,
            crl_policy: order.crl_policy,
        })
    }

    fn holds(&self, root: &[u8]) -> bool {
        self.roots.iter().any(|candidate| candidate.der == root)
    }

    fn trial<'a>(&'a self, role: Role, profile: &'a Profile, now: Timestamp) -> Trial<'a> {
        let keys = self.keys.as_deref().unwrap_or(profile.keys);
        let (min_rsa_bits, exceptions) = (self.min_rsa_bits, self.exceptions.as_slice());
        Trial { role, now, min_rsa_bits, keys, exceptions, noted: Vec::new() }
    }
}

/// Everything that one side trusts at one moment; a change makes a new one.
pub(crate) struct Trust {
    /// Tells one trust from another: what was verified under it need not be verified under it again.
    generation: u64,
    role: Role,
    profile: &'static Profile,
    anchors: Vec<Anchor>,
    /// For chains that were verified under an older trust; dates are ours to judge.
    store: X509Store,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").field("anchors", &self.anchors).finish_non_exhaustive()
    }
}

impl Trust {
    /// Loads the anchors for peers of `role`; one CA under two names would make the realms of both worthless.
    /// Accepted revocation lists are kept in the folder `kept`.
    pub(crate) fn load(
        orders: &[TrustAnchor],
        role: Role,
        terms: &Terms,
        kept: Option<&Path>,
    ) -> Result<Self, ContextError> {
        if orders.is_empty() {
            return Err(ContextError::NoAnchors);
        }
        let mut anchors: Vec<Anchor> = Vec::new();
        let mut store = X509StoreBuilder::new()?;
        store.set_flags(X509VerifyFlags::NO_CHECK_TIME)?;
        for order in orders {
            let anchor = Anchor::load(order, role, terms, kept)?;
            let shared =
                anchors.iter().find(|earlier| anchor.roots.iter().any(|root| earlier.holds(&root.der)));
            if let Some(earlier) = shared {
                let (first, second) = (earlier.name.clone(), anchor.name);
                return Err(ContextError::SharedAnchor { first, second });
            }
            for root in &anchor.roots {
                store.add_cert(root.certificate.clone())?;
            }
            anchors.push(anchor);
        }
        static GENERATIONS: AtomicU64 = AtomicU64::new(0);
        let generation = GENERATIONS.fetch_add(1, Ordering::Relaxed);
        Ok(Self { generation, role, profile: terms.profile, anchors, store: store.build() })
    }

    /// The number of this trust; no other has it in this process.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// What was found out about revocation lists since it was asked last, by anchor.
    pub(crate) fn take_notes(&self) -> Vec<(String, CrlNote)> {
        let noted = |anchor: &Anchor| {
            let notes = anchor.crls.as_ref().map(CrlBook::take_notes).unwrap_or_default();
            notes.into_iter().map(|note| (anchor.name.clone(), note)).collect::<Vec<_>>()
        };
        self.anchors.iter().flat_map(noted).collect()
    }

    /// The revocation lists, by anchor.
    pub(crate) fn lists(&self) -> Vec<(String, CrlFacts)> {
        let facts = |anchor: &Anchor| {
            let facts = anchor.crls.as_ref().map(CrlBook::facts).unwrap_or_default();
            facts.into_iter().map(|facts| (anchor.name.clone(), facts)).collect::<Vec<_>>()
        };
        self.anchors.iter().flat_map(facts).collect()
    }

    /// The roots of all anchors.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &Root> {
        self.anchors.iter().flat_map(|anchor| &anchor.roots)
    }

    /// Whether any anchor excepts this reason now.
    pub(crate) fn may_except(&self, reason: Reason, now: Timestamp) -> bool {
        let mut exceptions = self.anchors.iter().flat_map(|anchor| &anchor.exceptions);
        exceptions.any(|one| one.allow == reason && now <= one.until)
    }

    /// The anchor that a chain ends in.
    fn anchor_of(&self, chain: &[Vec<u8>]) -> Result<&Anchor, Refusal> {
        let root = chain.last().map(Vec::as_slice).unwrap_or_default();
        let anchor = self.anchors.iter().find(|anchor| anchor.holds(root));
        anchor.ok_or_else(|| Refusal::new(Reason::UnknownIssuer, "the chain ends in no configured anchor"))
    }

    /// Judges a chain whose signatures were verified: DER, leaf first, root last.
    pub(crate) fn judge(
        &self,
        chain: &[Vec<u8>],
        blocks: &dyn Blocklist,
        clock: &dyn Clock,
    ) -> Result<Verdict, Refusal> {
        let now = clock.now();
        let anchor = self.anchor_of(chain)?;
        let mut trial = anchor.trial(self.role, self.profile, now);
        for (depth, der) in chain.iter().enumerate() {
            let certificate = verify::read(der)?;
            verify::dates(&certificate, depth, now)?;
            if depth > 0 && depth + 1 < chain.len() {
                verify::authority_rules(&certificate, depth, &mut trial)?;
            }
        }
        let leaf = chain.first().map(Vec::as_slice).unwrap_or_default();
        let leaf = verify::read(leaf)?;
        verify::leaf_rules(&leaf, &mut trial)?;
        let lists = anchor.crls.as_ref();
        let revocation = lists
            .map(|book| book.check(chain, anchor.crl_policy, now, clock.is_synchronised()))
            .transpose()?;
        let identity = match self.role {
            Role::Hems | Role::Wake => None,
            Role::Henb | Role::Listener => Some(identify(&leaf, anchor, &mut trial)?),
        };
        if let Some(identity) = &identity {
            let facts: Vec<_> = chain.iter().filter_map(|der| CertificateFacts::read(der)).collect();
            if let Some(why) = blocks.blocked(identity, &facts) {
                return Err(Refusal::new(Reason::Blocked, why));
            }
        }
        let (anchor, outside_profile) = (anchor.name.clone(), trial.noted);
        Ok(Verdict { identity, anchor, outside_profile, revocation })
    }

    /// The chain that a leaf and the CAs beside it have under this trust; none where there is none any more.
    pub(crate) fn chain_of(&self, leaf: &[u8], above: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
        let leaf = X509::from_der(leaf).ok()?;
        let mut beside = openssl::stack::Stack::new().ok()?;
        for der in above {
            beside.push(X509::from_der(der).ok()?).ok()?;
        }
        let mut context = X509StoreContext::new().ok()?;
        let built = context.init(&self.store, &leaf, &beside, |context| {
            let is_good = context.verify_cert()?;
            let chain = context.chain().filter(|_| is_good);
            Ok(chain.map(|chain| chain.iter().filter_map(|ca| ca.to_der().ok()).collect()))
        });
        built.ok().flatten()
    }
}

/// The identity in the leaf, if the anchor may vouch for its realm. (P-20, A-04)
fn identify(
    leaf: &x509_parser::prelude::X509Certificate<'_>,
    anchor: &Anchor,
    trial: &mut Trial<'_>,
) -> Result<Identity, Refusal> {
    let identity = match verify::identity_of(leaf) {
        Err(refusal) if refusal.reason == Reason::NotAnIdentity => {
            let named = verify::common_name_identity(leaf).filter(|_| trial.excepts(Reason::NotAnIdentity));
            named.ok_or(refusal)?
        }
        other => other?,
    };
    if anchor.realms.iter().any(|realm| realm == identity.realm()) {
        return Ok(identity);
    }
    let detail =
        format!("the anchor \"{}\" does not issue for the realm \"{}\"", anchor.name, identity.realm());
    Err(Refusal::new(Reason::RealmNotOfAnchor, detail))
}
