//! What a vendor's side tells and nobody may believe: said once for each path, for whoever wrote it.
//!
//! ```text
//!   a path for the first time ─▶ WARN      again, or one too many ─▶ debug
//! ```

use std::collections::BTreeSet;

/// Most paths that are said aloud: who has so much wrong reads the first ones, and no log is flooded.
const MOST_PATHS: usize = 64;

/// Longest path that is kept, which is longer than any of a model; a longer one is cut.
const PATH_CHARACTERS: usize = 256;

/// The paths that were said.
#[derive(Debug, Default)]
pub(super) struct Nonsense(BTreeSet<String>);

impl Nonsense {
    /// Says what is wrong with a path, aloud where that is news.
    pub(super) fn hear(&mut self, path: &str, what: &str) {
        let path: String = path.chars().take(PATH_CHARACTERS).collect();
        if self.is_news(&path) {
            tracing::warn!(path, "{what}: it is passed over, and not said again");
        } else {
            tracing::debug!(path, "{what}");
        }
    }

    fn is_news(&mut self, path: &str) -> bool {
        self.0.len() < MOST_PATHS && self.0.insert(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_news_once_and_of_too_many_none() {
        let mut nonsense = Nonsense::default();
        let paths: Vec<String> = (0..MOST_PATHS).map(|number| format!("Device.X{number}")).collect();
        for path in &paths {
            assert!(nonsense.is_news(path) && !nonsense.is_news(path), "{path}");
        }
        assert!(!nonsense.is_news("Device.OneMore"));
        nonsense.hear(&"x".repeat(1 << 20), "too long");
        assert_eq!(nonsense.0.len(), MOST_PATHS);
    }
}
