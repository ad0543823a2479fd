//! A H(e)NB's listener for Connection Requests over TLS: the wake role of its own H(e)MS, and nobody else. (Decision 5)
//! In [`connector`] is the H(e)MS that sends them.
//!
//! No certificate has this role by chance: it names [`WAKE_PURPOSE`](crate::WAKE_PURPOSE), stands under an anchor of the
//! cell, and is for the host that the cell calls. The H(e)MS's own certificate and the cells' are refused, whoever issued
//! them. The suites are those of `ts33320` with DHE alone, and the key is the listener's own: it never decrypts, so what
//! it answers to strangers is of no use against another key.
//!
//! ```text
//!   handshake ─▶ chain to an operator's CA ─▶ wake role ─▶ host of the H(e)MS ─▶ a stream
//! ```

mod connector;

use std::sync::Arc;

use openssl::ssl::{Ssl, SslContextBuilder, SslRef};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::certificate::CertificateFacts;
use crate::client::{Connector, Provision};
use crate::clock::Clock;
use crate::context::{self, ContextError, Own, Terms};
use crate::handshake::{self, Bench, Judge, Side};
use crate::present::Present;
use crate::profile::Profile;
use crate::refusal::{Reason, Refusal};
use crate::revocation::CrlNote;
use crate::server;
use crate::stream::Stream;
use crate::trust::{Trust, TrustAnchor, Verdict};
use crate::verify::{self, Role};
pub use connector::WakeConnector;

/// Accepts a H(e)MS that sends Connection Requests; cheap to clone.
#[derive(Debug, Clone)]
pub struct WakeAcceptor {
    terms: Terms,
    present: Arc<watch::Sender<Arc<Present>>>,
}

impl WakeAcceptor {
    /// Checks everything that does not need a peer; `provision` has the listener's own certificate and key, and the
    /// anchors under which the H(e)MS stands.
    ///
    /// # Errors
    /// A file that is missing or wrong, a certificate of another cell than `cell`'s, or a key that the cell already uses.
    pub fn new(terms: &Terms, provision: &Provision, cell: &Connector) -> Result<Self, ContextError> {
        let terms = Terms { profile: &Profile::TS33320, resumption: false, ..terms.clone() };
        let present = load(&terms, provision, cell)?;
        Ok(Self { terms, present: Arc::new(watch::Sender::new(Arc::new(present))) })
    }

    /// Takes over changed files, or says what is wrong with them and goes on with the old ones.
    ///
    /// # Errors
    /// Those of [`WakeAcceptor::new`].
    pub fn reload(&self, provision: &Provision, cell: &Connector) -> Result<(), ContextError> {
        let next = Arc::new(load(&self.terms, provision, cell)?);
        self.present.send_replace(next);
        Ok(())
    }

    /// The listener's own certificate, to warn of its end in time.
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

    /// Shakes hands on a new connection, within [`HANDSHAKE_BOUND`](crate::HANDSHAKE_BOUND); `hems` is the host of the
    /// H(e)MS that the cell calls.
    ///
    /// # Errors
    /// Everybody else, with the reason.
    pub async fn accept(&self, tcp: TcpStream, hems: &str) -> Result<Stream, Refusal> {
        let present = self.present();
        let internal = |error: openssl::error::ErrorStack| Refusal::new(Reason::Internal, error.to_string());
        let mut ssl = Ssl::new(&present.context).map_err(internal)?;
        let (trust, clock, host) =
            (Arc::clone(&present.trust), Arc::clone(&self.terms.clock), hems.to_owned());
        let judge: Arc<Judge> = Arc::new(move |chain| judge(&trust, &*clock, &host, chain));
        let (trust, profile, now) = (Arc::clone(&present.trust), self.terms.profile, self.terms.clock.now());
        let bench = Bench { trust, profile, role: Role::Wake, now, judge };
        let attempt = handshake::prepare(&mut ssl, bench)?;
        let mut stream = handshake::shake(ssl, Box::new(tcp), Side::Server, attempt).await?;
        match self.recheck(stream.ssl(), hems, &present.trust) {
            Ok(()) => Ok(Stream(stream)),
            Err(refusal) => {
                handshake::part(stream.get_mut()).await;
                Err(refusal)
            }
        }
    }

