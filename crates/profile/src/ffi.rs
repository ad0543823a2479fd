//! What the engine can do and its safe binding does not show: the one place with `unsafe`. (Decision 9)
//!
//! Each file wraps one subject in functions that cannot be called wrongly; nothing here decides anything.

#![expect(unsafe_code, reason = "the binding lacks these calls")]

use std::sync::OnceLock;

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::Ssl;

pub(crate) mod engine;
pub(crate) mod message;
pub(crate) mod ticket;
pub(crate) mod verify;

/// The place on each connection where a callback finds what it shares with its caller, made once in a program.
pub(crate) fn slot<T: Send + Sync + 'static>(
    made: &OnceLock<Index<Ssl, T>>,
) -> Result<Index<Ssl, T>, ErrorStack> {
    if let Some(slot) = made.get() {
        return Ok(*slot);
    }
    let slot = Ssl::new_ex_index()?;
    Ok(*made.get_or_init(|| slot))
}
