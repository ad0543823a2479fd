//! A list of identities as CSV, JSON or JSON lines: every row is read, and what is wrong with one is said with its place.
//!
//! Which it is shows in its first byte: JSON begins with `[`, JSON lines with `{`, and no CSV with our header does.

use profile::Identity;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    keys::{self, Once},
    spreadsheet::unquoted,
    store::Binding,
};

/// The columns of the CSV, and the keys of an object in JSON.
const COLUMNS: [&str; 4] = ["identity", "oui", "product_class", "serial"];
/// Characters of a text. (H-27)
const TEXT_MAX: usize = 64;

/// A row that could not be taken, or that contradicts what is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(crate) struct RowError {
    /// `line 3` of a CSV or of JSON lines, `item 2` of a JSON list.
    pub(crate) place: String,
    /// Whose row it is, where that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<String>,
    /// What is wrong, and what would be right.
    pub(crate) message: String,
}

/// A row that can be admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) place: String,
    pub(crate) identity: Identity,
    pub(crate) binding: Binding,
}

/// One row as it was written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    identity: String,
    #[serde(deserialize_with = "text")]
    oui: String,
    #[serde(deserialize_with = "text")]
    product_class: String,
    #[serde(deserialize_with = "text")]
    serial: String,
}

/// An export has null where a CSV has an empty column.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Why a row cannot be admitted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdmissionError {
    /// The identity is none.
    #[error("`identity` is <EUI>.<realm> such as 00005e005301.hnb.example: {0}")]
    Identity(#[from] profile::IdentityError),
    /// As an export has a device that is not admitted.
    #[error(
        "`oui`, `product_class` and `serial` are empty, as an export has a device that is not admitted: leave the row out, or say as what to admit it"
    )]
    Unbound,
    /// The OUI has another form. (I-05)
    #[error("`oui` is six hexadecimal digits such as 00005E")]
    Oui,
    /// A text is empty or too long. (H-27)
    #[error(
        "`product_class` and `serial` have at most {TEXT_MAX} characters, `serial` at least one, and no control characters"
    )]
    Text,
    /// The vendor uses another OUI than the EUI's, and the operator does not want that. (I-05)
    #[error("`oui` is {oui}, and the identity begins with {eui}; admission.oui_mismatch refuses that")]
    OuiMismatch {
        /// What the row says.
        oui: String,
        /// What the identity says.
        eui: String,
    },
}

/// Checks who shall be admitted as what.
pub(crate) fn check(
    identity: &str,
    oui: &str,
    product_class: &str,
    serial: &str,
) -> Result<(Identity, Binding), AdmissionError> {
    let identity = Identity::parse(identity)?;
    if [oui, product_class, serial].iter().all(|text| text.is_empty()) {
        return Err(AdmissionError::Unbound);
    }
    if oui.len() != 6 || !oui.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(AdmissionError::Oui);
    }
    let is_text = |text: &str| text.chars().count() <= TEXT_MAX && !text.chars().any(char::is_control);
    if !is_text(product_class) || !is_text(serial) || serial.is_empty() {
        return Err(AdmissionError::Text);
    }
    let binding = Binding {
        oui: oui.to_ascii_uppercase(),
        product_class: product_class.to_owned(),
        serial: serial.to_owned(),
    };
    Ok((identity, binding))
}

/// A row that is good, or what is wrong with it.
pub(crate) type Outcome = Result<Row, RowError>;

/// Reads a list row by row: a million of them never stand in memory at once.
pub(crate) fn read(text: &[u8]) -> Box<dyn Iterator<Item = Outcome> + Send + '_> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let lines = match first {
        None => Box::new(std::iter::once(empty())),
        Some(b'[') => read_json(text),
        Some(b'{') => read_lines(text),
        Some(_) => read_csv(text),
    };
    Box::new(lines.map(|(place, line)| match line.and_then(|line| take(&place, line)) {
        Ok(row) => Ok(row),
        Err((identity, message)) => Err(RowError { place, identity, message }),
    }))
}

/// It may be meant as either.
fn empty() -> Placed {
    let columns = COLUMNS.join(",");
    let message = format!(
        "is empty: a list is CSV that begins with {columns}, or JSON: a list of objects with the same, or one a line"
    );
    ("the document".to_owned(), Err((None, message)))
}

/// A line and where it stands; an error comes with the identity where it could be read.
type Placed = (String, Result<Line, (Option<String>, String)>);

/// Every line of a list.
type Lines<'t> = Box<dyn Iterator<Item = Placed> + Send + 't>;

