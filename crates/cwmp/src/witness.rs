//! A seam for watching: what passed at this end, and what became durable.
//!
//! One rule: a witness only looks. Recording a run and killing a process at a numbered point are
//! both witnesses; a release binary only ever passes `()` or the recorder.

/// One of the two ends of CWMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The auto-configuration server, here the H(e)MS.
    Acs,
    /// The customer premises equipment, here the H(e)NB.
    Cpe,
}

/// Sees messages and commits at one end.
pub trait Witness: Send + Sync {
    /// A message of `from` was sent or received here; an empty body is a message too.
    fn message(&self, from: Role, body: &[u8]) {
        let _ = (from, body);
    }

    /// The commit with this running number is durable.
    fn committed(&self, number: u64) {
        let _ = number;
    }
}

impl Witness for () {}
