//! What only a finished model shows: a default that its type refuses, a reference into nothing, a circle of profiles.
//!
//! One rule: in anybody's own file a finding is an error, in a file that the Broadband Forum published it is a warning:
//! nobody here can mend that, and what the model says is clear all the same, for the reason that [`Rule::reason`] lists.

use std::collections::BTreeSet;

use super::draft::{Draft, Spot};
use crate::{Model, Parameter, Path};

/// What a model can break although each of its lines makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// A new thing has a new name.
    Twice,
    /// A new parameter says what it is.
    Syntax,
    /// A default is a value.
    Default,
    /// A reference leads to what is there.
    Reference,
    /// A profile asks for what is there.
    Profile,
    /// Nothing belongs to itself.
    Circle,
}

impl Rule {
    /// Why a published file is read nevertheless.
    pub(super) fn reason(self) -> Option<&'static str> {
        match self {
            Self::Default => Some("published so: a row starts with a neutral value in its place"),
            Self::Reference => Some("published so: nothing can be referred to there"),
            Self::Profile => Some("published so: the profile asks for the rest"),
            // No file of the Forum breaks these.
            Self::Twice | Self::Syntax | Self::Circle => None,
        }
    }
}

/// A rule that is broken, and where.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) at: Spot,
    pub(super) rule: Rule,
    pub(super) what: String,
}

/// What a profile says of the model.
pub(super) enum Said {
    Object(Path),
    Parameter(Path),
    /// The first one extends the second one.
    Profile(String, String),
}

impl Draft<'_> {
    pub(super) fn find(&mut self, at: Spot, rule: Rule, what: String) {
        self.findings.push(Finding { at, rule, what });
    }

    /// Holds what was said against what came of it.
    pub(super) fn check(&mut self) {
        let parameters = self.parameters.values().filter(|parameter| !parameter.is_gone);
        let mut found: Vec<Finding> = Vec::new();
        for entry in parameters {
            let parameter = &entry.thing;
            if !entry.is_typed {
                let what = format!("{}: no type: a <syntax> with one is right", parameter.path);
                found.push(Finding { at: entry.at, rule: Rule::Syntax, what });
            }
            found.extend(wrong_default(parameter).map(|what| Finding {
                at: entry.default_at,
                rule: Rule::Default,
                what,
            }));
            found.extend(self.wrong_references(parameter).into_iter().map(|what| Finding {
                at: entry.reference_at,
                rule: Rule::Reference,
                what,
            }));
        }
        found.extend(self.said.iter().filter_map(|(at, said)| self.wrong_profile(*at, said)));
        self.findings.extend(found);
    }

    fn wrong_references(&self, parameter: &Parameter) -> Vec<String> {
        let reference = parameter.syntax.item.reference.as_ref();
        let parents = reference.into_iter().flat_map(|reference| &reference.parents);
        let is_known = |parent: &str| self.is_there(parent) || is_standard(parent);
        let unknown = parents.filter(|parent| self.is_own(parent) && !is_known(parent));
        unknown.map(|parent| format!("{}: {parent} is nothing to refer to", parameter.path)).collect()
    }

    /// Of what lies outside of a service nothing is known here.
    fn is_own(&self, place: &str) -> bool {
        let tops = self.objects.keys().filter_map(|path| {
            let tail = path.as_str().strip_prefix(self.mount)?;
            Some(tail.split_inclusive('.').next().unwrap_or_default())
        });
        let tail = place.strip_prefix(self.mount);
        tail.is_some_and(|tail| tops.collect::<BTreeSet<_>>().iter().any(|top| tail.starts_with(top)))
    }

    fn is_there(&self, place: &str) -> bool {
        let known = |text: &str| {
            Path::parse(text)
                .is_ok_and(|path| self.objects.contains_key(&path) || self.parameters.contains_key(&path))
        };
        known(place) || known(&format!("{place}{{i}}.")) || known(&format!("{place}."))
    }

    fn wrong_profile(&self, at: Spot, said: &Said) -> Option<Finding> {
        let (rule, what) = match said {
            Said::Object(path) if !self.is_own(path.as_str()) || self.is_there(path.as_str()) => return None,
            Said::Parameter(path) if self.parameters.contains_key(path) => return None,
            Said::Object(path) | Said::Parameter(path) => {
                (Rule::Profile, format!("the profile asks for {path}, and that is not there"))
            }
            Said::Profile(name, base) if !self.profiles.contains_key(base) => {
                (Rule::Profile, format!("there is no profile {base} for {name} to extend"))
            }
            Said::Profile(name, base) if self.leads(base, name) => {
                (Rule::Circle, format!("the profile {name} leads back to itself through {base}"))
            }
            Said::Profile(_, _) => return None,
        };
        Some(Finding { at, rule, what })
    }

    /// Whether one profile belongs to another, through whatever is between.
    fn leads(&self, from: &str, to: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut names = vec![from];
        while let Some(name) = names.pop() {
            if name == to {
                return true;
            }
            let profile = self.profiles.get(name).filter(|_| seen.insert(name));
            names.extend(profile.into_iter().flat_map(|profile| &profile.extends).map(String::as_str));
        }
        false
    }
}

/// A vendor's model need not extend the standard one to refer into it.
fn is_standard(place: &str) -> bool {
    let standard = Model::standard();
    Path::parse(place)
        .is_ok_and(|path| standard.definition(&path).is_some() || standard.table(&path).is_some())
}

fn wrong_default(parameter: &Parameter) -> Option<String> {
    let default = parameter.syntax.default.as_deref()?;
    let error = parameter.canonical(default).err()?;
    Some(format!("{}: the default {default:?} is no value of it: {error}", parameter.path))
}
