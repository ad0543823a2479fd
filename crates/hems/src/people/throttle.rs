//! How often somebody may try a password: per account, and per source. Pure: the caller brings the time.
//!
//! A try counts as wrong until it turns out right, so that tries at the same time count too. After some free ones each
//! doubles the wait.
//!
//! ```text
//!  tries    1 … 5   6    7    8   …
//!  wait      0      1 s  2 s  4 s … at most MOST
//! ```

use std::{collections::HashMap, net::IpAddr};

use jiff::{SignedDuration, Timestamp};

use super::NAME_MAX;

/// Wrong tries that cost no wait: people mistype.
const FREE: u32 = 5;
/// The longest wait of an account: whoever wants to lock somebody out gains a minute.
const MOST_OF_ACCOUNT: SignedDuration = SignedDuration::from_mins(1);
/// The longest wait of a source, which hurts nobody else.
const MOST_OF_SOURCE: SignedDuration = SignedDuration::from_mins(15);
/// When a wrong try is forgotten.
const MEMORY: SignedDuration = SignedDuration::from_hours(1);
/// Accounts and sources that are remembered: a megabyte, as no entry holds more than a name. Beyond it the one that
/// tried longest ago is forgotten.
const ENTRIES_MAX: usize = 8192;

/// Who tries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Account(String),
    /// Everything that is longer than a name can be.
    Endless,
    Source(IpAddr),
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    wrong: u32,
    last: Timestamp,
}

/// Who tried how often.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    tries: HashMap<Key, Tries>,
}

impl Throttle {
    /// Counts a try.
    ///
    /// # Errors
    /// How long to wait; then it was none.
    pub(crate) fn attempt(
        &mut self,
        account: &str,
        source: IpAddr,
        now: Timestamp,
    ) -> Result<(), SignedDuration> {
        let keys = keys(account, source);
        let wait = keys.iter().map(|key| self.wait(key, now)).max().unwrap_or_default();
        if wait > SignedDuration::ZERO {
            return Err(wait);
        }
        for key in keys {
            self.count(key, now);
        }
        Ok(())
    }

    /// The try was right: the account's are forgotten. Of the source's only this one is, or whoever has an account of
    /// his own could go on with those of others.
    pub(crate) fn succeeded(&mut self, account: &str, source: IpAddr) {
        let [account, source] = keys(account, source);
        self.tries.remove(&account);
        if let Some(tries) = self.tries.get_mut(&source) {
            tries.wrong = tries.wrong.saturating_sub(1);
        }
    }

    /// The try could not be judged, and is none.
    pub(crate) fn unjudged(&mut self, account: &str, source: IpAddr) {
        for key in keys(account, source) {
            if let Some(tries) = self.tries.get_mut(&key) {
                tries.wrong = tries.wrong.saturating_sub(1);
            }
        }
    }

    fn wait(&self, key: &Key, now: Timestamp) -> SignedDuration {
        let Some(tries) = self.tries.get(key).filter(|tries| tries.is_fresh(now)) else {
            return SignedDuration::ZERO;
        };
        let most = match key {
            Key::Account(_) | Key::Endless => MOST_OF_ACCOUNT,
            Key::Source(_) => MOST_OF_SOURCE,
        };
        let Some(over) = tries.wrong.checked_sub(FREE) else { return SignedDuration::ZERO };
        let wait = SignedDuration::from_secs(1_i64.checked_shl(over).unwrap_or(i64::MAX).max(1)).min(most);
        (wait - now.duration_since(tries.last)).max(SignedDuration::ZERO)
    }

    fn count(&mut self, key: Key, now: Timestamp) {
        if self.tries.len() >= ENTRIES_MAX && !self.tries.contains_key(&key) {
            self.forget(now);
        }
        let tries = self.tries.entry(key).or_insert(Tries { wrong: 0, last: now });
        if !tries.is_fresh(now) {
            tries.wrong = 0;
        }
        *tries = Tries { wrong: tries.wrong.saturating_add(1), last: now };
    }

    /// Makes room: what is over, or else the oldest.
    fn forget(&mut self, now: Timestamp) {
        self.tries.retain(|_, tries| tries.is_fresh(now));
        let oldest = self.tries.iter().min_by_key(|(_, tries)| tries.last).map(|(key, _)| key.clone());
        if let Some(key) = oldest.filter(|_| self.tries.len() >= ENTRIES_MAX) {
            self.tries.remove(&key);
        }
    }
}

