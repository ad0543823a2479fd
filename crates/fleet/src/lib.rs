//! Placeholder head, rewritten with the crate.
