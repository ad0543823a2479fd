//! Pools: ranges of numbers that cells draw from, so that no two get the same.
//!
//! A draw is durable and for ever: a cell keeps its number until an operator takes it away. Which values are
//! free is the store's to say; a pool is only its range.

use serde::{Deserialize, Serialize};

/// The highest value of a pool: cell identities have 28 bits, anything longer is no radio number.
const VALUE_MAX: i64 = (1 << 28) - 1;

/// A range of numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pool {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// Why a range is no pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PoolError {
    /// Nothing to draw.
    #[error("`first` is greater than `last`")]
    Empty,
    /// Beyond what a radio number can be.
    #[error("a pool holds numbers from 0 to {VALUE_MAX}")]
    Bounds,
}

impl Pool {
    /// Checks a range that somebody typed.
    pub(crate) fn check(self) -> Result<Self, PoolError> {
        match self {
            Self { first, last } if first > last => Err(PoolError::Empty),
            Self { first, last } if first < 0 || last > VALUE_MAX => Err(PoolError::Bounds),
            pool => Ok(pool),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_a_range_of_radio_numbers() {
        assert!(Pool { first: 0, last: 503 }.check().is_ok());
        assert_eq!(Pool { first: 5, last: 4 }.check(), Err(PoolError::Empty));
        assert_eq!(Pool { first: -1, last: 4 }.check(), Err(PoolError::Bounds));
        assert_eq!(Pool { first: 0, last: 1 << 28 }.check(), Err(PoolError::Bounds));
    }
}