    /// Everything once more on what the handshake left, by the table and not by the engine's word.
    fn recheck(&self, ssl: &SslRef, hems: &str, trust: &Trust) -> Result<(), Refusal> {
        forward_secret(ssl, self.terms.profile)?;
        let chain = handshake::verified_chain(ssl);
        let chain = chain.ok_or_else(|| Refusal::new(Reason::UnknownIssuer, "there is no chain"))?;
        judge(trust, &*self.terms.clock, hems, &chain).map(drop)
    }
}

/// Of the suites those with DHE: neither side's key ever decrypts.
fn offer_dhe(builder: &mut SslContextBuilder, terms: &Terms) -> Result<(), ContextError> {
    let suites = terms.profile.offered(terms.order).into_iter();
    let dhe = suites.filter(|suite| suite.exchange().is_forward_secret());
    Ok(builder.set_cipher_list(&dhe.map(|suite| suite.engine_name).collect::<Vec<_>>().join(":"))?)
}

/// What was negotiated is one of them, by the table and not by the engine's word.
fn forward_secret(ssl: &SslRef, profile: &Profile) -> Result<(), Refusal> {
    let (_, suite) = handshake::negotiated(ssl, profile)?;
    if suite.exchange().is_forward_secret() {
        return Ok(());
    }
    let detail = format!("{} was negotiated where DHE alone is offered", suite.standard_name);
    Err(Refusal::new(Reason::OutsideProfile, detail))
}

/// The whole judgement of a chain, leaf first: what every chain must be, and whose it is.
fn judge(trust: &Trust, clock: &dyn Clock, hems: &str, chain: &[Vec<u8>]) -> Result<Verdict, Refusal> {
    let verdict = trust.judge(chain, &(), clock)?;
    let leaf = chain.first().map(Vec::as_slice).unwrap_or_default();
    verify::is_for_host(&verify::read(leaf)?, hems)?;
    Ok(verdict)
}

/// Loads every file, and checks what needs no peer.
fn load(terms: &Terms, provision: &Provision, cell: &Connector) -> Result<Present, ContextError> {
    let own = Own::load(&provision.own, Role::Listener, terms)?;
    is_of_its_own(&own, provision, cell)?;
    let anchor = TrustAnchor {
        crls: provision.crls.clone(),
        ..TrustAnchor::new("operator", provision.anchors.clone(), Vec::new())
    };
    let trust = Arc::new(Trust::load(&[anchor], Role::Wake, terms, provision.kept_lists.as_deref())?);
    let mut builder = server::builder(terms, &own, &trust)?;
    offer_dhe(&mut builder, terms)?;
    context::never_resume(&mut builder);
    Ok(Present { context: builder.build(), trust, own: own.facts })
}

/// The listener is the same cell's, with another key. (Decision 9)
fn is_of_its_own(own: &Own, provision: &Provision, cell: &Connector) -> Result<(), ContextError> {
    if own.identity.as_ref() != Some(cell.identity()) {
        let whose = own.identity.as_ref().map(ToString::to_string).unwrap_or_default();
        return Err(ContextError::Own {
            path: provision.own.chain.clone(),
            reason: Reason::NotAnIdentity,
            detail: format!("it is of {whose}, this cell is {}", cell.identity()),
        });
    }
    if own.facts.public_key_sha256 == cell.certificate().public_key_sha256 {
        let (key, user) = (provision.own.key.clone(), "the cell's own certificate".to_owned());
        return Err(ContextError::SharedKey { key, user });
    }
    Ok(())
}
