//! The sessions that a H(e)NB may resume: one for each host, judged again before it is offered. (T-08, K-10)
//!
//! A session remembers the chain that was verified when it began. It is offered only while that chain is good by
//! the cell's own clock, never later than two hours, and never to another host.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslContextBuilder, SslRef, SslSession, SslSessionCacheMode};

use crate::clock::Clock;
use crate::ffi;
use crate::handshake::{self, Judge};
use crate::ticket::TICKET_LIFETIME;

/// Hosts that a cell talks to: its H(e)MS, one for files, a redirect, one for recovery.
const MOST_HOSTS: usize = 4;

/// A session with what is needed to judge it.
struct Kept {
    /// Its encoding: the engine ends a session whose connection was cut, and no copy of it.
    session: Vec<u8>,
    chain: Vec<Vec<u8>>,
    since: Timestamp,
}

/// The sessions by host.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Kept>>);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sessions").field(&self.lock().len()).finish()
    }
}

/// Which host a connection is for.
fn host_of() -> Result<Index<Ssl, String>, ErrorStack> {
    static SLOT: OnceLock<Index<Ssl, String>> = OnceLock::new();
    if let Some(slot) = SLOT.get() {
        return Ok(*slot);
    }
    let made = Ssl::new_ex_index()?;
    Ok(*SLOT.get_or_init(|| made))
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a client's context hand over its new sessions.
    pub(crate) fn keep(
        this: &Arc<Self>,
        builder: &mut SslContextBuilder,
        clock: Arc<dyn Clock>,
    ) -> Result<(), ErrorStack> {
        let host = host_of()?;
        let this = Arc::clone(this);
        builder.set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
        builder.set_new_session_callback(move |ssl, session| {
            if let Some(host) = ssl.ex_data(host) {
                this.add(host, ssl, session, clock.now());
            }
        });
        Ok(())
    }

    fn add(&self, host: &str, ssl: &SslRef, session: SslSession, now: Timestamp) {
        let mut sessions = self.lock();
        let earlier = sessions.remove(host);
        let (chain, since) = match earlier {
            // A resumed session continues the authentication of the one before, and ends no later.
            Some(earlier) if ssl.session_reused() => (earlier.chain, earlier.since),
            Some(_) | None => match handshake::verified_chain(ssl) {
                Some(chain) => (chain, now),
                None => return,
            },
        };
        if let Some(session) = session.to_der().ok().filter(|_| sessions.len() < MOST_HOSTS) {
            sessions.insert(host.to_owned(), Kept { session, chain, since });
        }
    }

    /// Offers to go on with the session of `host`, if it is still good; otherwise it is forgotten.
    pub(crate) fn offer(
        &self,
        ssl: &mut Ssl,
        host: &str,
        now: Timestamp,
        judge: &Judge,
    ) -> Result<(), ErrorStack> {
        ssl.set_ex_data(host_of()?, host.to_owned());
        let mut sessions = self.lock();
        let Some(kept) = sessions.get(host) else {
            return Ok(());
        };
        let age = Duration::try_from(now.duration_since(kept.since)).ok();
        if age.is_some_and(|age| age < TICKET_LIFETIME) && judge(&kept.chain).is_ok() {
            return ffi::ticket::offer(ssl, &*SslSession::from_der(&kept.session)?);
        }
        sessions.remove(host);
        Ok(())
    }

    /// The chain of the session with `host`: DER, leaf first.
    pub(crate) fn chain(&self, host: &str) -> Option<Vec<Vec<u8>>> {
        self.lock().get(host).map(|kept| kept.chain.clone())
    }

    /// Does not resume with `host` again.
    pub(crate) fn forget(&self, host: &str) {
        self.lock().remove(host);
    }
}
