//! The engine's verdicts by number: its binding names two of them.

use openssl::x509::X509VerifyResult;

/// The verdict with this number; the alert that the peer gets follows from it.
pub(crate) fn verdict(number: i32) -> X509VerifyResult {
    // SAFETY: the type is a plain number, and the engine takes any.
    unsafe { X509VerifyResult::from_raw(number) }
}
