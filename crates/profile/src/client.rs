//! The H(e)NB's side: its certificate, the operator's roots, its own restored clock. (TS 33.320 8.3.4, P-18, P-19)
//!
//! It offers exactly the table. The H(e)MS must be who the URL says, by subjectAltName alone; an address in the
//! URL is met by an iPAddress only. A session that is resumed is judged like a new one before it is
//! offered: the clock may have moved past the certificate since. (T-08, K-10)

use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslContext, SslRef, StatusType};
use openssl::x509::verify::X509CheckFlags;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::certificate::CertificateFacts;
use crate::chain::ChainDates;
use crate::context::{self, ContextError, Own, Terms};
use crate::handshake::{self, Bench, Judge, Side};
use crate::identity::Identity;
use crate::key::OwnCertificate;
use crate::refusal::{Reason, Refusal};
use crate::revocation::{CrlNote, ocsp};
use crate::sessions::Sessions;
use crate::stream::{Carrier, Evidence, Stream};
use crate::trust::{Trust, TrustAnchor};
use crate::url::address_literal;
use crate::verify::{self, Role};

/// Connects one H(e)NB to its H(e)MS; cheap to clone.
#[derive(Debug, Clone)]
pub struct Connector {
    terms: Terms,
    identity: Identity,
    present: Arc<watch::Sender<Arc<Present>>>,
}

/// What holds between two reloads.
#[derive(Debug)]
struct Present {
    context: SslContext,
    trust: Arc<Trust>,
    sessions: Arc<Sessions>,
    own: CertificateFacts,
    staple: StaplePolicy,
}

/// What a cell does about the stapled answer of a H(e)MS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StaplePolicy {
    /// Asks for one, and takes a H(e)MS without; a bad answer or a revocation is refused. The default.
    #[default]
    IfThere,
    /// Refuses a H(e)MS that staples nothing.
    Required,
}

/// What a cell's connector is made of, and made of again at a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provision {
    /// The cell's certificate and key.
    pub own: OwnCertificate,
    /// A PEM bundle of operator CAs.
    pub anchors: PathBuf,
    /// Revocation lists of the operator, which then have to cover every chain.
    pub crls: Vec<PathBuf>,
    /// Where accepted revocation lists are kept.
    pub kept_lists: Option<PathBuf>,
    /// What to do about stapled answers.
    pub staple: StaplePolicy,
}

impl Provision {
    /// The cell's certificate and its anchors, without revocation lists.
    pub fn new(own: impl Into<OwnCertificate>, anchors: &Path) -> Self {
        let (own, anchors, staple) = (own.into(), anchors.to_owned(), StaplePolicy::default());
        Self { own, anchors, crls: Vec::new(), kept_lists: None, staple }
    }

    /// Every file that a change of can be watched for.
    pub fn files(&self) -> Vec<PathBuf> {
        let key = self.own.key.path().map(Path::to_owned);
        let files = [self.own.chain.clone(), self.anchors.clone()].into_iter().chain(key);
        files.chain(self.crls.iter().cloned()).collect()
    }
}

/// A H(e)MS whose certificate was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPeer {
    /// What was negotiated.
    pub evidence: Evidence,
    /// The verified chain's dates, for when the clock moves. (K-10)
    pub dates: ChainDates,
}

impl Connector {
    /// Checks everything that does not need a peer; `anchors` is a PEM bundle of operator CAs.
    pub fn new(terms: &Terms, own: impl Into<OwnCertificate>, anchors: &Path) -> Result<Self, ContextError> {
        Self::with(terms, &Provision::new(own, anchors))
    }

    /// A connector that knows revocation lists, and what to think of stapled answers.
    pub fn with(terms: &Terms, provision: &Provision) -> Result<Self, ContextError> {
        let (identity, present) = Present::load(terms, provision)?;
        Ok(Self { terms: terms.clone(), identity, present: Arc::new(watch::Sender::new(Arc::new(present))) })
    }

    /// Takes over changed files of the same identity, or says what is wrong and goes on with the old ones.
    /// Nothing is resumed across the change.
    pub fn reload(&self, provision: &Provision) -> Result<(), ContextError> {
        let (identity, present) = Present::load(&self.terms, provision)?;
        if identity != self.identity {
            let detail = format!("it is of {identity}, this cell is {}", self.identity);
            return Err(ContextError::Own {
                path: provision.own.chain.clone(),
                reason: Reason::NotAnIdentity,
                detail,
            });
        }
        self.present.send_replace(Arc::new(present));
        Ok(())
    }

    /// Who this H(e)NB is by its own certificate.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Our own certificate, to warn of its end in time.
    pub fn certificate(&self) -> CertificateFacts {
        self.present().own.clone()
    }

    /// What was found out about revocation lists since it was asked last: alarms.
    pub fn take_notes(&self) -> Vec<CrlNote> {
        self.present().trust.take_notes().into_iter().map(|(_, note)| note).collect()
    }

    fn present(&self) -> Arc<Present> {
        Arc::clone(&self.present.borrow())
    }

