//! How often somebody may ask: for each caller a bucket of requests, which fills again within a minute. Pure: the
//! caller brings the time. (RFC 6585 4, draft-ietf-httpapi-ratelimit-headers-10)
//!
//! ```text
//!  a request moves the moment at which the bucket is full again by one step, a minute shared by the quota
//!
//!     now ├──────────── moved ────────────┤ full            more than a minute ahead: refused, and nothing moves
//! ```

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::Problem;
use crate::people::{Caller, Proof};

/// In how many microseconds an empty bucket is full again.
const WINDOW: i64 = 60_000_000;
const SECOND: i64 = 1_000_000;
/// Callers that are remembered: a megabyte. Beyond it the half whose buckets are the fullest is forgotten, and gains least.
const CALLERS_MAX: usize = 8192;

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// A login, a token or a certificate, as the audit log names it.
    Known(String),
    /// Nobody known, by where he is.
    Source(IpAddr),
}

/// Everybody's buckets.
#[derive(Debug)]
pub(super) struct Rates {
    /// Requests within a window.
    quota: u32,
    /// When each bucket is full again, in microseconds.
    full_at: HashMap<Key, i64>,
}

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    quota: u32,
    /// How many requests are left.
    left: u32,
    /// Seconds until the bucket is full.
    full_in: u32,
    /// Seconds to wait, where this was one too many.
    wait: Option<u32>,
}

impl Rates {
    /// Buckets of so many requests a minute.
    pub(super) fn new(quota: u32) -> Self {
        Self { quota: quota.max(1), full_at: HashMap::new() }
    }

    /// Takes one request out of a caller's bucket. Whoever has the token of this machine has the machine: he is not held
    /// back.
    pub(super) fn take(&mut self, caller: Option<&Caller>, source: IpAddr, now: Timestamp) -> Option<Taken> {
        let key = match caller {
            Some(Caller { proof: Proof::Local, .. }) => return None,
            Some(Caller { name, proof: Proof::Login(_), .. }) => Key::Known(format!("login {name}")),
            Some(caller) => Key::Known(caller.proof.name()),
            None => Key::Source(network(source)),
        };
        Some(self.count(key, now.as_microsecond()))
    }

    fn count(&mut self, key: Key, now: i64) -> Taken {
        let step = WINDOW / i64::from(self.quota);
        let full = self.full_at.get(&key).copied().unwrap_or(now).max(now);
        let next = full + step;
        let is_taken = next - now <= WINDOW;
        let full = if is_taken { next } else { full };
        if is_taken {
            self.keep(key, full, now);
        }
        Taken {
            quota: self.quota,
            left: u32::try_from((WINDOW - (full - now)) / step).unwrap_or(0),
            full_in: seconds(full - now),
            wait: (!is_taken).then(|| seconds(next - now - WINDOW)),
        }
    }

    fn keep(&mut self, key: Key, full: i64, now: i64) {
        if self.full_at.len() >= CALLERS_MAX && !self.full_at.contains_key(&key) {
            let mut all: Vec<i64> = self.full_at.values().copied().collect();
            let (_, middle, _) = all.select_nth_unstable(CALLERS_MAX / 2);
            let bound = now.max(*middle);
            self.full_at.retain(|_, full| *full > bound);
        }
        self.full_at.insert(key, full);
    }
}

impl Taken {
    /// The refusal, where this request was one too many.
    pub(super) fn refusal(&self) -> Option<Problem> {
        self.wait.map(Problem::hasty)
    }

