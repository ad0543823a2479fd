//! A radio stack's configuration file with placeholders for parameters.
//!
//! ```text
//!   mcc = ${Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.1.PLMNID | chars 1-3}
//!          └─ a parameter of the data model                                     └─ filters, from left to right
//! ```
//!
//! Filters: `first` (the first item of a list), `chars A-B` and `chars A-` (characters, counted from 1), `div N`, `mod N`,
//! `hex` (of numbers that are not negative), `or TEXT` (where nothing is there). All but `or` leave an empty value empty.
//!
//! What a value becomes is up to the file's [`Format`]: it stands for itself and for nothing else, or it is refused. A
//! template that names what the data model does not know, or a place where no value can stand, is found when it is read.

use cwmp::{FaultCode, SetParameterValuesFault};
use datamodel::{Model, Path};

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines `key = value` in sections, and no quoting at all: srsRAN's `enb.conf`, INI files.
    Conf,
    /// JSON: a text within double quotes, or a number or boolean without.
    Json,
    /// Lines `KEY=value` as systemd's EnvironmentFile and shells read them: a text within double quotes, or a plain word.
    Env,
}

impl Format {
    /// All of them with the words of the configuration.
    pub const ALL: [(&str, Self); 3] = [("conf", Self::Conf), ("json", Self::Json), ("env", Self::Env)];

    /// The value as it stands in the file, or what would be right.
    fn write(self, value: &str, is_quoted: bool) -> Result<String, &'static str> {
        match (self, is_quoted) {
            (Self::Conf, _) if is_plain_line(value) => Ok(value.to_owned()),
            (Self::Conf, _) => Err("one line without '#' and ';', and without spaces around it, is right"),
            (Self::Json, true) => Ok(json_text(value)),
            (Self::Json, false) if is_json_word(value) => Ok(value.to_owned()),
            (Self::Json, false) => Err("a number, true or false is right"),
            (Self::Env, true) => env_text(value).ok_or("one line without control characters is right"),
            (Self::Env, false) if value.bytes().all(is_plain) => Ok(value.to_owned()),
            (Self::Env, false) => Err("letters, digits and any of _ . : , / @ + - are right"),
        }
    }

    /// Whether a placeholder may stand behind this beginning of its line, and is within double quotes there.
    fn place(self, before: &str) -> Result<bool, &'static str> {
        let is_value = before.contains('=');
        match self {
            Self::Conf if !is_value => Err("a placeholder stands right of a '='"),
            Self::Env if !is_value => Err("a placeholder stands right of a '='"),
            Self::Env if before.contains('\'') => {
                Err("a placeholder stands within double quotes or without any")
            }
            Self::Conf | Self::Json | Self::Env => Ok(is_within_quotes(before)),
        }
    }
}

fn is_plain_line(value: &str) -> bool {
    let ends = value.trim() == value;
    ends && !value.contains(['#', ';']) && !value.chars().any(breaks_line)
}

/// Control characters, and what Unicode takes for a new line.
fn breaks_line(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

fn json_text(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
}

fn is_json_word(value: &str) -> bool {
    let parsed = serde_json::from_str::<serde_json::Value>(value);
    parsed.is_ok_and(|word| word.is_number() || word.is_boolean()) && value.trim() == value
}

fn env_text(value: &str) -> Option<String> {
    let escape = |character: char| {
        let backslash = matches!(character, '"' | '\\' | '$' | '`').then_some('\\');
        backslash.into_iter().chain([character])
    };
    (!value.chars().any(breaks_line)).then(|| value.chars().flat_map(escape).collect())
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.:,/@+-".contains(&byte)
}

/// No format here has texts that go on over the end of a line.
fn is_within_quotes(before: &str) -> bool {
    let mut is_within = false;
    let mut characters = before.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if is_within => {
                characters.next();
            }
            '"' => is_within = !is_within,
            _ => {}
        }
    }
    is_within
}

/// A template that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    format: Format,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value { path: Path, filters: Vec<Filter>, is_quoted: bool },
}

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text}")]
pub struct TemplateError {
    /// Counting from 1.
    pub line: usize,
    /// What, and what would be right.
    pub text: String,
}

