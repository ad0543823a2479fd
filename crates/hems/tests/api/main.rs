//! The H(e)MS through its two mouths: real TLS for cells, HTTP with a token for operators.
//!
//! Each test makes its whole world: a lab PKI, a folder, free ports. A cell here is a script over the real
//! connector; a whole simulated cell is `henb`'s business and tested from outside.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on shall panic")]

mod actions;
mod admin;
mod alarms;
mod away;
mod blocks;
mod bulk;
mod calls;
mod cell;
mod changes;
mod conditions;
mod dead_letters;
mod devices;
mod document;
mod drift;
mod endpoint;
mod events;
mod evidence;
mod files;
mod habits;
mod hostile;
mod identities;
mod inventory;
mod lists;
mod nats;
mod northbound;
mod people;
mod pools;
mod previews;
mod raw;
mod recordings;
mod refusals;
mod reports;
mod schemathesis;
mod scopes;
mod sessions;
mod software;
mod stop;
mod templates;
mod tls;
mod trust;
mod tunnel;
mod wake;
mod webhooks;
mod world;
