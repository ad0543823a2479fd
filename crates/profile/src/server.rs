//! The H(e)MS's side: one listener, one context, and a verified H(e)NB or a refusal. (TS 33.320 8.3.4)
//!
//! Who a H(e)NB is comes from its certificate alone (P-20), and which realms it may come from is a property of
//! the trust anchor that its chain ends in: a CA that goes astray can only speak for its own realms.
//!
//! ```text
//!   reload ──▶ Present { context, trust } ──▶ a connection keeps the one it began with
//!   ticket ──▶ chain known? judged again? ──▶ resumed, or a full handshake
//!   open connection ──▶ Vigil: judged again at each request, each reload, each date
//! ```

mod vigil;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{
    ClientHelloResponse, Ssl, SslAlert, SslContextBuilder, SslOptions, SslRef, SslSessionCacheMode,
};
use openssl::x509::{X509, X509Ref};
use tokio::sync::watch;

use crate::blocks::Blocklist;
use crate::certificate::{CertificateFacts, sha256};
use crate::context::{self, ContextError, Own, Terms};
use crate::ffi;
use crate::ffi::ticket::{Keeper, Sealing};
use crate::handshake::{self, Bench, Judge, Side};
use crate::identity::Identity;
use crate::key::OwnCertificate;
use crate::present::Present;
use crate::refusal::{Reason, Refusal};
use crate::resume::{Known, KnownChains};
use crate::revocation::ocsp::StapleFile;
use crate::revocation::{CrlFacts, CrlNote};
use crate::stream::{Carrier, Evidence, Stream};
use crate::ticket::TicketKeys;
use crate::trust::{Trust, TrustAnchor, Verdict};
use crate::verify::Role;
pub use vigil::Vigil;

/// Accepts H(e)NBs on one listener; cheap to clone.
#[derive(Debug, Clone)]
pub struct Acceptor {
    resumer: Arc<Resumer>,
    present: Arc<watch::Sender<Arc<Present>>>,
}

/// What a listener is made of, and made of again at a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Materials {
    /// Our certificate and key.
    pub own: OwnCertificate,
    /// Whom we trust, and for what.
    pub anchors: Vec<TrustAnchor>,
    /// Where accepted revocation lists are kept, so that neither a restart nor an older file takes one back.
    pub kept_lists: Option<PathBuf>,
    /// An OCSP response about our certificate in DER, to staple.
    pub staple: Option<PathBuf>,
}

impl Materials {
    /// Our certificate and whom we trust, with nothing kept and nothing stapled.
    pub fn new(own: impl Into<OwnCertificate>, anchors: &[TrustAnchor]) -> Self {
        Self { own: own.into(), anchors: anchors.to_vec(), kept_lists: None, staple: None }
    }

    /// Every file that a change of can be watched for.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.own.chain.clone()];
        files.extend(self.own.key.path().map(Path::to_owned));
        files.extend(self.anchors.iter().flat_map(|anchor| {
            std::iter::once(&anchor.certificates).chain(&anchor.crls).cloned().collect::<Vec<_>>()
        }));
        files.extend(self.staple.clone());
        files
    }
}

/// A H(e)NB whose certificate was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who it is. (TS 33.320 8.3.4, P-20)
    pub identity: Identity,
    /// The name of the trust anchor that vouches for it.
    pub anchor: String,
    /// Its whole chain, leaf first, root last.
    pub chain: Vec<CertificateFacts>,
    /// What was negotiated.
    pub evidence: Evidence,
}

impl Acceptor {
    /// Checks everything that does not need a peer: without an RSA key whose certificate permits
    /// keyEncipherment, or with an anchor that names no realms, there is no acceptor. Nobody is blocked, and no
    /// session is resumed.
    pub fn new(
        terms: &Terms,
        own: impl Into<OwnCertificate>,
        anchors: &[TrustAnchor],
    ) -> Result<Self, ContextError> {
        Self::with(terms, &Materials::new(own, anchors), Arc::new(()), None)
    }

    /// An acceptor that asks a blocklist, and that resumes sessions where the terms and the keys allow it.
    pub fn with(
        terms: &Terms,
        materials: &Materials,
        blocks: Arc<dyn Blocklist>,
        tickets: Option<Arc<TicketKeys>>,
    ) -> Result<Self, ContextError> {
        let tickets = tickets.filter(|_| terms.resumption);
        let bench = Resumer { terms: terms.clone(), blocks, tickets, chains: Arc::default() };
        let present = watch::Sender::new(Arc::new(load(&bench, materials)?));
        Ok(Self { resumer: Arc::new(bench), present: Arc::new(present) })
    }

    /// Takes over changed files, or says what is wrong with them and goes on with the old ones. Connections that
    /// stand and tickets stay good for whom the new trust still trusts: see [`Vigil`].
    pub fn reload(&self, materials: &Materials) -> Result<(), ContextError> {
        self.present.send_replace(Arc::new(load(&self.resumer, materials)?));
        Ok(())
    }

