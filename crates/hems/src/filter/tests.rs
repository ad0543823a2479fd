//! What a filter means, what it refuses, and along which index a page goes.

use std::collections::BTreeMap;

use super::*;

/// A device for tests: a text per field, times as numbers.
struct Cell(BTreeMap<&'static str, Vec<&'static str>>);

fn cell() -> Cell {
    Cell(BTreeMap::from([
        ("identity", vec!["00005e005301.hnb.example"]),
        ("oui", vec!["00005E"]),
        ("serial", vec!["4711"]),
        ("site", vec!["North 3"]),
        ("tag", vec!["lab", "indoor"]),
        ("label.rack", vec!["7"]),
        ("in_service", vec!["true"]),
        ("last_inform", vec!["1000000"]),
    ]))
}

impl Cell {
    fn of(&self, field: &Field) -> Vec<&str> {
        self.0.get(field.to_string().as_str()).into_iter().flatten().copied().collect()
    }
}

impl Facts for Cell {
    fn texts(&self, field: Text) -> Vec<&str> {
        self.of(&Field::Text(field))
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.of(&Field::Label(name.to_owned())).pop()
    }

    fn flag(&self, field: Flag) -> Option<bool> {
        self.of(&Field::Flag(field)).pop()?.parse().ok()
    }

    fn time(&self, field: Moment) -> Option<i64> {
        self.of(&Field::Time(field)).pop()?.parse().ok()
    }

    fn state(&self, _: Timestamp) -> Option<State> {
        Some(State::InService)
    }
}

fn holds(text: &str) -> bool {
    let now = Timestamp::from_millisecond(2_000_000).unwrap();
    Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).holds(&cell(), now)
}

#[test]
fn o01_a_filter_holds_or_not() {
    for (text, expected) in [
        ("", true),
        ("identity = 00005E005301.HNB.example", true),
        ("identity=\"00005e005301.hnb.example\"", true),
        ("oui = 00005e AND serial = \"4711\"", true),
        ("serial = \"4712\" OR serial = 4711", true),
        ("serial = '4711' AND site='North 3'", true),
        ("site = 'say \"no\"' OR NOT'a \\'b\\''", true),
        ("'north 3'", true),
        ("site = O'Brien", false),
        ("serial : 47", true),
        ("serial:47", true),
        ("serial : 471111", false),
        ("NOT serial = 4711", false),
        ("serial != 4711", false),
        ("site != south", true),
        ("suite != x", true),
        ("suite = x", false),
        ("tag = lab and tag = INDOOR", true),
        ("tag = outdoor", false),
        ("label.rack = 7", true),
        ("label.row = 7", false),
        ("in_service = true", true),
        ("in_service = false", false),
        ("op_state = true", false),
        ("op_state = false", false),
        ("state = in_service", true),
        ("state != in_service", false),
        ("last_inform < now", true),
        ("last_inform < now-16m", true),
        ("last_inform < now-17m", false),
        ("last_inform >= 1970-01-01T00:16:40Z", true),
        ("last_inform > 1970-01-01T00:16:40Z", false),
        ("last_inform > 1970-01-01", true),
        ("first_seen < now", false),
        ("\"North\"", true),
        ("north AND NOT (serial = 4711 AND tag = lab)", false),
        ("south", false),
        ("tag = x OR tag = lab AND serial = 4711", true),
        ("(tag = x OR tag = lab) AND serial = 1", false),
    ] {
        assert_eq!(holds(text), expected, "{text}");
    }
}

#[test]
fn o01_a_text_that_is_no_filter_says_where_and_what_would_be_right() {
    for (text, expected) in [
        ("colour = red", "no field `colour` (at 1); it has identity"),
        ("site = ", "needs a value at 8, where `the end`"),
        ("site = \"x", "a second quote for the one at 8, where `\"x` stands"),
        ("tag = 'it''s", "AND, OR or the end at 11, where `'s` stands"),
        ("site = \u{df}\u{df} AND tag='x", "a second quote for the one at 19"),
        ("tag='x AND site = \"y\"", "a second quote for the one at 5, where `'x AND"),
        ("site = x site = y", "needs AND, OR or the end at 10"),
        ("(site = x", "needs `)` at 10"),
        ("site = x AND", "needs a field and a comparison, or a word to look for at 13"),
        ("site = x OR AND y", "where `AND y`"),
        ("site < x", "`site` cannot be compared by `<` (at 1); it knows = != and :"),
        ("tag : i", "`tag` cannot be compared by `:` (at 1); it knows = and !="),
        ("last_inform = now", "knows < <= > and >="),
        (
            "last_inform < yesterday",
            "`yesterday` is no value of `last_inform` (at 15); right is a time such as",
        ),
        ("last_inform < now-1y", "right is a time"),
        ("last_inform < now1d", "right is a time"),
        ("state = broken", "right is never, quarantined"),
        ("in_service = yes", "right is true or false"),
    ] {
        let message = Filter::parse(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn o01_a_filter_has_bounds() {
    for text in [
        "x".repeat(4097),
        vec!["a"; 65].join(" AND "),
        format!("{}a{}", "(".repeat(17), ")".repeat(17)),
        format!("{}a", "NOT ".repeat(17)),
    ] {
        assert_eq!(Filter::parse(&text), Err(FilterError::TooMuch));
    }
    assert!(Filter::parse(&vec!["a"; 64].join(" OR ")).is_ok());
    assert!(Filter::parse(&format!("{}a{}", "(".repeat(15), ")".repeat(15))).is_ok());
}

#[test]
fn o01_a_filter_is_written_as_it_is_read() {
    for text in [
        "",
        "site = \"a \\\"b\\\" c\"",
        "(tag = \"a\" OR tag = \"b\") AND NOT serial : \"4\"",
        "last_inform < now-90s AND state != lost",
        "label.rack = \"7\" AND first_seen >= 2026-11-23T10:00:00Z",
        "NOT (site = \"x\" AND in_service = true)",
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.to_string(), text);
        assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
    }
}

fn walks(text: &str) -> Result<Vec<String>, String> {
    let name = |walk: Option<Term>| walk.map_or_else(|| "all".to_owned(), |term| term.to_string());
    let walks = Filter::parse(text).map(|filter| filter.walks()).map_err(|error| error.to_string())?;
    walks.map(|walks| walks.into_iter().map(name).collect()).map_err(|error| error.to_string())
}

#[test]
fn o01_a_page_walks_along_the_index_that_leaves_the_fewest() {
    for (text, expected) in [
        ("", vec!["all"]),
        ("suite = x AND tag = lab AND state = lost", vec!["tag = \"lab\""]),
        ("in_service = true AND serial = 1", vec!["serial = \"1\""]),
        ("tag = a OR tag = b", vec!["tag = \"a\"", "tag = \"b\""]),
        ("(tag = a OR suite = b) AND software = 2", vec!["software = \"2\""]),
        ("(tag = a OR serial = b) AND software = 2", vec!["tag = \"a\"", "serial = \"b\""]),
        ("word", vec!["identity : \"word\"", "serial : \"word\"", "site : \"word\""]),
    ] {
        assert_eq!(walks(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn o01_a_filter_that_would_read_every_device_is_refused_with_the_reason() {
    for text in ["suite = x", "NOT tag = lab", "tag != lab", "tag = lab OR suite = x", "admin_state = true"] {
        let message = walks(text).unwrap_err();
        assert!(message.contains("would read every device; add AND with"), "{text}: {message}");
    }
    assert!(walks(&vec!["tag = a"; 25].join(" OR ")).unwrap_err().contains("at most 24 indexes"));
}