    /// Shakes hands with the H(e)MS `host`, within [`HANDSHAKE_BOUND`](crate::HANDSHAKE_BOUND).
    pub async fn connect(
        &self,
        carrier: impl Carrier + 'static,
        host: &str,
    ) -> Result<(Stream, ServerPeer), Refusal> {
        let present = self.present();
        let internal = |error: ErrorStack| Refusal::new(Reason::Internal, error.to_string());
        let mut ssl = expect(&present.context, host).map_err(internal)?;
        let (now, profile) = (self.terms.clock.now(), self.terms.profile);
        let trust = Arc::clone(&present.trust);
        let clock = Arc::clone(&self.terms.clock);
        let judge: Arc<Judge> = Arc::new(move |chain| trust.judge(chain, &(), &*clock));
        if self.terms.resumption {
            present.sessions.offer(&mut ssl, host, now, &*judge).map_err(internal)?;
        }
        let bench = Bench { trust: Arc::clone(&present.trust), profile, role: Role::Hems, now, judge };
        let attempt = handshake::prepare(&mut ssl, bench)?;
        let mut stream = handshake::shake(ssl, Box::new(carrier), Side::Client, attempt).await?;
        match self.recheck(stream.ssl(), host, &present) {
            Ok(peer) => Ok((Stream(stream), peer)),
            Err(refusal) => {
                present.sessions.forget(host);
                handshake::part(stream.get_mut()).await;
                Err(refusal)
            }
        }
    }

    fn recheck(&self, ssl: &SslRef, host: &str, present: &Present) -> Result<ServerPeer, Refusal> {
        let profile = self.terms.profile;
        let (version, suite) = handshake::negotiated(ssl, profile)?;
        let der = handshake::peer_certificate(ssl)?;
        let certificate = verify::read(&der)?;
        let facts = CertificateFacts::of(&certificate, &der);
        let resumed = ssl.session_reused();
        let chain = if resumed { present.sessions.chain(host) } else { handshake::verified_chain(ssl) };
        let (verdict, chain) = chain
            .ok_or_else(|| Refusal::new(Reason::UnknownIssuer, "there is no chain"))
            .and_then(|chain| {
                present.trust.judge(&chain, &(), &*self.terms.clock).map(|verdict| (chain, verdict))
            })
            .and_then(|(chain, verdict)| {
                verify::suite_usage(&certificate, suite.exchange().is_forward_secret())?;
                first_flight(ssl, &self.terms, present.staple).map(|()| (verdict, chain))
            })
            .map_err(|refusal| refusal.about(Some(facts.clone())))?;
        let evidence = Evidence {
            profile: profile.name,
            tls_version: version.name(),
            suite: suite.standard_name,
            suite_code: suite.code,
            resumed,
            certificate: facts,
            outside_profile: verdict.outside_profile,
            revocation: verdict.revocation.into(),
        };
        Ok(ServerPeer { evidence, dates: ChainDates::of(chain) })
    }
}

impl Present {
    fn load(terms: &Terms, provision: &Provision) -> Result<(Identity, Self), ContextError> {
        let own = Own::load(&provision.own, Role::Henb, terms)?;
        let identity = own.identity.clone().ok_or_else(|| ContextError::Own {
            path: provision.own.chain.clone(),
            reason: Reason::NotAnIdentity,
            detail: "there is no identity".to_owned(),
        })?;
        let anchor = TrustAnchor {
            crls: provision.crls.clone(),
            ..TrustAnchor::new("operator", provision.anchors.clone(), Vec::new())
        };
        let kept = provision.kept_lists.as_deref();
        let trust = Arc::new(Trust::load(&[anchor], Role::Hems, terms, kept)?);
        let mut builder = context::builder(terms, &own, trust.roots())?;
        let sessions = Arc::new(Sessions::default());
        if terms.resumption {
            Sessions::keep(&sessions, &mut builder, Arc::clone(&terms.clock))?;
        } else {
            context::never_resume(&mut builder);
        }
        let (staple, judged) = (provision.staple, terms.clone());
        builder.set_status_callback(move |ssl| {
            let refusal = first_flight(ssl, &judged, staple).err();
            let is_good = refusal.is_none();
            let leaf = || handshake::peer_certificate(ssl).ok().and_then(|der| CertificateFacts::read(&der));
            refusal.into_iter().for_each(|refusal| handshake::refuse(ssl, refusal.about(leaf())));
            Ok(is_good)
        })?;
        let context = builder.build();
        Ok((identity, Self { context, trust, sessions, own: own.facts, staple }))
    }
}

/// A connection that expects `host`: by name with SNI, or by address without. (T-10, A-05)
fn expect(context: &SslContext, host: &str) -> Result<Ssl, ErrorStack> {
    let mut ssl = Ssl::new(context)?;
    ssl.set_status_type(StatusType::OCSP)?;
    let param = ssl.param_mut();
    param.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT);
    if let Some(address) = address_literal(host) {
        param.set_ip(address)?;
    } else {
        param.set_host(host)?;
        ssl.set_hostname(host)?;
    }
    Ok(ssl)
}

/// What the server said before it can send more: within the handshake, so that it hears an alert. Nothing of it is said
/// again where a session is resumed.
fn first_flight(ssl: &SslRef, terms: &Terms, policy: StaplePolicy) -> Result<(), Refusal> {
    if ssl.session_reused() {
        return Ok(());
    }
    handshake::first_flight(ssl, terms.profile)?;
    staple(ssl, terms, policy)
}

/// The stapled answer, by our clock.
fn staple(ssl: &SslRef, terms: &Terms, policy: StaplePolicy) -> Result<(), Refusal> {
    let answer = ssl.ocsp_status().unwrap_or_default();
    if answer.is_empty() && policy == StaplePolicy::IfThere {
        return Ok(());
    }
    let chain = handshake::verified_chain(ssl).unwrap_or_default();
    let [leaf, issuer, ..] = chain.as_slice() else {
        return Err(Refusal::new(Reason::StapleBad, "the chain has no issuer that could answer"));
    };
    let clock = &terms.clock;
    ocsp::check(answer, leaf, issuer, clock.now(), clock.is_synchronised()).map(drop)
}