    /// Our own certificate, to warn of its end in time.
    pub fn certificate(&self) -> CertificateFacts {
        self.present().own.clone()
    }

    /// Watches over a peer that was just accepted: its dates pass, anchors change, somebody takes its certificate
    /// back.
    ///
    /// # Errors
    /// Its chain is not known: it was not accepted here.
    pub fn watch(&self, peer: &Peer) -> Result<Vigil, Refusal> {
        let leaf = &peer.evidence.certificate.fingerprint_sha256;
        let known = self.resumer.chains.find(leaf);
        let known = known.ok_or_else(|| Refusal::new(Reason::UnknownIssuer, "its chain is not known"))?;
        Ok(Vigil::new(Arc::clone(&self.resumer), self.present.subscribe(), known))
    }

    /// What was found out about revocation lists since it was asked last, by anchor: alarms.
    pub fn take_notes(&self) -> Vec<(String, CrlNote)> {
        self.present().trust.take_notes()
    }

    /// The revocation lists, by anchor.
    pub fn lists(&self) -> Vec<(String, CrlFacts)> {
        self.present().trust.lists()
    }

    fn present(&self) -> Arc<Present> {
        Arc::clone(&self.present.borrow())
    }

    /// Shakes hands on a new connection, within [`HANDSHAKE_BOUND`](crate::HANDSHAKE_BOUND).
    pub async fn accept(&self, carrier: impl Carrier + 'static) -> Result<(Stream, Peer), Refusal> {
        let present = self.present();
        let mut ssl =
            Ssl::new(&present.context).map_err(|error| Refusal::new(Reason::Internal, error.to_string()))?;
        let (resumer, trust) = (Arc::clone(&self.resumer), Arc::clone(&present.trust));
        let judge: Arc<Judge> = Arc::new(move |chain| resumer.judge(&trust, chain));
        let terms = &self.resumer.terms;
        let (now, trust) = (terms.clock.now(), Arc::clone(&present.trust));
        let bench = Bench { trust, profile: terms.profile, role: Role::Henb, now, judge };
        let attempt = handshake::prepare(&mut ssl, bench)?;
        let mut stream = handshake::shake(ssl, Box::new(carrier), Side::Server, attempt).await?;
        match self.recheck(stream.ssl(), &present) {
            Ok(peer) => Ok((Stream(stream), peer)),
            Err(refusal) => {
                handshake::part(stream.get_mut()).await;
                Err(refusal)
            }
        }
    }

    /// Everything once more on what the handshake left: the callback is not called for each way to get here.
    fn recheck(&self, ssl: &SslRef, present: &Present) -> Result<Peer, Refusal> {
        let terms = &self.resumer.terms;
        let (version, suite) = handshake::negotiated(ssl, terms.profile)?;
        let der = handshake::peer_certificate(ssl)?;
        let facts = CertificateFacts::read(&der)
            .ok_or_else(|| Refusal::new(Reason::MalformedCertificate, "the certificate cannot be read"))?;
        let chain = self.chain(ssl, &facts)?;
        let about = |refusal: Refusal| refusal.about(Some(facts.clone()));
        let verdict = self.resumer.judge(&present.trust, &chain).map_err(about)?;
        let identity = verdict.identity;
        let identity = identity.ok_or_else(|| Refusal::new(Reason::NotAnIdentity, "there is no identity"))?;
        self.resumer.chains.remember(&facts.fingerprint_sha256, &chain, present.trust.generation());
        let evidence = Evidence {
            profile: terms.profile.name,
            tls_version: version.name(),
            suite: suite.standard_name,
            suite_code: suite.code,
            resumed: ssl.session_reused(),
            certificate: facts,
            outside_profile: verdict.outside_profile,
            revocation: verdict.revocation.into(),
        };
        let chain = chain.iter().filter_map(|der| CertificateFacts::read(der)).collect();
        Ok(Peer { identity, anchor: verdict.anchor, chain, evidence })
    }

    /// The verified chain: the engine's after a full handshake, the remembered one after a resumption.
    fn chain(&self, ssl: &SslRef, leaf: &CertificateFacts) -> Result<Vec<Vec<u8>>, Refusal> {
        let chain = if ssl.session_reused() {
            self.resumer.chains.find(&leaf.fingerprint_sha256).map(|known| known.chain)
        } else {
            handshake::verified_chain(ssl)
        };
        chain.ok_or_else(|| Refusal::new(Reason::UnknownIssuer, "there is no chain"))
    }
}

