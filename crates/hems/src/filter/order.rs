//! In which order a list comes, where an index has that order.
//!
//! ```text
//!  -last_inform                          along last_inform's index, backwards; then who never called: without a
//!                                        value comes first, or last backwards
//!  last_inform, last_inform > now-1d     the same index, a part of it
//!  site, tag = "lab"                     refused: no index has the devices of a tag by their site
//! ```

use std::fmt;

use super::{Field, Filter, Moment, Term, Test, Text};

/// An order: by one field, then by identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) by: Sorted,
    pub(crate) is_descending: bool,
}

/// A field whose index gives an order of all devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sorted {
    Text(Text),
    Time(Moment),
}

/// Every field that a list may be ordered by.
pub(crate) const SORTED: [Sorted; 11] = [
    Sorted::Text(Text::Identity),
    Sorted::Text(Text::Serial),
    Sorted::Text(Text::Site),
    Sorted::Text(Text::Pci),
    Sorted::Text(Text::Tac),
    Sorted::Text(Text::Software),
    Sorted::Text(Text::ProductClass),
    Sorted::Text(Text::Oui),
    Sorted::Time(Moment::FirstSeen),
    Sorted::Time(Moment::LastInform),
    Sorted::Time(Moment::CertificateNotAfter),
];

/// Why a list cannot come in an order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OrderError {
    #[error("a list comes by one of {}, with - before it for the other way", names())]
    Field,
    #[error(
        "no index has the devices of `{filter}` by {by}: leave the filter out, or ask for {by} in it, such as \
         `{by} {sign} …`, and with AND for the rest"
    )]
    Unindexed { filter: String, by: Sorted, sign: &'static str },
}

fn names() -> String {
    SORTED.map(|by| by.to_string()).join(", ")
}

impl Order {
    /// Reads an order: a field, or `-` and a field.
    pub(crate) fn parse(text: &str) -> Result<Self, OrderError> {
        let (is_descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text),
        };
        let by = SORTED.into_iter().find(|by| by.to_string() == name).ok_or(OrderError::Field)?;
        Ok(Self { by, is_descending })
    }

    /// The comparison whose part of the index is walked; nothing where that is all of it.
    pub(crate) fn lead(&self, filter: &Filter) -> Result<Option<Term>, OrderError> {
        let refused = || OrderError::Unindexed {
            filter: filter.to_string(),
            by: self.by,
            sign: if matches!(self.by, Sorted::Time(_)) { ">" } else { ":" },
        };
        let leads = |term: &Term| term.question.field() == self.by.field() && term.test != Test::IsNot;
        match filter {
            filter if *filter == Filter::default() => Ok(None),
            Filter::Term(term) if leads(term) => Ok(Some(term.clone())),
            Filter::All(parts) => {
                let mut found = parts.iter().filter_map(|part| self.lead(part).ok().flatten());
                found.next().map(Some).ok_or_else(refused)
            }
            Filter::Term(_) | Filter::Any(_) | Filter::Not(_) => Err(refused()),
        }
    }
}

impl Sorted {
    /// Whether devices without a value of it are not in its order; a text that is not known is an empty one.
    pub(crate) fn may_lack(self) -> bool {
        matches!(self, Self::Time(Moment::LastInform | Moment::CertificateNotAfter))
    }

    fn field(self) -> Field {
        match self {
            Self::Text(text) => Field::Text(text),
            Self::Time(moment) => Field::Time(moment),
        }
    }
}

impl fmt::Display for Sorted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.field().fmt(f)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_descending { "-" } else { "" };
        write!(f, "{sign}{}", self.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o01_only_an_order_that_an_index_has_is_served() {
        let lead = |order: &str, filter: &str| {
            let lead = Order::parse(order)?.lead(&Filter::parse(filter).unwrap())?;
            Ok::<_, OrderError>(lead.map(|term| term.to_string()))
        };
        assert_eq!(lead("-last_inform", ""), Ok(None));
        assert_eq!(lead("site", "site : n AND tag = lab"), Ok(Some("site : \"n\"".to_owned())));
        assert_eq!(lead("colour", ""), Err(OrderError::Field));
        for filter in ["tag = lab", "site != n", "NOT site = n", "site = n OR site = m"] {
            let refused = lead("site", filter).unwrap_err().to_string();
            assert!(refused.contains("ask for site in it"), "{filter}: {refused}");
        }
        for by in SORTED {
            assert_eq!(Order::parse(&format!("-{by}")), Ok(Order { by, is_descending: true }));
        }
    }
}
