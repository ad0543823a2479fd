//! Values that are worked out for each device: expressions in CEL, which read and never do. (decision 14)
//!
//! An expression sees what a selector may ask for, and the numbers that it names in `draws`. It has no clock, no
//! randomness and nothing of what the device reports, so that what is desired does not move by itself.
//!
//! ```text
//!  {"expression": "'cell-' + labels.rack + '-' + string(pool.pci)", "draws": ["pci"]}
//! ```

use std::{
    collections::{BTreeMap, HashMap},
    thread,
};

use cel::{Context, ExecutionError, Program, Value};
use serde::{Deserialize, Serialize};

use super::Subject;

/// Bytes of an expression: longer is a program, and belongs into one.
const BYTES_MAX: usize = 1024;
/// Brackets within brackets: the parser goes one call deeper for each.
const DEPTH_MAX: usize = 32;
/// Bytes of the stack on which one is read and worked out. Each bracket within brackets takes the parser through every
/// rule of the grammar, up to 200 KB of it, and each operator goes one call deeper; only what is used is ever there.
const STACK_BYTES: usize = 64 << 20;
/// Words that go through a list. With 64 tags and labels each, two of them are some thousand turns.
const LOOPS_MAX: usize = 2;
/// The words that go through a list.
const LOOPS: [&str; 5] = ["all", "exists", "exists_one", "map", "filter"];
/// What an expression can ask for, beside `pool`.
const NAMES: [&str; 9] =
    ["identity", "eui", "realm", "oui", "product_class", "serial", "site", "tags", "labels"];

/// What stands in a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expression {
    pub(crate) expression: String,
    /// The pools that it draws from, as `pool.NAME` or `pool["NAME"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) draws: Vec<String>,
}

/// Why an expression gives no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExpressionError {
    #[error(
        "an expression has at most {BYTES_MAX} bytes, {DEPTH_MAX} brackets within brackets and {LOOPS_MAX} loops"
    )]
    Bounds,
    #[error("the expression cannot be read: {0}")]
    Syntax(String),
    #[error("the expression asks for `{0}`; there is {names} and pool", names = NAMES.join(", "))]
    Name(String),
    #[error(
        "the expression fails: the device has no label `{0}`; ask first, as in `has(labels.{0}) ? labels.{0} : ''`"
    )]
    Label(String),
    #[error("the expression fails: {0}")]
    Fails(String),
    #[error("the expression gives {0}, which is no text, number or boolean")]
    Kind(String),
    #[error("{0}")]
    Value(String),
}

impl Expression {
    /// Whether it can be read at all.
    pub(crate) fn check(&self) -> Result<(), ExpressionError> {
        on_its_own_stack(|| self.program().map(drop))
    }

    /// Its value for a device, with the numbers that were drawn for it.
    pub(crate) fn value(
        &self,
        subject: &Subject,
        draws: &BTreeMap<String, i64>,
    ) -> Result<String, ExpressionError> {
        on_its_own_stack(|| self.worked_out(subject, draws))
    }

    fn worked_out(
        &self,
        subject: &Subject,
        draws: &BTreeMap<String, i64>,
    ) -> Result<String, ExpressionError> {
        let value = self.program()?.execute(&self.context(subject, draws));
        #[expect(clippy::wildcard_enum_match_arm, reason = "a parameter holds a text, a number or a boolean")]
        match value.map_err(|error| self.failed(&error))? {
            Value::String(text) => Ok(text.to_string()),
            Value::Bool(boolean) => Ok(boolean.to_string()),
            Value::Int(number) => Ok(number.to_string()),
            Value::UInt(number) => Ok(number.to_string()),
            other => Err(ExpressionError::Kind(other.type_of().to_string())),
        }
    }

    fn failed(&self, error: &ExecutionError) -> ExpressionError {
        if let ExecutionError::NoSuchKey(name) = error
            && self.expression.contains(&format!("labels.{name}"))
        {
            return ExpressionError::Label(name.to_string());
        }
        ExpressionError::Fails(error.to_string())
    }

