//! The audit log: two lines for each change, one before it begins and one when it is over, in a chain of hashes.
//!
//! Whoever alters, removes or reorders a line breaks the chain at a place that can be named; whoever has the store may
//! write it anew from there, which a copy of any later hash, kept elsewhere, shows. Pure: lines in, lines out.
//!
//! ```text
//!  {"number":1,…,"previous":""} ─ SHA-256 ─▶ h1
//!  {"number":2,…,"previous":"h1"} ─ SHA-256 ─▶ h2 …         exported: the line with "hash":"h2" as its last member
//! ```

use std::net::IpAddr;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::secret::hash;

/// Characters of a text in the log: a path with a query.
const TEXT_MAX: usize = 512;

/// What is noted of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    /// The request, as its answer names it.
    pub(crate) request: String,
    pub(crate) who: String,
    /// By what that is known.
    pub(crate) proof: String,
    pub(crate) source: IpAddr,
    pub(crate) operation: &'static str,
    /// On what.
    pub(crate) target: String,
    /// The status of the answer; nothing before it began.
    pub(crate) status: Option<u16>,
}

/// A line of the log. The order of the fields is the order in the line.
#[derive(Serialize, JsonSchema)]
struct Line<'e> {
    number: i64,
    at: String,
    event: &'static str,
    request: &'e str,
    who: &'e str,
    proof: &'e str,
    source: String,
    operation: &'static str,
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    previous: &'e str,
}

/// A line as it is exported: as it was written, with its hash.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct AuditLine(Value);

impl JsonSchema for AuditLine {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AuditLine".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Exported::json_schema(generator)
    }
}

impl std::fmt::Display for AuditLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "it says what the text of a stored line holds")]
struct Exported<'e> {
    #[serde(flatten)]
    line: Line<'e>,
    hash: String,
}

/// A chain as far as it was followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditChain {
    number: i64,
    hash: String,
}

/// Where a chain is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number} {what}")]
pub struct AuditBreak {
    /// The number that the line has, or should have.
    pub number: i64,
    /// What is wrong with it.
    pub what: &'static str,
}

/// What a chain looks at.
#[derive(Deserialize)]
struct Link {
    number: i64,
    previous: String,
}

impl Event {
    /// The next line of a chain with its hash, and the chain goes on from there.
    pub(crate) fn append(&self, chain: &mut AuditChain) -> (String, String) {
        let line = Line {
            number: chain.number + 1,
            at: self.at.to_string(),
            event: if self.status.is_some() { "closed" } else { "opened" },
            request: &self.request,
            who: &self.who,
            proof: &self.proof,
            source: self.source.to_string(),
            operation: self.operation,
            target: harmless(&self.target),
            status: self.status,
            previous: &chain.hash,
        };
        // Nothing in it has keys that are no strings, so it cannot fail.
        let text = serde_json::to_string(&line).unwrap_or_default();
        *chain = AuditChain { number: line.number, hash: hash(&text) };
        (text, chain.hash.clone())
    }
}

