//! What the API keeps of people in memory: this machine's own token, who tried passwords how often, and who asked how
//! often.

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

use super::{
    Pages, Problem, Token,
    rate::{Rates, Taken},
};
use crate::people::{Caller, Throttle, oidc::Oidc, secret::Passwords};

/// One per node.
pub(super) struct Desk {
    pub(super) token: Token,
    pub(super) passwords: Passwords,
    /// Whether cookies go over TLS alone.
    pub(super) is_tls: bool,
    pub(super) state_dir: PathBuf,
    /// The identity provider, where there is one.
    pub(super) oidc: Option<Oidc>,
    pub(super) pages: Pages,
    throttle: Mutex<Throttle>,
    rates: Mutex<Rates>,
}

impl Desk {
    pub(super) fn new(
        token: Token,
        is_tls: bool,
        state_dir: PathBuf,
        (oidc, pages, rates): (Option<Oidc>, Pages, Rates),
    ) -> Self {
        let (passwords, throttle) = (Passwords::default(), Mutex::default());
        Self { token, passwords, is_tls, state_dir, oidc, pages, throttle, rates: Mutex::new(rates) }
    }

    /// Counts a request; nothing where nobody holds the caller back.
    pub(super) fn request(&self, caller: Option<&Caller>, source: IpAddr, now: Timestamp) -> Option<Taken> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner).take(caller, source, now)
    }

    /// Counts a try of a password.
    ///
    /// # Errors
    /// It is too early for another.
    pub(super) fn attempt(&self, account: &str, source: IpAddr, now: Timestamp) -> Result<(), Problem> {
        self.with(|throttle| throttle.attempt(account, source, now)).map_err(Problem::throttled)
    }

    /// The try was right.
    pub(super) fn succeeded(&self, account: &str, source: IpAddr) {
        self.with(|throttle| throttle.succeeded(account, source));
    }

    /// Nobody could say whether the try was right.
    pub(super) fn unjudged(&self, account: &str, source: IpAddr) {
        self.with(|throttle| throttle.unjudged(account, source));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Throttle) -> T) -> T {
        act(&mut self.throttle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
