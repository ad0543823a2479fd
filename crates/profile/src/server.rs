//! The H(e)MS's side: one listener, one context, and a verified H(e)NB or a refusal. (TS 33.320 8.3.4)
//!
//! Who a H(e)NB is comes from its certificate alone (P-20), and which realms it may come from is a property of
//! the trust anchor that its chain ends in: a CA that goes astray can only speak for its own realms.

use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{ClientHelloResponse, Ssl, SslAlert, SslContext, SslRef};
use tokio::net::TcpStream;

use crate::blocks::Blocklist;
use crate::certificate::CertificateFacts;
use crate::context::{self, ContextError, KeyPair, Own, Root, Terms, TrustAnchor};
use crate::handshake::{self, Rules, Side};
use crate::identity::Identity;
use crate::refusal::{Reason, Refusal};
use crate::stream::{Evidence, Stream};
use crate::verify::{self, Role};

/// A session of one profile never resumes under another. (Decision 8)
const SESSION_CONTEXT: &[u8] = b"hearth ts33320";

/// Accepts H(e)NBs on one listener; cheap to clone.
#[derive(Debug, Clone)]
pub struct Acceptor {
    context: SslContext,
    terms: Terms,
    anchors: Arc<[Anchor]>,
    own: CertificateFacts,
    blocks: Option<Arc<dyn Blocklist>>,
}

/// A loaded trust anchor.
#[derive(Debug)]
struct Anchor {
    name: String,
    realms: Vec<String>,
    roots: Vec<Root>,
}

/// A H(e)NB whose certificate was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who it is. (TS 33.320 8.3.4, P-20)
    pub identity: Identity,
    /// The name of the trust anchor that vouches for it.
    pub anchor: String,
    /// The verified chain, leaf first, root last.
    pub chain: Vec<CertificateFacts>,
    /// What was negotiated.
    pub evidence: Evidence,
}

impl Acceptor {
    /// Checks everything that does not need a peer: without an RSA key whose certificate permits
    /// keyEncipherment, or with an anchor that names no realms, there is no acceptor.
    pub fn new(terms: &Terms, own: &KeyPair, anchors: &[TrustAnchor]) -> Result<Self, ContextError> {
        let own = Own::load(own, Role::Hems, terms)?;
        let anchors = load_anchors(anchors, terms)?;
        let roots: Vec<Root> = anchors.iter().flat_map(|anchor| anchor.roots.iter().cloned()).collect();
        let mut builder = context::builder(terms, &own, &roots)?;
        for root in &roots {
            builder.add_client_ca(&root.certificate)?;
        }
        builder.set_tmp_dh(&*context::dh_group()?)?;
        builder.set_session_id_context(SESSION_CONTEXT)?;
        builder.set_client_hello_callback(no_sslv2_hello);
        let (context, terms) = (builder.build(), terms.clone());
        Ok(Self { context, terms, anchors: anchors.into(), own: own.facts, blocks: None })
    }

    /// The same acceptor, which asks `blocks` about every peer that it would accept. (I-12)
    #[must_use]
    pub fn with_blocks(self, blocks: Arc<dyn Blocklist>) -> Self {
        Self { blocks: Some(blocks), ..self }
    }

    /// Our own certificate, to warn of its end in time.
    pub fn certificate(&self) -> &CertificateFacts {
        &self.own
    }

    /// Shakes hands on a new connection, within [`HANDSHAKE_BOUND`](crate::HANDSHAKE_BOUND).
    pub async fn accept(&self, tcp: TcpStream) -> Result<(Stream, Peer), Refusal> {
        let mut ssl =
            Ssl::new(&self.context).map_err(|error| Refusal::new(Reason::Internal, error.to_string()))?;
        let (anchors, blocks) = (Arc::clone(&self.anchors), self.blocks.clone());
        let rules: Rules = Arc::new(move |chain| {
            let (identity, _) = identify(chain, &anchors)?;
            not_blocked(blocks.as_deref(), &identity, &facts_of(chain))
        });
        let attempt = handshake::prepare(&mut ssl, &self.terms, Role::Henb, rules);
        let mut stream = handshake::shake(ssl, tcp, Side::Server, attempt).await?;
        match self.recheck(stream.ssl()) {
            Ok(peer) => Ok((Stream(stream), peer)),
            Err(refusal) => {
                handshake::part(stream.get_mut()).await;
                Err(refusal)
            }
        }
    }

