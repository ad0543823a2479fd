//! Paths that name several things, or a row by what its ACS called it. (TR-106 3.2.2, TR-069 3.6.1)
//!
//! ```text
//!   Device.A.*.B       every row of A          Device.A.[front].B    the row whose Alias is front
//!   Device.A.2.        row 2 and all below it
//! ```
//!
//! A pattern is parsed once; which paths it fits is asked of a [`Tree`], because only that knows rows and aliases.

use std::{fmt, str::FromStr};

use crate::{PATH_CHARACTERS, Path, PathError, Tree};

/// What may stand between two dots.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A name or an instance number.
    Name(String),
    /// Any instance number.
    Any,
    /// The row with that Alias.
    Alias(String),
}

/// A path with wildcards and aliases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    steps: Vec<Step>,
}

impl Pattern {
    /// Reads a pattern; a plain path is one too.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > PATH_CHARACTERS {
            return Err(PathError::TooLong);
        }
        let names = text.strip_suffix('.').unwrap_or(text).split('.').filter(|_| !text.is_empty());
        let steps = names.map(read_step).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), steps })
    }

    /// True for a plain path: it names one thing, whatever rows there are.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Name(_)))
    }

    /// True where `path` is one of those that are meant, or lies below one.
    fn fits(&self, path: &Path, tree: &Tree) -> bool {
        let is_object = self.text.is_empty() || self.text.ends_with('.');
        let mut names = path.as_str().split('.').filter(|name| !name.is_empty());
        let mut above = 0;
        for step in &self.steps {
            let Some(name) = names.next() else { return false };
            let row = above + name.len() + 1;
            let fits = match step {
                Step::Name(wanted) => wanted == name,
                Step::Any => name.bytes().all(|byte| byte.is_ascii_digit()),
                Step::Alias(wanted) => has_alias(tree, path.as_str().get(..row).unwrap_or_default(), wanted),
            };
            if !fits {
                return false;
            }
            above = row;
        }
        is_object || names.next().is_none()
    }
}

fn read_step(text: &str) -> Result<Step, PathError> {
    let alias = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match (text, alias) {
        ("*", _) => Ok(Step::Any),
        (_, Some("")) => Err(PathError::EmptySegment),
        (_, Some(alias)) => Ok(Step::Alias(alias.to_owned())),
        (name, None) => {
            Path::parse(name)?;
            if name.is_empty() { Err(PathError::EmptySegment) } else { Ok(Step::Name(name.to_owned())) }
        }
    }
}

fn has_alias(tree: &Tree, row: &str, wanted: &str) -> bool {
    Path::parse(&format!("{row}Alias")).is_ok_and(|path| tree.value(&path) == Some(wanted))
}

impl Tree {
    /// The parameters that a pattern means, in the order of their paths; none is no error.
    #[must_use]
    pub fn find(&self, pattern: &Pattern) -> Vec<Path> {
        self.parameters(|_| true).into_iter().filter(|path| pattern.fits(path, self)).collect()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Pattern {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;

    const PLMNS: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.";

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn c35_a_pattern_finds_rows_by_number_wildcard_and_alias() {
        let mut tree = Tree::new(Model::cell());
        assert_eq!(tree.put_row(&path("Device.Services.FAPService.")), Some(1));
        for alias in ["home", "guest", "cpe-3"] {
            let row = path(PLMNS).row(tree.put_row(&path(PLMNS)).unwrap());
            assert!(tree.put(&path(&format!("{row}Alias")), alias));
        }
        let find = |tail: &str| {
            let found = tree.find(&Pattern::parse(&format!("{PLMNS}{tail}")).unwrap());
            found.iter().map(|path| path.as_str().replace(PLMNS, "")).collect::<Vec<_>>()
        };
        assert_eq!(find("*.PLMNID"), ["1.PLMNID", "2.PLMNID", "3.PLMNID"]);
        assert_eq!(find("[guest].PLMNID"), ["2.PLMNID"]);
        assert_eq!(find("3.PLMNID"), ["3.PLMNID"]);
        assert_eq!(find("[guest].").len(), 5);
        assert_eq!(find("").len(), 15);
        assert!(find("[nobody].PLMNID").is_empty() && find("4.PLMNID").is_empty() && find("*").is_empty());
        let all = "Device.Services.FAPService.*.CellConfig.LTE.EPC.PLMNList.[home].Enable";
        assert_eq!(tree.find(&Pattern::parse(all).unwrap()), [path(&format!("{PLMNS}1.Enable"))]);
        assert_eq!(tree.find(&Pattern::parse("").unwrap()).len(), tree.parameters(|_| true).len());
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let check = |text: &str, expected| assert_eq!(Pattern::parse(text), Err(expected), "{text}");
        check("Device..X", PathError::EmptySegment);
        check("Device.[].X", PathError::EmptySegment);
        check("Device.*x.Y", PathError::Character);
        check("Device.01.Y", PathError::InstanceNumber);
        check(&"D".repeat(257), PathError::TooLong);
        assert!(Pattern::parse("Device.Time.").unwrap().is_plain());
        assert!(!Pattern::parse("Device.A.*.").unwrap().is_plain());
    }
}