    fn program(&self) -> Result<Program, ExpressionError> {
        let text = self.expression.as_str();
        if text.len() > BYTES_MAX || depth(text) > DEPTH_MAX || loops(text) > LOOPS_MAX {
            return Err(ExpressionError::Bounds);
        }
        let one_line = |text: String| text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let program =
            Program::compile(text).map_err(|error| ExpressionError::Syntax(one_line(error.to_string())))?;
        let is_known = |name: &&str| NAMES.contains(name) || *name == "pool" || name.starts_with('@');
        let references = program.references();
        // The variable of a loop is its own; a name that is none of ours fails when it is evaluated.
        match references.variables().into_iter().find(|name| !is_known(name) && loops(text) == 0) {
            Some(name) => Err(ExpressionError::Name(name.to_owned())),
            None => Ok(program),
        }
    }

    fn context(&self, subject: &Subject, draws: &BTreeMap<String, i64>) -> Context<'static, 'static> {
        let (binding, place) = (&subject.binding, &subject.place);
        let identity = subject.identity.as_str();
        let mut context = Context::default();
        let texts = [
            identity,
            identity.split('.').next().unwrap_or_default(),
            subject.identity.realm(),
            &binding.oui,
            &binding.product_class,
            &binding.serial,
            place.site.as_deref().unwrap_or_default(),
        ];
        for (name, text) in NAMES.into_iter().zip(texts) {
            context.add_variable_from_value(name, text);
        }
        context.add_variable_from_value("tags", place.tags.iter().cloned().collect::<Vec<String>>());
        let labels: HashMap<String, String> =
            place.labels.iter().map(|(name, text)| (name.clone(), text.clone())).collect();
        context.add_variable_from_value("labels", labels);
        let named = draws.iter().filter(|(pool, _)| self.draws.contains(pool));
        let pools: HashMap<String, i64> = named.map(|(pool, value)| (pool.clone(), *value)).collect();
        context.add_variable_from_value("pool", pools);
        context
    }
}

/// Runs what goes as deep as an expression is written, beside the stack of whoever asks.
fn on_its_own_stack<T: Send>(
    work: impl FnOnce() -> Result<T, ExpressionError> + Send,
) -> Result<T, ExpressionError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| ExpressionError::Fails(error.to_string()))?;
        thread.join().unwrap_or_else(|_| Err(ExpressionError::Fails("the evaluator gave up".to_owned())))
    })
}

/// How deep brackets and unary signs nest, at most; those in a text count too, and do no harm.
fn depth(text: &str) -> usize {
    let (mut now, mut most, mut signs) = (0_usize, 0, 0_usize);
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => now += 1,
            ')' | ']' | '}' => now = now.saturating_sub(1),
            '!' | '-' | '?' => signs += 1,
            _ => {}
        }
        most = most.max(now + signs / 2);
    }
    most
}

/// How many words go through a list.
fn loops(text: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let called = text.split('(').map(str::trim_end);
    let word = |before: &str| before.rsplit(|c| !is_word(c)).next().is_some_and(|word| LOOPS.contains(&word));
    called.filter(|before| word(before)).count()
}

#[cfg(test)]
mod tests {
    use profile::Identity;

    use super::*;
    use crate::store::Binding;