    /// Everything once more on what the handshake left: the callback is not called for each way to get here.
    fn recheck(&self, ssl: &SslRef) -> Result<Peer, Refusal> {
        let (version, suite) = handshake::negotiated(ssl, self.terms.profile)?;
        let der = handshake::peer_certificate(ssl)?;
        let facts = CertificateFacts::read(&der);
        let certificate = verify::read(&der)?;
        verify::leaf_rules(&certificate, Role::Henb, self.terms.profile, self.terms.clock.now())
            .map_err(|refusal| refusal.about(facts.clone()))?;
        let chain = ssl
            .verified_chain()
            .map(|chain| chain.iter().filter_map(|ca| ca.to_der().ok()).collect::<Vec<_>>());
        let der_chain = chain.unwrap_or_default();
        let chain = facts_of(&der_chain);
        let (identity, anchor) =
            identify(&der_chain, &self.anchors).map_err(|refusal| refusal.about(facts.clone()))?;
        not_blocked(self.blocks.as_deref(), &identity, &chain).map_err(|refusal| refusal.about(facts))?;
        let evidence = Evidence {
            tls_version: version.name(),
            suite: suite.standard_name,
            suite_code: suite.code,
            resumed: ssl.session_reused(),
            certificate: CertificateFacts::of(&certificate, &der),
        };
        Ok(Peer { identity, anchor: anchor.name.clone(), chain, evidence })
    }
}

fn facts_of(chain: &[Vec<u8>]) -> Vec<CertificateFacts> {
    chain.iter().filter_map(|der| CertificateFacts::read(der)).collect()
}

/// A good certificate is not enough where an operator says no. (I-12)
fn not_blocked(
    blocks: Option<&dyn Blocklist>,
    identity: &Identity,
    chain: &[CertificateFacts],
) -> Result<(), Refusal> {
    match blocks.and_then(|blocks| blocks.blocked(identity, chain)) {
        Some(why) => Err(Refusal::new(Reason::Blocked, why)),
        None => Ok(()),
    }
}

/// The identity in the leaf, and the anchor that may vouch for its realm. (P-20, A-04)
fn identify<'a>(chain: &[Vec<u8>], anchors: &'a [Anchor]) -> Result<(Identity, &'a Anchor), Refusal> {
    let (Some(leaf), Some(root)) = (chain.first(), chain.last()) else {
        return Err(Refusal::new(Reason::UnknownIssuer, "there is no chain"));
    };
    let identity = verify::identity_of(&verify::read(leaf)?)?;
    let holds = |anchor: &&Anchor| anchor.roots.iter().any(|candidate| candidate.der == *root);
    let anchor = anchors.iter().find(holds);
    let Some(anchor) = anchor else {
        return Err(Refusal::new(Reason::UnknownIssuer, "the chain ends in no configured anchor"));
    };
    if !anchor.realms.iter().any(|realm| realm == identity.realm()) {
        let detail =
            format!("the anchor \"{}\" does not issue for the realm \"{}\"", anchor.name, identity.realm());
        return Err(Refusal::new(Reason::RealmNotOfAnchor, detail));
    }
    Ok((identity, anchor))
}

/// OpenSSL 3 still reads the format of SSL 2.0. (P-02)
fn no_sslv2_hello(ssl: &mut SslRef, alert: &mut SslAlert) -> Result<ClientHelloResponse, ErrorStack> {
    if ssl.client_hello_isv2() {
        *alert = SslAlert::ILLEGAL_PARAMETER;
        return Err(ErrorStack::get());
    }
    Ok(ClientHelloResponse::SUCCESS)
}

fn load_anchors(anchors: &[TrustAnchor], terms: &Terms) -> Result<Vec<Anchor>, ContextError> {
    if anchors.is_empty() {
        return Err(ContextError::NoAnchors);
    }
    let mut loaded: Vec<Anchor> = Vec::new();
    for anchor in anchors {
        if anchor.realms.is_empty() {
            return Err(ContextError::NoRealms { name: anchor.name.clone() });
        }
        let realms =
            anchor.realms.iter().map(|realm| context::realm(anchor, realm)).collect::<Result<_, _>>()?;
        let roots = context::roots(&anchor.certificates, terms)?;
        let shared = |earlier: &&Anchor| {
            earlier.roots.iter().any(|one| roots.iter().any(|other| one.der == other.der))
        };
        if let Some(earlier) = loaded.iter().find(shared) {
            return Err(ContextError::SharedAnchor {
                first: earlier.name.clone(),
                second: anchor.name.clone(),
            });
        }
        loaded.push(Anchor { name: anchor.name.clone(), realms, roots });
    }
    Ok(loaded)
}
