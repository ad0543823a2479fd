//! From text to filter, with a message that says where and what would be right.

use super::{Field, Filter, Question, State, Term, Test, Text, When};

/// Characters of a filter: what people and scripts write is far shorter.
const CHARS_MAX: usize = 4096;
/// Parentheses and NOTs in one another.
const DEPTH_MAX: usize = 16;
/// Comparisons in one filter.
const TERMS_MAX: usize = 64;
/// Characters of what stands at the place of an error, for its message.
const SHOWN: usize = 24;

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterError {
    #[error("a filter has no field `{name}` (at {at}); it has {fields}")]
    Field { name: String, at: usize, fields: String },
    #[error("a filter needs {what} at {at}, where `{found}` stands; an example: {EXAMPLE}")]
    Needs { what: &'static str, found: String, at: usize },
    #[error("`{field}` cannot be compared by `{sign}` (at {at}); it knows {right}")]
    Test { field: String, sign: &'static str, at: usize, right: &'static str },
    #[error("`{value}` is no value of `{field}` (at {at}); right is {right}")]
    Value { field: String, value: String, at: usize, right: String },
    #[error("a filter has at most {CHARS_MAX} characters, {TERMS_MAX} comparisons and {DEPTH_MAX} levels")]
    TooMuch,
}

const EXAMPLE: &str = "site = \"north\" AND last_inform < now-1d";

/// Reads a filter.
pub(super) fn parse(text: &str) -> Result<Filter, FilterError> {
    if text.len() > CHARS_MAX {
        return Err(FilterError::TooMuch);
    }
    let mut reader = Reader { text, at: 0, depth: 0, terms: 0 };
    if reader.peek().is_none() {
        return Ok(Filter::default());
    }
    let filter = reader.any()?;
    match reader.peek() {
        None => Ok(filter),
        Some(_) => Err(reader.needs("AND, OR or the end")),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    terms: usize,
}

impl<'t> Reader<'t> {
    fn any(&mut self) -> Result<Filter, FilterError> {
        self.joined("OR", Self::all, Filter::Any)
    }

    fn all(&mut self) -> Result<Filter, FilterError> {
        self.joined("AND", Self::not, Filter::All)
    }

    fn joined(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Result<Filter, FilterError>,
        join: fn(Vec<Filter>) -> Filter,
    ) -> Result<Filter, FilterError> {
        let first = part(self)?;
        let mut parts = vec![first];
        while self.takes_word(word) {
            parts.push(part(self)?);
        }
        match parts.len() {
            1 => parts.pop().ok_or(FilterError::TooMuch),
            _ => Ok(join(parts)),
        }
    }

    fn not(&mut self) -> Result<Filter, FilterError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(FilterError::TooMuch);
        }
        let filter = if self.takes_word("NOT") {
            Filter::Not(Box::new(self.not()?))
        } else if self.takes('(') {
            let inner = self.any()?;
            if !self.takes(')') {
                return Err(self.needs("`)`"));
            }
            inner
        } else {
            self.term()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn term(&mut self) -> Result<Filter, FilterError> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(FilterError::TooMuch);
        }
        let at = self.place();
        let (word, is_quoted) = self.value("a field and a comparison, or a word to look for")?;
        let test = if is_quoted { None } else { self.test() };
        let Some(test) = test else {
            return Ok(named(&word));
        };
        let field = Field::find(&word).ok_or_else(|| FilterError::Field {
            name: shown(&word),
            at,
            fields: Field::names(|_| true),
        })?;
        allow(&field, test, at)?;
        let at = self.place();
        let (text, _) = self.value("a value")?;
        Ok(Filter::Term(Term { test, question: question(&field, &text, at)? }))
    }

    /// A word or a quoted text, and whether it was quoted.
    fn value(&mut self, what: &'static str) -> Result<(String, bool), FilterError> {
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            return self.quoted(quote).map(|text| (text, true));
        }
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || "()\"=!<>".contains(c)).unwrap_or(rest.len());
        // A colon parts field and value, but belongs to a time.
        let end = match rest.get(..end).and_then(|word| word.find(':')) {
            Some(colon) if rest.get(..colon).is_some_and(|name| Field::find(name).is_some()) => colon,
            _ => end,
        };
        let word = rest.get(..end).unwrap_or_default();
        if word.is_empty() || ["AND", "OR", "NOT"].iter().any(|other| word.eq_ignore_ascii_case(other)) {
            return Err(self.needs(what));
        }
        self.at += end;
        Ok((word.to_owned(), false))
    }

    /// What stands between this quote and the next one; the place stays at the first where there is none.
    fn quoted(&mut self, quote: char) -> Result<String, FilterError> {
        let mut text = String::new();
        let mut is_escaped = false;
        for (index, c) in self.rest().char_indices().skip(1) {
            match c {
                _ if is_escaped => {
                    text.push(c);
                    is_escaped = false;
                }
                '\\' => is_escaped = true,
                _ if c == quote => {
                    self.at += index + c.len_utf8();
                    return Ok(text);
                }
                _ => text.push(c),
            }
        }
        Err(self.needs("a second quote for the one"))
    }

    fn test(&mut self) -> Option<Test> {
        // The longer signs first.
        const TESTS: [Test; 7] =
            [Test::AtMost, Test::AtLeast, Test::IsNot, Test::Is, Test::Below, Test::Above, Test::Begins];
        let rest = self.rest();
        let test = TESTS.into_iter().find(|test| rest.starts_with(test.sign()))?;
        self.at += test.sign().len();
        Some(test)
    }

    fn takes(&mut self, c: char) -> bool {
        let is_next = self.peek() == Some(c);
        self.at += if is_next { c.len_utf8() } else { 0 };
        is_next
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let Some((head, tail)) = rest.split_at_checked(word.len()) else { return false };
        let ends = tail.chars().next().is_none_or(|c| c.is_whitespace() || "(\"'".contains(c));
        let is_next = head.eq_ignore_ascii_case(word) && ends;
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    fn peek(&mut self) -> Option<char> {
        self.rest().chars().next()
    }

    fn rest(&mut self) -> &'t str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    /// Where the next token stands, counted in characters from one.
    fn place(&mut self) -> usize {
        let _ = self.rest();
        self.text.get(..self.at).unwrap_or_default().chars().count() + 1
    }

    fn needs(&mut self, what: &'static str) -> FilterError {
        let at = self.place();
        let found = shown(self.rest());
        let found = if found.is_empty() { "the end".to_owned() } else { found };
        FilterError::Needs { what, found, at }
    }
}

