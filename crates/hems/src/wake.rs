//! Connection Requests of ours: whom we ask, where, and what becomes of it. (decision 5)
//!
//! ```text
//!  URL of the cell ─▶ [`target`] ─▶ [`permit`] ─▶ knock: TLS by identity, or the tunnel ─▶ GET ─▶ status ─▶ [`next`]
//!
//!  queued ─▶ sent ─┬─ 6 CONNECTION REQUEST ──────────────▶ done
//!     ▲            ├─ busy, unreachable, no session came ▶ queued, later and later
//!     └────────────┴─ what no repetition mends ──────────▶ failed
//! ```
//!
//! The URL comes from the cell and is hostile. It has no credentials, names no host but the cell, and leads to where the
//! cell itself called from, or to a network that the configuration lists; a redirect leads nowhere, and a challenge is
//! never answered. (P-07)

mod knock;
mod run;

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use hyper::{StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use profile::{Reason, Refusal, TransportMode};

pub(crate) use run::run;

use crate::{
    Hems,
    guard::{self, Network},
    store::StoreError,
};

/// Where a cell says that it listens.
pub(crate) const URL: &str = "Device.ManagementServer.ConnectionRequestURL";
/// Characters of that URL. (TR-181: string(256))
const URL_MAX: usize = 256;
/// How often a cell is asked in vain before an operator hears that it cannot be woken.
const ATTEMPTS_MAX: i64 = 5;
/// How long a session may take to come once the cell answered; TR-069 has it begin at once, after the one that runs.
const SESSION_WAIT: SignedDuration = SignedDuration::from_secs(60);
/// The wait after the first failure: longer than a cell's own bound of one in 12 seconds. It doubles each time.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(15);

/// Why a cell is not woken; the text is for operators.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WakeError {
    #[error(
        "this server sends no Connection Requests: `[wake]` in its configuration names the certificate for them"
    )]
    Off,
    #[error("the device tells no ConnectionRequestURL: its owner chose no listener, or it is switched off")]
    NoUrl,
    #[error("its ConnectionRequestURL is no URL of at most {URL_MAX} characters with an address and a path")]
    Url,
    #[error("its ConnectionRequestURL has a user name or a password: there is no shared secret")]
    User,
    #[error("its ConnectionRequestURL is {found}, and in mode \"{mode}\" a cell is asked by {wanted}")]
    Scheme { found: String, mode: TransportMode, wanted: &'static str },
    #[error("its ConnectionRequestURL names the host {0}, which is neither an address nor the device")]
    Host(String),
    #[error("it never called, and its ConnectionRequestURL names no address")]
    NeverCalled,
    #[error("its listener is at {0}, which is not public; list its network in `wake.networks` to allow it")]
    Inside(IpAddr),
    #[error(
        "its listener is at {listens}, and it called from {called}; list the network in `wake.networks` to allow it"
    )]
    Elsewhere { listens: IpAddr, called: IpAddr },
    #[error("its listener is at {0}, which is this machine")]
    Here(IpAddr),
    #[error("the tunnel does not say that its address is the device's: {0}")]
    Tunnel(String),
    #[error("cannot connect to {0}: {1}")]
    Connect(SocketAddr, io::Error),
    #[error("TLS: {0}")]
    Tls(Refusal),
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("no answer in time")]
    Slow,
    #[error("the device asks for a shared secret (401), which nobody has and nobody sends")]
    Secret,
    #[error("the device answered 503: it was asked too often, or is busy")]
    Busy,
    #[error("the device answered {0}")]
    Status(StatusCode),
    #[error("the device was asked, and no session came")]
    Silent,
    #[error("the device is not admitted, or blocked")]
    NotAdmitted,
}

impl WakeError {
    /// A name that does not change: for programs, and for metrics.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NoUrl => "no_url",
            Self::Url | Self::User | Self::Scheme { .. } | Self::Host(_) => "url",
            Self::NeverCalled | Self::Inside(_) | Self::Elsewhere { .. } | Self::Here(_) => "address",
            Self::Tunnel(_) => "tunnel",
            Self::Connect(..) => "unreachable",
            Self::Tls(refusal) => refusal.reason.code(),
            Self::Http(_) => "http",
            Self::Slow => "slow",
            Self::Secret => "secret",
            Self::Busy => "busy",
            Self::Status(_) => "status",
            Self::Silent => "silent",
            Self::NotAdmitted => "not_admitted",
        }
    }

    /// Whether the same request may do better later.
    fn may_pass(&self) -> bool {
        match self {
            // What another node's gateway knows of a tunnel, ours need not.
            Self::Tunnel(_)
            | Self::Connect(..)
            | Self::Http(_)
            | Self::Slow
            | Self::Busy
            | Self::Status(_)
            | Self::Silent => true,
            // A listener that has too much to do hangs up.
            Self::Tls(refusal) => matches!(
                refusal.reason,
                Reason::HandshakeBroken | Reason::HandshakeTimeout | Reason::Internal
            ),
            Self::Off
            | Self::NoUrl
            | Self::Url
            | Self::User
            | Self::Scheme { .. }
            | Self::Host(_)
            | Self::NeverCalled
            | Self::Inside(_)
            | Self::Elsewhere { .. }
            | Self::Here(_)
            | Self::Secret
            | Self::NotAdmitted => false,
        }
    }
}