impl Template {
    /// Reads a template whose placeholders are parameters of this model.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, format: Format, model: &Model) -> Result<Self, Vec<TemplateError>> {
        let (mut pieces, mut errors) = (Vec::new(), Vec::new());
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let outcome = read_line(line, format, model, &mut pieces);
            errors.extend(outcome.err().map(|text| TemplateError { line: number + 1, text }));
        }
        if errors.is_empty() { Ok(Self { format, pieces }) } else { Err(errors) }
    }

    /// The file with these values.
    ///
    /// # Errors
    /// One detail (9007) for each value that cannot stand in such a file.
    pub fn render(&self, value: impl Fn(&Path) -> String) -> Result<String, Vec<SetParameterValuesFault>> {
        let (mut file, mut bad) = (String::new(), Vec::new());
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => file.push_str(text),
                Piece::Value { path, filters, is_quoted } => {
                    let filtered = filters.iter().try_fold(value(path), |value, filter| filter.apply(value));
                    match filtered.and_then(|value| self.format.write(&value, *is_quoted)) {
                        Ok(text) => file.push_str(&text),
                        Err(right) => bad.push(refusal(path, right)),
                    }
                }
            }
        }
        if bad.is_empty() { Ok(file) } else { Err(bad) }
    }
}

fn refusal(path: &Path, right: &str) -> SetParameterValuesFault {
    SetParameterValuesFault {
        parameter_name: path.to_string().into(),
        fault_code: FaultCode::INVALID_PARAMETER_VALUE,
        fault_string: format!("the radio's configuration cannot have this value: {right}").into(),
    }
}

fn read_line(line: &str, format: Format, model: &Model, pieces: &mut Vec<Piece>) -> Result<(), String> {
    let mut rest = line;
    while let Some((text, tail)) = rest.split_once("${") {
        let before = line.get(..line.len() - tail.len() - 2).unwrap_or_default();
        let (inner, after) = tail.split_once('}').ok_or("a '}' is missing behind \"${\"")?;
        let is_quoted = format.place(before)?;
        pieces.push(Piece::Text(text.to_owned()));
        pieces.push(read_placeholder(inner, is_quoted, model)?);
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(())
}

fn read_placeholder(inner: &str, is_quoted: bool, model: &Model) -> Result<Piece, String> {
    let mut parts = inner.split('|').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let path = Path::parse(name).map_err(|error| format!("\"{name}\": {error}"))?;
    if path.is_schema() || model.parameter(&path).is_none() {
        return Err(format!("\"{name}\" is no parameter of the data model"));
    }
    let filters = parts.map(Filter::parse).collect::<Result<_, _>>()?;
    Ok(Piece::Value { path, filters, is_quoted })
}

/// What becomes of a value before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    First,
    Chars { first: usize, last: Option<usize> },
    Div(u64),
    Mod(u64),
    Hex,
    Or(String),
}

impl Filter {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, argument) = text.split_once(' ').unwrap_or((text, ""));
        let argument = argument.trim();
        let number = || argument.parse().ok().filter(|number| *number > 0);
        let known = match name {
            "first" if argument.is_empty() => Some(Self::First),
            "hex" if argument.is_empty() => Some(Self::Hex),
            "chars" => read_range(argument),
            "div" => number().map(Self::Div),
            "mod" => number().map(Self::Mod),
            "or" => Some(Self::Or(argument.to_owned())),
            _ => None,
        };
        let right = "first, hex, chars A-B, chars A-, div N, mod N or or TEXT is right";
        known.ok_or_else(|| format!("\"{text}\" is no filter: {right}"))
    }

    fn apply(&self, value: String) -> Result<String, &'static str> {
        let number = || value.parse::<u64>().map_err(|_| "a whole number from 0 is right");
        match self {
            Self::Or(text) if value.is_empty() => Ok(text.clone()),
            _ if value.is_empty() => Ok(value),
            Self::Or(_) => Ok(value),
            Self::First => Ok(value.split(',').next().unwrap_or_default().to_owned()),
            Self::Chars { first, last } => {
                let most = last.map_or(usize::MAX, |last| last.saturating_sub(*first).saturating_add(1));
                Ok(value.chars().skip(first.saturating_sub(1)).take(most).collect())
            }
            Self::Div(by) => Ok(number()?.checked_div(*by).unwrap_or_default().to_string()),
            Self::Mod(by) => Ok(number()?.checked_rem(*by).unwrap_or_default().to_string()),
            Self::Hex => Ok(format!("{:x}", number()?)),
        }
    }
}

fn read_range(text: &str) -> Option<Filter> {
    let (first, last) = text.split_once('-')?;
    let first = first.parse().ok().filter(|first| *first > 0)?;
    let last = if last.is_empty() { None } else { Some(last.parse().ok().filter(|last| *last >= first)?) };
    Some(Filter::Chars { first, last })
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
