//! The H(e)NB's side: its certificate, the operator's roots, its own restored clock. (TS 33.320 8.3.4, P-18, P-19)
//!
//! It offers exactly the table. The H(e)MS must be who the URL says, by subjectAltName alone; an address in the
//! URL is met by an iPAddress only.

use std::path::Path;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslContext, SslRef};
use openssl::x509::verify::X509CheckFlags;
use tokio::net::TcpStream;

use crate::certificate::CertificateFacts;
use crate::chain::ChainDates;
use crate::context::{self, ContextError, KeyPair, Own, Terms};
use crate::handshake::{self, Rules, Side};
use crate::identity::Identity;
use crate::profile::Suite;
use crate::refusal::{Reason, Refusal};
use crate::stream::{Evidence, Stream};
use crate::url::address_literal;
use crate::verify::{self, Role};

/// Connects one H(e)NB to its H(e)MS; cheap to clone.
#[derive(Debug, Clone)]
pub struct Connector {
    context: SslContext,
    terms: Terms,
    identity: Identity,
    own: CertificateFacts,
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
    pub fn new(terms: &Terms, own: &KeyPair, anchors: &Path) -> Result<Self, ContextError> {
        let pair = own;
        let own = Own::load(pair, Role::Henb, terms)?;
        let roots = context::roots(anchors, terms)?;
        let context = context::builder(terms, &own, &roots)?.build();
        let identity = own.identity.clone().ok_or_else(|| ContextError::Own {
            path: pair.chain.clone(),
            reason: Reason::NotAnIdentity,
            detail: "there is no identity".to_owned(),
        })?;
        Ok(Self { context, terms: terms.clone(), identity, own: own.facts })
    }

    /// Who this H(e)NB is by its own certificate.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Our own certificate, to warn of its end in time.
    pub fn certificate(&self) -> &CertificateFacts {
        &self.own
    }

    /// Shakes hands with the H(e)MS `host`, within [`HANDSHAKE_BOUND`](crate::HANDSHAKE_BOUND).
    pub async fn connect(&self, tcp: TcpStream, host: &str) -> Result<(Stream, ServerPeer), Refusal> {
        let mut ssl = self.expect(host).map_err(|error| Refusal::new(Reason::Internal, error.to_string()))?;
        let rules: Rules = Arc::new(|_| Ok(()));
        let attempt = handshake::prepare(&mut ssl, &self.terms, Role::Hems, rules);
        let mut stream = handshake::shake(ssl, tcp, Side::Client, attempt).await?;
        match self.recheck(stream.ssl()) {
            Ok(peer) => Ok((Stream(stream), peer)),
            Err(refusal) => {
                handshake::part(stream.get_mut()).await;
                Err(refusal)
            }
        }
    }

    /// A connection that expects `host`: by name with SNI, or by address without. (T-10, A-05)
    fn expect(&self, host: &str) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
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

    fn recheck(&self, ssl: &SslRef) -> Result<ServerPeer, Refusal> {
        let (version, suite) = handshake::negotiated(ssl, self.terms.profile)?;
        let der = handshake::peer_certificate(ssl)?;
        let certificate = verify::read(&der)?;
        let facts = CertificateFacts::of(&certificate, &der);
        verify::leaf_rules(&certificate, Role::Hems, self.terms.profile, self.terms.clock.now())
            .and_then(|()| verify::suite_usage(&certificate, suite.is_forward_secret))
            .and_then(|()| strong_group(ssl, suite, self.terms.profile.min_rsa_bits))
            .map_err(|refusal| refusal.about(Some(facts.clone())))?;
        let evidence = Evidence {
            tls_version: version.name(),
            suite: suite.standard_name,
            suite_code: suite.code,
            resumed: ssl.session_reused(),
            certificate: facts,
        };
        Ok(ServerPeer { evidence, dates: ChainDates::of(verified_chain(ssl)) })
    }
}

/// The chain that the engine built, in DER, leaf first.
fn verified_chain(ssl: &SslRef) -> Vec<Vec<u8>> {
    let chain = ssl.verified_chain().into_iter().flatten();
    chain.filter_map(|certificate| certificate.to_der().ok()).collect()
}

/// At security level 0 the engine takes a small DH group: this is who refuses it. (T-05)
fn strong_group(ssl: &SslRef, suite: &Suite, min_bits: u32) -> Result<(), Refusal> {
    if !suite.is_forward_secret {
        return Ok(());
    }
    let bits = ssl.peer_tmp_key().map(|key| key.bits()).unwrap_or_default();
    if bits < min_bits {
        let detail = format!("the H(e)MS chose a DH group of {bits} bits, fewer than {min_bits}");
        return Err(Refusal::new(Reason::WeakDhGroup, detail));
    }
    Ok(())
}
