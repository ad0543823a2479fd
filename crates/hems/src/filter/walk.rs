//! Which index answers a filter, or why none does.
//!
//! A page walks along one index and looks at each device it meets, a bounded number of them. So the walk decides the
//! cost, and the rest of the filter only what is shown:
//!
//! ```text
//!  tag = "lab" AND suite = "x"     walk tag's index at "lab", show those with the suite
//!  serial : "47" OR site = "n"     two walks, one after the other; what the first met the second passes over
//!  suite = "x"                     refused: no index, every device would have to be read
//! ```

use super::{Field, Filter, Term, Test};

/// Walks of one filter: more than people write, few enough to plan at once.
const WALKS_MAX: usize = 24;

/// Along which comparison's index a walk goes; nothing is along all devices by identity.
pub(crate) type Walk = Option<Term>;

/// Why no index answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unindexed {
    #[error(
        "`{term}` alone would read every device; add AND with what an index answers: {}",
        Field::names(|field| field.index().is_some())
    )]
    Scan { term: String },
    #[error("a filter is answered by at most {WALKS_MAX} indexes, and each side of an OR needs its own")]
    TooMany,
}

impl Filter {
    /// The walks that together meet every device for which the filter holds.
    pub(crate) fn walks(&self) -> Result<Vec<Walk>, Unindexed> {
        if *self == Self::default() {
            return Ok(vec![None]);
        }
        let terms = self.indexed().map_err(|term| Unindexed::Scan { term })?;
        if terms.len() > WALKS_MAX {
            return Err(Unindexed::TooMany);
        }
        Ok(terms.into_iter().cloned().map(Some).collect())
    }

    /// The comparisons to walk along, or the part that has none.
    fn indexed(&self) -> Result<Vec<&Term>, String> {
        match self {
            Self::Term(term) if term.rank().is_some() => Ok(vec![term]),
            Self::Any(parts) => {
                let terms: Result<Vec<_>, _> = parts.iter().map(Self::indexed).collect();
                Ok(terms?.concat())
            }
            Self::All(parts) => {
                let choices = parts.iter().filter_map(|part| part.indexed().ok());
                choices.min_by_key(|terms| cost(terms)).ok_or_else(|| self.to_string())
            }
            Self::Term(_) | Self::Not(_) => Err(self.to_string()),
        }
    }
}

/// The walk that meets most devices says what a set of walks costs.
fn cost(terms: &[&Term]) -> (u8, usize) {
    (terms.iter().filter_map(|term| term.rank()).max().unwrap_or(u8::MAX), terms.len())
}

impl Term {
    /// How few devices its index leaves; nothing where it has none.
    fn rank(&self) -> Option<u8> {
        self.question.field().index().filter(|_| self.test != Test::IsNot)
    }
}