impl Tries {
    fn is_fresh(&self, now: Timestamp) -> bool {
        now.duration_since(self.last) < MEMORY
    }
}

/// One source of IPv6 is a /64, of which everybody has a whole one.
fn keys(account: &str, source: IpAddr) -> [Key; 2] {
    let source = match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    };
    let account = if account.len() > NAME_MAX { Key::Endless } else { Key::Account(account.to_owned()) };
    [account, Key::Source(source)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_wrong_try_more_doubles_the_wait_and_a_right_one_ends_it() {
        let mut throttle = Throttle::default();
        for _ in 0..FREE {
            throttle.attempt("a", SOURCE, at(0)).unwrap();
        }
        assert_eq!(throttle.attempt("a", SOURCE, at(0)), Err(SignedDuration::from_secs(1)));
        throttle.attempt("a", SOURCE, at(1)).unwrap();
        assert_eq!(throttle.attempt("a", SOURCE, at(2)), Err(SignedDuration::from_secs(1)));
        throttle.attempt("a", SOURCE, at(3)).unwrap();
        throttle.succeeded("a", SOURCE);
        throttle.attempt("a", source(1), at(3)).unwrap();
    }

    #[test]
    fn a_try_that_could_not_be_judged_is_none_and_forgives_no_other() {
        let mut throttle = Throttle::default();
        for _ in 0..FREE {
            throttle.attempt("a", SOURCE, at(0)).unwrap();
            throttle.unjudged("a", SOURCE);
            throttle.attempt("a", SOURCE, at(0)).unwrap();
        }
        assert!(throttle.attempt("a", SOURCE, at(0)).is_err());
    }

    #[test]
    fn an_account_of_one_s_own_does_not_buy_tries_at_others() {
        let mut throttle = Throttle::default();
        for number in 0..FREE {
            throttle.attempt(&number.to_string(), SOURCE, at(0)).unwrap();
            if let Ok(()) = throttle.attempt("own", SOURCE, at(0)) {
                throttle.succeeded("own", SOURCE);
            }
        }
        assert!(throttle.attempt("another", SOURCE, at(0)).is_err());
        let mut honest = Throttle::default();
        for _ in 0..100 {
            honest.attempt("own", SOURCE, at(0)).unwrap();
            honest.succeeded("own", SOURCE);
        }
    }

    #[test]
    fn an_account_waits_whatever_the_source_and_a_source_whatever_the_account() {
        let mut throttle = Throttle::default();
        for number in 0..FREE {
            throttle.attempt("a", source(number), at(0)).unwrap();
        }
        assert!(throttle.attempt("a", source(99), at(0)).is_err());
        let mut throttle = Throttle::default();
        for number in 0..FREE {
            throttle.attempt(&number.to_string(), SOURCE, at(0)).unwrap();
        }
        assert!(throttle.attempt("another", SOURCE, at(0)).is_err());
        let [near, far] = ["2001:db8::1", "2001:db8::2"].map(|text| keys("", text.parse().unwrap()));
        assert_eq!(near, far, "neighbours in a /64 are one source");
    }

    #[test]
    fn the_longest_wait_is_bounded_and_all_is_forgotten_in_the_end() {
        let mut throttle = Throttle::default();
        let mut now = 0;
        for _ in 0..40 {
            while let Err(wait) = throttle.attempt("a", SOURCE, at(now)) {
                assert!(wait <= MOST_OF_SOURCE);
                now += wait.as_secs();
            }
        }
        let elsewhere = throttle.attempt("a", source(1), at(now)).unwrap_err();
        assert_eq!(elsewhere, MOST_OF_ACCOUNT, "nobody is locked out for longer");
        throttle.attempt("a", SOURCE, at(now + 3600)).unwrap();
    }

    #[test]
    fn memory_is_bounded() {
        let mut throttle = Throttle::default();
        for number in 0..10_000 {
            throttle.attempt(&number.to_string(), source(number), at(number.into())).unwrap();
        }
        assert!(throttle.tries.len() <= ENTRIES_MAX);
        let mut throttle = Throttle::default();
        for number in 0..FREE {
            let account = format!("{number}{}", "x".repeat(4 << 20));
            throttle.attempt(&account, source(number), at(0)).unwrap();
        }
        assert!(throttle.attempt(&"y".repeat(NAME_MAX + 1), source(99), at(0)).is_err());
        let held = |key: &Key| if let Key::Account(account) = key { account.capacity() } else { 0 };
        assert_eq!(throttle.tries.keys().map(held).sum::<usize>(), 0, "nothing of what is no name is kept");
    }
}