/// Loads every file, and checks what needs no peer.
fn load(resumer: &Resumer, materials: &Materials) -> Result<Present, ContextError> {
    let terms = &resumer.terms;
    let own = Own::load(&materials.own, Role::Hems, terms)?;
    let kept = materials.kept_lists.as_deref();
    let trust = Arc::new(Trust::load(&materials.anchors, Role::Henb, terms, kept)?);
    let mut builder = builder(terms, &own, &trust)?;
    builder.set_session_id_context(&session_context(terms, &own)?)?;
    if let Some(path) = &materials.staple {
        let staple = staple(path, &own, terms)?;
        builder.set_status_callback(move |ssl| ssl.set_ocsp_status(&staple).map(|()| true))?;
    }
    if resumer.tickets.is_some() {
        // Tickets only: a cache in memory would hold 14 kB for each cell.
        builder.set_session_cache_mode(SslSessionCacheMode::OFF);
        builder.clear_options(SslOptions::NO_TICKET);
        let keeper = Arc::new(Gatekeeper { resumer: resumer.clone(), trust: Arc::clone(&trust) });
        ffi::ticket::keep(&mut builder, keeper)?;
    } else {
        context::never_resume(&mut builder);
    }
    Ok(Present { context: builder.build(), trust, own: own.facts })
}

/// The recipe of every listener.
pub(crate) fn builder(terms: &Terms, own: &Own, trust: &Trust) -> Result<SslContextBuilder, ContextError> {
    let mut builder = context::builder(terms, own, trust.roots())?;
    for root in trust.roots() {
        builder.add_client_ca(&root.certificate)?;
    }
    builder.set_tmp_dh(&*context::dh_group()?)?;
    builder.set_client_hello_callback(no_sslv2_hello);
    Ok(builder)
}

/// The answer that is stapled, judged as a cell would judge it. (A-12)
fn staple(path: &Path, own: &Own, terms: &Terms) -> Result<Vec<u8>, ContextError> {
    let bytes = |certificate: &X509| certificate.to_der();
    let issuer = own.issuer.as_ref().map(bytes).transpose()?;
    let issuer = issuer.ok_or_else(|| ContextError::NoIssuer { path: path.to_owned() })?;
    Ok(StapleFile::load(path, &bytes(&own.leaf)?, &issuer, terms.clock.now())?.bytes)
}

/// A session of one listener and profile never resumes at another. (Decision 8)
fn session_context(terms: &Terms, own: &Own) -> Result<[u8; 32], ErrorStack> {
    Ok(openssl::sha::sha256(format!("{} {}", terms.profile.name, own.facts.public_key_sha256).as_bytes()))
}

/// What does not change with a reload.
#[derive(Debug, Clone)]
struct Resumer {
    terms: Terms,
    blocks: Arc<dyn Blocklist>,
    tickets: Option<Arc<TicketKeys>>,
    chains: Arc<KnownChains>,
}

impl Resumer {
    fn judge(&self, trust: &Trust, chain: &[Vec<u8>]) -> Result<Verdict, Refusal> {
        trust.judge(chain, self.blocks.as_ref(), &*self.terms.clock)
    }

    /// Judges a chain that was verified earlier. The anchors may have changed since: it is then verified under those
    /// of today.
    fn judge_again(&self, trust: &Trust, known: &Known) -> Result<Known, Refusal> {
        let chain = if known.generation == trust.generation() {
            Some(known.chain.clone())
        } else {
            let verified = known.chain.split_first().map(|(leaf, above)| trust.chain_of(leaf, above));
            verified.flatten()
        };
        let chain = chain.ok_or_else(|| {
            Refusal::new(Reason::UnknownIssuer, "its chain ends in no configured anchor any more")
        })?;
        self.judge(trust, &chain).map(|_| Known { chain, generation: trust.generation() })
    }
}

/// Says of each ticket that comes back whether its session may go on. (T-08, decision 8)
struct Gatekeeper {
    resumer: Resumer,
    trust: Arc<Trust>,
}

impl Keeper for Gatekeeper {
    fn sealing(&self) -> Option<Sealing> {
        self.resumer.tickets.as_ref()?.sealing(self.resumer.terms.clock.now())
    }

    fn opening(&self, name: &[u8; 16]) -> Option<Sealing> {
        self.resumer.tickets.as_ref()?.opening(name, self.resumer.terms.clock.now())
    }

    fn may_resume(&self, leaf: &X509Ref) -> bool {
        let Ok(leaf) = leaf.to_der() else {
            return false;
        };
        let known = self.resumer.chains.find(&sha256(&leaf));
        known.is_some_and(|known| self.resumer.judge_again(&self.trust, &known).is_ok())
    }
}

/// OpenSSL 3 still reads the format of SSL 2.0. (P-02)
fn no_sslv2_hello(ssl: &mut SslRef, alert: &mut SslAlert) -> Result<ClientHelloResponse, ErrorStack> {
    if ssl.client_hello_isv2() {
        *alert = SslAlert::ILLEGAL_PARAMETER;
        return Err(ErrorStack::get());
    }
    handshake::note_hello(ssl);
    Ok(ClientHelloResponse::SUCCESS)
}
