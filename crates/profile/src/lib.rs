//! The TLS profile of TS 33.320 8.3.4: the clause as a table, and the only code that knows the TLS engine.
//!
//! A H(e)MS takes an [`Acceptor`], a H(e)NB a [`Connector`]; each is made from [`Terms`] (which table, whose
//! clock), a [`KeyPair`] and trust anchors, and gives either a [`Stream`] with the [`Evidence`] of what was
//! negotiated, or a [`Refusal`] with a reason that an operator can act on. There is no third outcome: no
//! connection without a certificate on both sides, and none without an identity.
//!
//! What it does not do: HTTP, admission of identities (that is the H(e)MS's), revocation lists (a later slice),
//! and resumption, which is off. Start at [`Profile::TS33320`].

mod bundle;
mod certificate;
mod chain;
mod client;
mod clock;
mod context;
mod handshake;
mod identity;
mod mode;
pub mod pki;
mod profile;
mod refusal;
mod server;
mod statement;
mod stream;
mod url;
mod verify;

pub use bundle::{ClockCorrection, MOST_ROOTS, RootCertificate, TrustBundle};
pub use certificate::{CertificateFacts, MAX_NAMES, MAX_TEXT};
pub use chain::ChainDates;
pub use client::{Connector, ServerPeer};
pub use clock::{
    AGREEMENT, Clock, ClockError, FixedClock, KeptTime, MAX_SINGLE_JUMP, RestoredClock, Source, Standing,
    SystemClock, build_time,
};
pub use context::{ContextError, KeyPair, Terms, TrustAnchor, is_lab};
pub use identity::{Identity, IdentityError};
pub use mode::{ModeError, TransportMode};
pub use profile::{MANDATORY_SUITE, Profile, ProfileError, Suite, SuiteOrder, Version};
pub use refusal::{Reason, Refusal, RefusalError};
pub use server::{Acceptor, Peer};
pub use statement::{MOST_STATEMENT_BYTES, STATEMENT_PURPOSE, StatementError};
pub use stream::{Evidence, HANDSHAKE_BOUND, Stream};
pub use url::{HemsUrl, UrlError};

/// The TLS library that does the work, with its version, for `--version` and start-up logs.
pub fn engine() -> &'static str {
    openssl::version::version()
}