fn take(place: &str, line: Line) -> Result<Row, (Option<String>, String)> {
    let (identity, binding) = check(&line.identity, &line.oui, &line.product_class, &line.serial)
        .map_err(|error| (Some(line.identity.chars().take(TEXT_MAX).collect()), error.to_string()))?;
    Ok(Row { place: place.to_owned(), identity, binding })
}

fn read_csv(text: &[u8]) -> Lines<'_> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(_) => return Box::new(std::iter::once(bad_header("is no text in UTF-8"))),
    };
    if COLUMNS.iter().any(|column| !header.iter().any(|name| name == *column)) {
        return Box::new(std::iter::once(bad_header("has not every column")));
    }
    Box::new(reader.into_records().enumerate().map(move |(index, record)| {
        let line = record.as_ref().ok().and_then(|record| line_of(text, record)).unwrap_or(index as u64 + 2);
        let read = record.map_err(|_| (None, "the row is no text in UTF-8".to_owned()));
        (format!("line {line}"), read.and_then(|record| columns(&header, &record)))
    }))
}

/// The line of a row; the reader's own count stands before the empty lines that it skips.
pub(crate) fn line_of(text: &[u8], record: &csv::StringRecord) -> Option<u64> {
    let position = record.position()?;
    let rest = text.get(usize::try_from(position.byte()).ok()?..)?;
    let skipped = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let skipped = skipped.fold(0, |lines, byte| lines + u64::from(*byte == b'\n'));
    Some(position.line() + skipped)
}

fn bad_header(what: &str) -> Placed {
    let message = format!("the first line {what}: it is {}", COLUMNS.join(","));
    ("line 1".to_owned(), Err((None, message)))
}

fn columns(header: &csv::StringRecord, record: &csv::StringRecord) -> Result<Line, (Option<String>, String)> {
    if record.len() != header.len() {
        let message = format!("the row has {} columns, and the header has {}", record.len(), header.len());
        return Err((record.get(0).map(|text| text.chars().take(TEXT_MAX).collect()), message));
    }
    let column = |name: &str| {
        let at = header.iter().position(|heading| heading == name);
        at.and_then(|at| record.get(at)).map(unquoted).unwrap_or_default().to_owned()
    };
    let [identity, oui, product_class, serial] = COLUMNS.map(column);
    Ok(Line { identity, oui, product_class, serial })
}

fn read_json(text: &[u8]) -> Lines<'_> {
    let once = serde_json::from_slice::<Once>(text);
    match once.and_then(|Once| serde_json::from_slice::<Vec<serde_json::Value>>(text)) {
        Ok(items) => {
            let items = items.into_iter().enumerate();
            Box::new(items.map(|(index, item)| placed(format!("item {}", index + 1), item)))
        }
        Err(error) => {
            let message = format!("is no JSON list of objects with {}: {error}", COLUMNS.join(", "));
            Box::new(std::iter::once(("the document".to_owned(), Err((None, message)))))
        }
    }
}

fn read_lines(text: &[u8]) -> Lines<'_> {
    Box::new(keys::lines(text).map(|(place, item)| match item {
        Ok(item) => placed(place, item),
        Err(error) => {
            let message = format!("a line is a JSON object with {}: {error}", COLUMNS.join(", "));
            (place, Err((None, message)))
        }
    }))
}