/// What a word alone looks for.
fn named(word: &str) -> Filter {
    let question = |field| Question::Text(field, word.to_ascii_lowercase());
    let term = |field| Filter::Term(Term { test: Test::Begins, question: question(field) });
    Filter::Any([Text::Identity, Text::Serial, Text::Site].map(term).to_vec())
}

fn allow(field: &Field, test: Test, at: usize) -> Result<(), FilterError> {
    let right = match field {
        // A device may have several tags that begin alike, and would be met once for each.
        Field::Text(Text::Tag) | Field::Flag(_) | Field::State => "= and !=",
        Field::Text(_) | Field::Label(_) => "= != and :",
        Field::Time(_) => "< <= > and >=",
    };
    if right.split(' ').any(|sign| sign == test.sign()) {
        return Ok(());
    }
    Err(FilterError::Test { field: field.to_string(), sign: test.sign(), at, right })
}

fn question(field: &Field, text: &str, at: usize) -> Result<Question, FilterError> {
    let folded = text.to_ascii_lowercase();
    let (question, right) = match field {
        Field::Text(field) => (Some(Question::Text(*field, folded)), String::new()),
        Field::Label(name) => (Some(Question::Label(name.clone(), folded)), String::new()),
        Field::Flag(field) => {
            (text.parse().ok().map(|flag| Question::Flag(*field, flag)), "true or false".to_owned())
        }
        Field::State => (State::find(text).map(Question::State), State::names()),
        Field::Time(field) => {
            let right = "a time such as 2026-11-23T10:00:00Z, 2026-11-23 or now-1d";
            (when(text).map(|when| Question::Time(*field, when)), right.to_owned())
        }
    };
    let wrong = || FilterError::Value { field: field.to_string(), value: shown(text), at, right };
    question.ok_or_else(wrong)
}

/// A time, a day, or `now` with a number of s, m, h, d or w.
fn when(text: &str) -> Option<When> {
    if let Some(offset) = text.strip_prefix("now") {
        return from_now(offset).map(When::FromNow);
    }
    let day =
        || jiff::tz::TimeZone::UTC.to_timestamp(text.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0)).ok();
    text.parse().ok().or_else(day).map(When::At)
}

fn from_now(offset: &str) -> Option<i64> {
    if offset.is_empty() {
        return Some(0);
    }
    let (number, unit) = offset.split_at_checked(offset.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let is_signed = number.starts_with(['+', '-']);
    number.parse::<i64>().ok().filter(|_| is_signed)?.checked_mul(seconds)
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
