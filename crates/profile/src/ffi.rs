//! What the engine can do and its safe binding does not show: the one place with `unsafe`. (Decision 9)
//!
//! Each file wraps one subject in functions that cannot be called wrongly; nothing here decides anything.

#![expect(unsafe_code, reason = "the binding lacks these calls")]

pub(crate) mod engine;
pub(crate) mod message;
pub(crate) mod ticket;
pub(crate) mod verify;