/// What a caller wrote, bounded, and without what a database might not keep as it is.
fn harmless(text: &str) -> String {
    text.chars().take(TEXT_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl AuditChain {
    /// A chain that ends here.
    pub(crate) fn at(number: i64, hash: String) -> Self {
        Self { number, hash }
    }

    /// The number of the last line; 0 where there is none.
    #[must_use]
    pub fn number(&self) -> i64 {
        self.number
    }

    /// The hash of the last line.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Goes on after a part that is not at hand: the next line may have any number.
    ///
    /// # Errors
    /// No line, or one without a hash.
    pub fn start_at(line: &str) -> Result<Self, AuditBreak> {
        let unreadable = AuditBreak { number: 1, what: "is no line of an audit log" };
        let link: Link = serde_json::from_str(line).map_err(|_| unreadable)?;
        Ok(Self { number: link.number - 1, hash: link.previous })
    }

    /// Follows a line as it is exported.
    ///
    /// # Errors
    /// It is not the next one, or not what was written.
    pub fn follow(&mut self, exported: &str) -> Result<(), AuditBreak> {
        let unreadable = AuditBreak { number: self.number + 1, what: "cannot be read" };
        let Ok(Value::Object(mut members)) = serde_json::from_str(exported) else { return Err(unreadable) };
        // What stands behind must stay in its order.
        let Some(Value::String(hash)) = members.shift_remove("hash") else { return Err(unreadable) };
        self.follow_stored(&Value::Object(members).to_string(), &hash)
    }

    /// Follows a line as it is stored.
    pub(crate) fn follow_stored(&mut self, line: &str, stored: &str) -> Result<(), AuditBreak> {
        let next = self.number + 1;
        let broken = |number, what| Err(AuditBreak { number, what });
        let Ok(link) = serde_json::from_str::<Link>(line) else { return broken(next, "cannot be read") };
        if link.number > next {
            return broken(next, "is missing");
        }
        if link.number < next {
            return broken(next, "has the number of an earlier one");
        }
        if hash(line) != stored {
            return broken(next, "was changed after it was written");
        }
        if link.previous != self.hash {
            return broken(next, "does not follow the one before: that one was replaced, or this one");
        }
        *self = Self { number: next, hash: stored.to_owned() };
        Ok(())
    }
}

/// A stored line as it is exported.
pub(crate) fn exported(line: &str, hash: &str) -> AuditLine {
    let mut value: Value = serde_json::from_str(line).unwrap_or_else(|_| line.into());
    if let Some(members) = value.as_object_mut() {
        members.insert("hash".to_owned(), hash.into());
    }
    AuditLine(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<String> {
        let mut chain = AuditChain::default();
        let lines = (0..5).map(|number| {
            let event = Event {
                at: Timestamp::UNIX_EPOCH,
                request: format!("{number:016x}"),
                who: "ann".to_owned(),
                proof: "login".to_owned(),
                source: "::1".parse().unwrap(),
                operation: "put-template",
                target: "/api/v1/templates/\u{0}\"a\"".to_owned(),
                status: (number % 2 == 1).then_some(200),
            };
            let (line, hash) = event.append(&mut chain);
            exported(&line, &hash).to_string()
        });
        lines.collect()
    }

    fn follow(lines: &[String]) -> Result<i64, AuditBreak> {
        let mut chain = AuditChain::default();
        lines.iter().try_for_each(|line| chain.follow(line))?;
        Ok(chain.number())
    }

    #[test]
    fn o12_a_whole_chain_is_followed_and_each_kind_of_break_is_named() {
        let whole = lines();
        assert_eq!(follow(&whole), Ok(5));
        let broken = |alter: &dyn Fn(&mut Vec<String>)| {
            let mut lines = whole.clone();
            alter(&mut lines);
            follow(&lines).unwrap_err().to_string()
        };
        let changed = broken(&|lines| lines[2] = lines[2].replace("ann", "bob"));
        assert_eq!(changed, "line 3 was changed after it was written");
        let added = broken(&|lines| lines[2] = lines[2].replace("{", "{\"more\":1,"));
        assert_eq!(added, "line 3 was changed after it was written");
        assert_eq!(broken(&|lines| drop(lines.remove(1))), "line 2 is missing");
        assert_eq!(broken(&|lines| lines.swap(1, 2)), "line 2 is missing");
        assert_eq!(
            broken(&|lines| lines.insert(2, lines[1].clone())),
            "line 3 has the number of an earlier one"
        );
        assert_eq!(broken(&|lines| lines[4].clear()), "line 5 cannot be read");
        let forged = broken(&|lines| {
            let line = lines[1].replace("ann", "bob");
            let mut value: Value = serde_json::from_str(&line).unwrap();
            value.as_object_mut().unwrap().shift_remove("hash");
            let text = value.to_string();
            lines[1] = exported(&text, &hash(&text)).to_string();
        });
        assert!(forged.starts_with("line 3 does not follow the one before"), "{forged}");
    }

    #[test]
    fn a_part_of_a_chain_can_be_followed_from_where_it_begins() {
        let part = &lines()[2..];
        let mut chain = AuditChain::start_at(&part[0]).unwrap();
        part.iter().try_for_each(|line| chain.follow(line)).unwrap();
        assert_eq!(chain.number(), 5);
    }
}