/// Where a Connection Request goes, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) has_tls: bool,
}

/// What a ConnectionRequestURL of `identity` leads to; `called` is from where the cell called last.
pub(crate) fn target(
    url: &str,
    identity: &str,
    called: Option<IpAddr>,
    mode: TransportMode,
) -> Result<Target, WakeError> {
    if url.is_empty() {
        return Err(WakeError::NoUrl);
    }
    let is_plain = url.len() <= URL_MAX && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let uri: Uri = url.parse().ok().filter(|_| is_plain).ok_or(WakeError::Url)?;
    let authority = uri.authority().ok_or(WakeError::Url)?;
    if authority.as_str().contains('@') {
        return Err(WakeError::User);
    }
    let has_tls = has_tls(&uri, mode)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let address = match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical(),
        Err(_) if host.eq_ignore_ascii_case(identity) => called.ok_or(WakeError::NeverCalled)?,
        Err(_) => return Err(WakeError::Host(host.to_owned())),
    };
    let has_port = authority.as_str().len() > authority.host().len();
    let port = authority.port_u16().or_else(|| (!has_port).then_some(if has_tls { 443 } else { 80 }));
    let port = port.filter(|port| *port > 0).ok_or(WakeError::Url)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    Ok(Target { address: SocketAddr::new(address, port), path, has_tls })
}

/// Plain HTTP is for the tunnel alone. (X-03)
fn has_tls(uri: &Uri, mode: TransportMode) -> Result<bool, WakeError> {
    let wanted = if mode.allows_plain_http() { "http" } else { "https" };
    let found = uri.scheme_str().ok_or(WakeError::Url)?;
    if found == wanted {
        return Ok(wanted == "https");
    }
    Err(WakeError::Scheme { found: found.to_owned(), mode, wanted })
}

/// Whether we connect to an address that no tunnel vouches for: to a listed network, and to a public address from which
/// the cell itself called. So no cell has us knock at our own doors, or at others'.
pub(crate) fn permit(address: IpAddr, called: Option<IpAddr>, listed: &[Network]) -> Result<(), WakeError> {
    if guard::is_listed(address, listed) {
        return Ok(());
    }
    if !guard::permits(address, &[]) {
        return Err(WakeError::Inside(address));
    }
    match called {
        Some(called) if called == address => Ok(()),
        Some(called) => Err(WakeError::Elsewhere { listens: address, called }),
        None => Err(WakeError::NeverCalled),
    }
}

/// Where a device is asked, and from where it called last.
#[derive(Clone, Debug)]
pub(crate) struct Aim {
    pub(crate) target: Target,
    pub(crate) called: Option<IpAddr>,
}

/// Where a device with this URL is asked, as far as that is known without asking anybody.
pub(crate) async fn aim(
    hems: &Hems,
    identity: &str,
    url: Option<&str>,
) -> Result<Result<Aim, WakeError>, StoreError> {
    let Some(waking) = &hems.wake else { return Ok(Err(WakeError::Off)) };
    let called = called(hems, identity).await?;
    let aimed = target(url.unwrap_or_default(), identity, called, hems.mode).and_then(|target| {
        // What a tunnel says of an address is asked when it is needed.
        if waking.tunnel.is_none() {
            permit(target.address.ip(), called, &waking.networks)?;
        }
        Ok(Aim { target, called })
    });
    Ok(aimed)
}

/// From where a device called last.
async fn called(hems: &Hems, identity: &str) -> Result<Option<IpAddr>, StoreError> {
    let sessions = hems.store.sessions(Some(identity), i64::MAX, 1).await?;
    let peer = sessions.first().and_then(|session| session.peer.parse::<SocketAddr>().ok());
    Ok(peer.map(|peer| peer.ip().to_canonical()))
}

/// What is written about a device that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It answered: a session should come until then.
    Awaited(Timestamp),
    /// It is asked again; the text is JSON.
    Again(Timestamp, String),
    /// It is left alone; the text is JSON.
    Over(String),
}

/// What becomes of a device that was asked `attempts` times, and at last so: pure.
pub(crate) fn next(outcome: &Result<(), WakeError>, attempts: i64, now: Timestamp) -> Next {
    let Err(error) = outcome else { return Next::Awaited(now + SESSION_WAIT) };
    let said = serde_json::json!({"reason": error.code(), "detail": error.to_string(), "attempts": attempts});
    if !error.may_pass() || attempts >= ATTEMPTS_MAX {
        return Next::Over(said.to_string());
    }
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, ATTEMPTS_MAX)).unwrap_or_default();
    Next::Again(now + FIRST_WAIT * (1 << doublings), said.to_string())
}

#[cfg(test)]
mod tests;
