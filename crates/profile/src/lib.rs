//! The TLS profile of TS 33.320 8.3.4: the clause as a table, and the only code that knows the TLS engine.
//!
//! A H(e)MS takes an [`Acceptor`], a H(e)NB a [`Connector`]; each is made from [`Terms`] (which table, whose
//! clock), a [`KeyPair`] and trust anchors, and gives either a [`Stream`] with the [`Evidence`] of what was
//! negotiated, or a [`Refusal`] with a reason that an operator can act on. There is no third outcome: no
//! connection without a certificate on both sides, and none without an identity. People come in by another door,
//! [`WebAcceptor`].
//!
//! What it does not do: HTTP, and admission of identities (that is the H(e)MS's). Start at [`Profile::TS33320`].

mod blocks;
mod bundle;
mod candidate;
mod certificate;
mod chain;
mod client;
mod clock;
mod context;
mod ffi;
mod firmware;
mod handshake;
mod identity;
mod key;
mod mode;
pub mod pki;
mod present;
mod profile;
mod refusal;
mod resume;
pub mod revocation;
mod seal;
mod server;
mod sessions;
mod statement;
mod stream;
mod ticket;
mod trust;
mod url;
mod verify;
mod wake;
mod watched;
mod web;
mod web_key;

pub use blocks::Blocklist;
pub use bundle::{ClockCorrection, MOST_ROOTS, RootCertificate, TrustBundle};
pub use candidate::{Candidate, CandidateError};
pub use certificate::{CertificateFacts, MAX_NAMES, MAX_TEXT, is_subject};
pub use chain::ChainDates;
pub use client::{Connector, Provision, ServerPeer, StaplePolicy};
pub use clock::{
    AGREEMENT, Clock, ClockError, FixedClock, KeptTime, MAX_SINGLE_JUMP, RestoredClock, Source, Standing,
    SystemClock, build_time,
};
pub use context::{ContextError, KeyPair, Terms, is_lab};
pub use firmware::{FirmwareHead, FirmwareKey, FirmwareKind, FirmwareManifest, MOST_FIRMWARE_KEYS, Sha256};
pub use identity::{Identity, IdentityError};
pub use key::{KeySource, OwnCertificate};
pub use mode::{ModeError, TransportMode};
pub use profile::{
    Exchange, KeyKind, MANDATORY_SUITE, Profile, ProfileError, Rules, Suite, SuiteOrder, Version,
};
pub use refusal::{Reason, Refusal, RefusalError};
pub use seal::{Seal, SealError};
pub use server::{Acceptor, Materials, Peer, Vigil};
pub use statement::{MOST_STATEMENT_BYTES, STATEMENT_PURPOSE, StatementError};
pub use stream::{Carrier, Evidence, HANDSHAKE_BOUND, Revocation, Stream};
pub use ticket::{TICKET_LIFETIME, TICKET_PERIOD, TicketError, TicketKey, TicketKeys, TicketSeal};
pub use trust::{Exception, TrustAnchor};
pub use url::{HemsUrl, UrlError};
pub use verify::WAKE_PURPOSE;
pub use wake::{WakeAcceptor, WakeConnector};
pub use watched::Watched;
pub use web::{WebAcceptor, WebConnector, WebGuest, WebMaterials};
pub use web_key::WebKey;

/// The TLS library that does the work, with its version, for `--version` and start-up logs.
pub fn engine() -> &'static str {
    openssl::version::version()
}