    fn subject() -> Subject {
        Subject {
            identity: Identity::parse("00005e005301.hnb.example").unwrap(),
            binding: Binding { oui: "00005E".into(), product_class: "C".into(), serial: "17".into() },
            place: serde_json::from_str(r#"{"site": "North", "tags": ["lab"], "labels": {"rack": "7"}}"#)
                .unwrap(),
            has_served: false,
        }
    }

    fn value(text: &str) -> Result<String, String> {
        let subject = subject();
        let expression = Expression { expression: text.to_owned(), draws: vec!["pci".to_owned()] };
        let draws = BTreeMap::from([("pci".to_owned(), 11), ("other".to_owned(), 1)]);
        expression
            .check()
            .and_then(|()| expression.value(&subject, &draws))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_expression_sees_the_device_and_what_it_draws() {
        for (text, expected) in [
            ("'cell-' + labels.rack", "cell-7"),
            ("pool.pci * 8 % 838", "88"),
            ("site == 'North' && 'lab' in tags", "true"),
            ("eui + '/' + realm + '/' + identity", "00005e005301/hnb.example/00005e005301.hnb.example"),
            ("'rack' in labels ? int(labels.rack) + int(serial) : 0", "24"),
            ("tags.exists(tag, tag.startsWith('l')) ? oui : product_class", "00005E"),
        ] {
            assert_eq!(value(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_page_of_changes_names_the_functions_that_there_are() {
        let page = include_str!("../../../../docs/operate/changes.md");
        let line = page.lines().find(|line| line.starts_with("The functions are ")).unwrap();
        for (name, text, expected) in [
            ("has", "has(labels.row) ? labels.row : 'none'", "none"),
            ("size", "size(site) + tags.size()", "6"),
            ("contains", "site.contains('ort')", "true"),
            ("startsWith", "site.startsWith('N')", "true"),
            ("endsWith", "site.endsWith('th')", "true"),
            ("string", "string(7)", "7"),
            ("int", "int('7') + 1", "8"),
            ("uint", "uint(7)", "7"),
            ("double", "int(double('2.5') * 2.0)", "5"),
            ("bool", "bool('true')", "true"),
            ("all", "tags.all(tag, tag == 'lab')", "true"),
            ("exists", "tags.exists(tag, tag == 'lab')", "true"),
            ("exists_one", "tags.exists_one(tag, tag == 'lab')", "true"),
            ("map", "tags.map(tag, tag + '1')[0]", "lab1"),
            ("filter", "size(tags.filter(tag, tag != 'lab'))", "0"),
        ] {
            assert_eq!(value(text).as_deref(), Ok(expected), "{text}");
            assert!(line.contains(&format!("`{name}`")), "{name} is not on the page");
        }
        for (name, text) in [
            ("matches", "site.matches('N.*')"),
            ("duration", "duration('1s')"),
            ("timestamp", "timestamp('2026-11-23T10:00:00Z')"),
            ("replace", "site.replace('N', 'S')"),
            ("lowerAscii", "site.lowerAscii()"),
            ("substring", "site.substring(1)"),
        ] {
            assert!(value(text).is_err() && page.contains(&format!("`{name}`")), "{text}: {:?}", value(text));
        }
    }

    #[test]
    fn what_is_wrong_with_an_expression_is_said() {
        for (text, expected) in [
            ("colour + 1", "asks for `colour`; there is identity,"),
            ("1 +", "cannot be read"),
            ("labels.row", "fails: the device has no label `row`; ask first, as in `has(labels.row) ? "),
            ("labels['row']", "fails"),
            ("pool.other", "fails"),
            ("pool.pci / 0", "fails"),
            ("9223372036854775807 + 1", "fails"),
            ("labels", "gives map"),
            ("now()", "fails"),
        ] {
            let message = value(text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn s12_the_deepest_expression_within_the_bounds_harms_no_stack() {
        let nested = |open: &str, inner: &str, close: &str| {
            format!("{}{inner}{}", open.repeat(DEPTH_MAX), close.repeat(DEPTH_MAX))
        };
        let sum = format!("1{}", "+1".repeat(BYTES_MAX / 2 - 1));
        let both = nested("(", &format!("1{}", "+1".repeat(400)), ")");
        let inside = thread::Builder::new().stack_size(512 << 10).spawn(move || {
            assert_eq!(value(&nested("(", "1", ")")).as_deref(), Ok("1"));
            assert_eq!(value(&sum), Ok((BYTES_MAX / 2).to_string()));
            assert_eq!(value(&both).as_deref(), Ok("401"));
            assert!(value(&nested("-(", "1", ")")).unwrap_err().contains("at most"));
            for deep in [nested("[", "1", "]"), nested("{1:", "1", "}"), nested("labels[", "1", "]")] {
                assert!(value(&deep).is_err(), "{deep}");
            }
            let chains = ["labels", ".a", "1", "<1", "true", "||true", "true", "?1:true", "site", ".size()"];
            for pair in chains.chunks(2) {
                let times = (BYTES_MAX - pair[0].len()) / pair[1].len();
                let _ = value(&format!("{}{}", pair[0], pair[1].repeat(times)));
            }
        });
        inside.unwrap().join().unwrap();
    }

    #[test]
    fn s12_an_expression_is_bounded() {
        let nested = format!("{}1{}", "(".repeat(DEPTH_MAX + 1), ")".repeat(DEPTH_MAX + 1));
        let long = format!("'{}'", "x".repeat(BYTES_MAX));
        let loops = "tags.all(a, tags.all(b, tags.all (c, true)))";
        for text in [nested.as_str(), &long, loops, &"!".repeat(200), &format!("{}1", "- ".repeat(200))] {
            assert!(value(text).unwrap_err().starts_with("an expression has at most"), "{text}");
        }
    }
}