    /// Says so in an answer's headers.
    pub(super) fn onto(&self, headers: &mut HeaderMap) {
        let Self { quota, left, full_in, .. } = self;
        let window = WINDOW / SECOND;
        for (name, text) in [
            ("ratelimit-policy", format!("\"caller\";q={quota};w={window}")),
            ("ratelimit", format!("\"caller\";r={left};t={full_in}")),
        ] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Whole seconds, rounded up: who waits so long waits long enough.
fn seconds(microseconds: i64) -> u32 {
    u32::try_from(microseconds.max(0).saturating_add(SECOND - 1) / SECOND).unwrap_or(u32::MAX)
}

/// One subscriber's addresses: in IPv6 he has a whole /64.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOURCE: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn caller(proof: Proof) -> Caller {
        Caller { name: "ann".to_owned(), proof, grants: Vec::new(), source: SOURCE }
    }

    #[test]
    fn o12_a_bucket_is_emptied_at_once_and_fills_by_and_by() {
        let mut rates = Rates::new(60);
        let mut take = |second| rates.take(None, SOURCE, at(second)).unwrap();
        for left in (0..60).rev() {
            let taken = take(0);
            assert_eq!((taken.left, taken.wait), (left, None));
        }
        assert_eq!((take(0).left, take(0).wait), (0, Some(1)));
        assert_eq!((take(1).wait, take(1).wait), (None, Some(1)));
        assert_eq!((take(90).left, take(90).full_in), (59, 2));
    }

    #[test]
    fn o12_each_caller_has_a_bucket_and_this_machine_none() {
        let mut rates = Rates::new(1);
        let mut is_let = |proof: Option<Proof>, source| {
            let caller = proof.map(caller);
            rates.take(caller.as_ref(), source, at(0)).is_none_or(|taken| taken.refusal().is_none())
        };
        for proof in [None, Some(Proof::Token("a".into())), Some(Proof::Certificate("c".into()))] {
            assert!(is_let(proof.clone(), SOURCE) && !is_let(proof, SOURCE));
        }
        assert!(is_let(Some(Proof::Token("b".into())), SOURCE));
        assert!(is_let(Some(Proof::Login("x".into())), SOURCE));
        assert!(!is_let(Some(Proof::Login("y".into())), SOURCE), "two logins are one account");
        assert!((0..9).all(|_| is_let(Some(Proof::Local), SOURCE)));
        let source = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(is_let(None, source("2001:db8::1")) && !is_let(None, source("2001:db8::2")));
        assert!(is_let(None, source("192.0.2.1")) && !is_let(None, source("::ffff:192.0.2.1")));
    }

    #[test]
    fn o12_strangers_without_end_take_no_memory_without_end() {
        let mut rates = Rates::new(10);
        let source = |number: u32| IpAddr::V4(number.into());
        for _ in 0..10 {
            rates.take(None, source(1), at(0)).unwrap();
        }
        for number in 2..50_000 {
            rates.take(None, source(number), at(0)).unwrap();
            assert!(rates.full_at.len() <= CALLERS_MAX);
        }
        assert!(
            rates.take(None, source(1), at(0)).unwrap().refusal().is_some(),
            "who took most is remembered"
        );
        for number in 100_000..109_000 {
            rates.take(None, source(number), at(90)).unwrap();
        }
        assert!(!rates.full_at.contains_key(&Key::Source(source(1))), "whose bucket is full is forgotten");
    }

    proptest! {
        #[test]
        fn o12_no_window_has_more_than_the_quota_and_what_it_left(quota in 1..50_u32, waits in prop::collection::vec(0..9_i64, 1..300)) {
            let mut rates = Rates::new(quota);
            let mut now = 0;
            let mut taken = Vec::new();
            for wait in waits {
                now += wait;
                let answer = rates.take(None, SOURCE, at(now)).unwrap();
                match answer.wait {
                    None => taken.push(now),
                    // Who waits as he is told is let through.
                    Some(wait) => {
                        now += i64::from(wait);
                        prop_assert_eq!(rates.take(None, SOURCE, at(now)).unwrap().wait, None);
                        taken.push(now);
                    }
                }
                let window = taken.iter().filter(|second| **second > now - 60).count();
                prop_assert!(window <= 2 * quota as usize);
            }
        }
    }
}
