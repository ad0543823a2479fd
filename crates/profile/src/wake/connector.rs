//! A H(e)MS that sends Connection Requests over TLS: the listener of the cell that is meant answers, or nobody. (Decision 5)
//!
//! Where it was connected to proves nothing, because the cell itself says where that is: the certificate has to name the
//! cell's identity, under an anchor that may speak for its realm. What shuts a cell out shuts its listener out.
//!
//! ```text
//!   handshake ─▶ chain to a manufacturer's CA ─▶ rules, lists, realm, blocks ─▶ this identity ─▶ a stream
//! ```

use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslRef};
use tokio::sync::watch;

use super::{forward_secret, offer_dhe};
use crate::blocks::Blocklist;
use crate::certificate::CertificateFacts;
use crate::context::{self, ContextError, Own, Terms};
use crate::handshake::{self, Bench, Judge, Side};
use crate::identity::Identity;
use crate::present::Present;
use crate::profile::Profile;
use crate::refusal::{Reason, Refusal};
use crate::revocation::CrlNote;
use crate::server::Materials;
use crate::stream::{Carrier, Stream};
use crate::trust::Trust;
use crate::verify::Role;

/// Connects to the listeners of H(e)NBs; cheap to clone.
#[derive(Debug, Clone)]
pub struct WakeConnector {
    terms: Terms,
    blocks: Arc<dyn Blocklist>,
    present: Arc<watch::Sender<Arc<Present>>>,
}

impl WakeConnector {
    /// Checks everything that does not need a peer; `materials` has a certificate with the wake role, and the anchors of
    /// the cells.
    ///
    /// # Errors
    /// A file that is missing or wrong, a certificate without the wake role, an anchor without realms.
    pub fn new(
        terms: &Terms,
        materials: &Materials,
        blocks: Arc<dyn Blocklist>,
    ) -> Result<Self, ContextError> {
        let terms = Terms { profile: &Profile::TS33320, resumption: false, ..terms.clone() };
        let present = Arc::new(watch::Sender::new(Arc::new(load(&terms, materials)?)));
        Ok(Self { terms, blocks, present })
    }

    /// Takes over changed files, or says what is wrong with them and goes on with the old ones.
    ///
    /// # Errors
    /// Those of [`WakeConnector::new`].
    pub fn reload(&self, materials: &Materials) -> Result<(), ContextError> {
        self.present.send_replace(Arc::new(load(&self.terms, materials)?));
        Ok(())
    }

    /// Our certificate with the wake role.
    pub fn certificate(&self) -> CertificateFacts {
        self.present().own.clone()
    }

    /// What was found out about revocation lists since it was asked last, by anchor: alarms.
    pub fn take_notes(&self) -> Vec<(String, CrlNote)> {
        self.present().trust.take_notes()
    }

    fn present(&self) -> Arc<Present> {
        Arc::clone(&self.present.borrow())
    }

    /// Shakes hands with the listener of a cell, within [`HANDSHAKE_BOUND`](crate::HANDSHAKE_BOUND).
    ///
    /// # Errors
    /// It is not that cell's, nobody whom we trust says so, or it does not want us.
    pub async fn connect(&self, carrier: impl Carrier + 'static, cell: &Identity) -> Result<Stream, Refusal> {
        let present = self.present();
        let internal = |error: ErrorStack| Refusal::new(Reason::Internal, error.to_string());
        let mut ssl = Ssl::new(&present.context).map_err(internal)?;
        ssl.set_hostname(cell.as_str()).map_err(internal)?;
        let (trust, clock, blocks) =
            (Arc::clone(&present.trust), Arc::clone(&self.terms.clock), Arc::clone(&self.blocks));
        let wanted = cell.clone();
        let judge: Arc<Judge> = Arc::new(move |chain| {
            let verdict = trust.judge(chain, &*blocks, &*clock)?;
            is_of(verdict.identity.as_ref(), &wanted).map(|()| verdict)
        });
        let (trust, profile, now) = (Arc::clone(&present.trust), self.terms.profile, self.terms.clock.now());
        let bench = Bench { trust, profile, role: Role::Listener, now, judge: Arc::clone(&judge) };
        let attempt = handshake::prepare(&mut ssl, bench)?;
        let mut stream = handshake::shake(ssl, Box::new(carrier), Side::Client, attempt).await?;
        match recheck(stream.ssl(), profile, &*judge) {
            Ok(()) => Ok(Stream(stream)),
            Err(refusal) => {
                handshake::part(stream.get_mut()).await;
                Err(refusal)
            }
        }
    }
}

/// Everything once more on what the handshake left, before the first byte of a request.
fn recheck(ssl: &SslRef, profile: &Profile, judge: &Judge) -> Result<(), Refusal> {
    forward_secret(ssl, profile)?;
    handshake::first_flight(ssl, profile)?;
    let chain = handshake::verified_chain(ssl);
    let chain = chain.ok_or_else(|| Refusal::new(Reason::UnknownIssuer, "there is no chain"))?;
    judge(&chain).map(drop)
}

fn is_of(identity: Option<&Identity>, wanted: &Identity) -> Result<(), Refusal> {
    if identity == Some(wanted) {
        return Ok(());
    }
    let whose = identity.map_or("nobody", Identity::as_str);
    let detail = format!("the listener's certificate is of {whose}, and {wanted} was asked for");
    Err(Refusal::new(Reason::WrongName, detail))
}

/// Loads every file, and checks what needs no peer.
fn load(terms: &Terms, materials: &Materials) -> Result<Present, ContextError> {
    let own = Own::load(&materials.own, Role::Wake, terms)?;
    let kept = materials.kept_lists.as_deref();
    let trust = Arc::new(Trust::load(&materials.anchors, Role::Listener, terms, kept)?);
    let mut builder = context::builder(terms, &own, trust.roots())?;
    offer_dhe(&mut builder, terms)?;
    context::never_resume(&mut builder);
    Ok(Present { context: builder.build(), trust, own: own.facts })
}