fn placed(place: String, item: serde_json::Value) -> Placed {
    let identity = item.get("identity").and_then(serde_json::Value::as_str);
    let identity = identity.map(|text| text.chars().take(TEXT_MAX).collect());
    let wrong = |error: serde_json::Error| {
        (identity, format!("an item is an object with {}, all texts: {error}", COLUMNS.join(", ")))
    };
    (place, serde_json::from_value(keys::asked(item, &COLUMNS)).map_err(wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(text: &[u8]) -> (Vec<Row>, Vec<RowError>) {
        let (rows, errors): (Vec<_>, Vec<_>) = read(text).partition(Result::is_ok);
        (rows.into_iter().flatten().collect(), errors.into_iter().filter_map(Result::err).collect())
    }

    fn outcome(text: &str) -> (Vec<String>, Vec<String>) {
        let (rows, errors) = sorted(text.as_bytes());
        let rows = rows.iter().map(|row| format!("{} {} {}", row.place, row.identity, row.binding)).collect();
        let errors = errors.iter().map(|error| format!("{}: {}", error.place, error.message)).collect();
        (rows, errors)
    }

    #[test]
    fn i12_i02_each_bad_row_of_a_csv_is_said_with_its_line_and_the_good_ones_are_taken() {
        let (rows, errors) = outcome(
            "oui,identity,serial,product_class\n\
             00005e,00005E005301.hnb.example,1,C\n\
             00005E,00-00-5e-00-53-02.hnb.example,2,C\n\
             00005E,00005e00530.hnb.example,3,C\n\
             \n\
             00-00-5E,00005e005304.hnb.example,4,C\n\
             00005E,00005e005305.hnb.example,,C\n\
             00005E,00005e005306.hnb.example\n\
             00005E, 00005efffe005301.hnb.example ,7,\"C, with comma\"\n",
        );
        assert_eq!(
            rows,
            [
                "line 2 00005e005301.hnb.example 00005E/C/1",
                "line 9 00005efffe005301.hnb.example 00005E/C, with comma/7"
            ]
        );
        let places: Vec<&str> = errors.iter().map(|error| error.split(':').next().unwrap()).collect();
        assert_eq!(places, ["line 3", "line 4", "line 6", "line 7", "line 8"], "{errors:#?}");
        assert!(errors[0].contains("12 or 16") && errors[0].contains("such as 00005e005301"), "{errors:#?}");
        assert!(errors[4].contains("2 columns, and the header has 4"), "{errors:#?}");
    }

    #[test]
    fn i12_what_an_export_quoted_is_read_as_it_was() {
        let (rows, _) =
            outcome("identity,oui,product_class,serial\n00005e005301.hnb.example,00005E,'-C,'=1\n");
        assert_eq!(rows, ["line 2 00005e005301.hnb.example 00005E/-C/=1"]);
    }

    #[test]
    fn i12_json_lines_are_read_with_what_an_export_has_beside() {
        let (rows, errors) = outcome(
            "{\"identity\": \"00005e005301.hnb.example\", \"state\": \"late\", \"oui\": \"00005E\", \
             \"product_class\": \"C\", \"serial\": \"1\", \"tags\": []}\n\n\
             {\"identity\": \"00005e005302.hnb.example\", \"oui\": null, \"product_class\": null, \"serial\": null}\n\
             {\"identity\": \"00005e005303.hnb.example\", \"colour\": 1}\n{\n",
        );
        assert_eq!(rows, ["line 1 00005e005301.hnb.example 00005E/C/1"]);
        for (error, says) in
            errors.iter().zip(["line 3: `oui`", "line 4: ", "line 5: a line is a JSON object"])
        {
            assert!(error.starts_with(says), "{errors:#?}");
        }
        assert!(errors[0].contains("not admitted") && errors[1].contains("colour"), "{errors:#?}");
    }

    #[test]
    fn i12_an_empty_list_is_said_to_be_empty_whatever_it_was_meant_to_be() {
        for text in ["", " \n"] {
            let (rows, errors) = outcome(text);
            assert!(rows.is_empty() && errors[0].starts_with("the document: is empty"), "{errors:?}");
        }
        assert_eq!(outcome("[]"), (vec![], vec![]));
    }

    #[test]
    fn i12_each_bad_item_of_a_json_list_is_said_with_its_number() {
        let (rows, errors) = outcome(
            r#" [{"identity": "00005e005301.hnb.example", "oui": "00005E", "product_class": "", "serial": "1"},
                 {"identity": "nobody", "oui": "00005E", "product_class": "C", "serial": "2"},
                 {"identity": "00005e005303.hnb.example", "oui": "00005E", "serial": "3"},
                 {"identity": "00005e005304.hnb.example", "oui": 94, "product_class": "C", "serial": "4"},
                 {"identity": "00005e005305.hnb.example", "oui": "00005E", "product_class": "C", "serial": "5", "x": 1},
                 "00005e005306.hnb.example"]"#,
        );
        assert_eq!(rows, ["item 1 00005e005301.hnb.example 00005E//1"]);
        let places: Vec<&str> = errors.iter().map(|error| error.split(':').next().unwrap()).collect();
        assert_eq!(places, ["item 2", "item 3", "item 4", "item 5", "item 6"], "{errors:#?}");
    }

    #[test]
    fn what_is_no_list_is_one_error_that_says_what_would_be() {
        for (text, says) in [
            ("{}", "identity, oui, product_class, serial"),
            ("[{", "JSON list"),
            ("identity,oui\n1,2\n", "identity,oui,product_class,serial"),
            ("", "identity,oui,product_class,serial"),
            ("00005e005301.hnb.example,00005E,C,1\n", "identity,oui,product_class,serial"),
        ] {
            let (rows, errors) = outcome(text);
            assert_eq!((rows.len(), errors.len()), (0, 1), "{text} {errors:?}");
            assert!(errors[0].contains(says), "{errors:?}");
        }
        let (rows, errors) = sorted(b"identity,oui,product_class,serial\n\xff\xfe,00005E,C,1\n");
        assert!(rows.is_empty() && errors[0].place == "line 2", "{errors:?}");
    }
}
