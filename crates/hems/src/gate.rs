//! The gate: whether a cell may transmit where it stands. Its policy is configuration; its verdict is stored.
//!
//! A place is a latitude and a longitude in millionths of a degree. Zero, zero is what a device says that was
//! never told where it is.

use jiff::Timestamp;

use crate::{config::GatePolicy, plan::Verdict};

/// Judges a declared place.
pub(crate) fn judge(policy: GatePolicy, latitude: &str, longitude: &str, at: Timestamp) -> Verdict {
    let passed = match policy {
        GatePolicy::Closed => false,
        GatePolicy::AcceptDeclared => is_place(latitude, longitude),
    };
    Verdict {
        passed,
        policy: policy.name().to_owned(),
        latitude: latitude.to_owned(),
        longitude: longitude.to_owned(),
        at,
    }
}

fn is_place(latitude: &str, longitude: &str) -> bool {
    let within = |text: &str, degrees: i64| {
        text.trim().parse::<i64>().ok().filter(|value| value.abs() <= degrees * 1_000_000)
    };
    match (within(latitude, 90), within(longitude, 180)) {
        (Some(latitude), Some(longitude)) => (latitude, longitude) != (0, 0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(policy: GatePolicy, latitude: &str, longitude: &str) -> bool {
        judge(policy, latitude, longitude, Timestamp::UNIX_EPOCH).passed
    }

    #[test]
    fn the_lab_policy_accepts_a_declared_place_and_nothing_else() {
        assert!(passes(GatePolicy::AcceptDeclared, "52520000", "13400000"));
        assert!(passes(GatePolicy::AcceptDeclared, "51477900", "0"));
        assert!(!passes(GatePolicy::AcceptDeclared, "0", "0"));
        assert!(!passes(GatePolicy::AcceptDeclared, "", ""));
        assert!(!passes(GatePolicy::AcceptDeclared, "91000000", "0"));
        assert!(!passes(GatePolicy::Closed, "52520000", "13400000"));
    }
}
