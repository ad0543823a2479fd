//! What a reader of JSON or of a query says is wrong, in the words of who wrote it and not in those of this program.
//!
//! ```text
//!  invalid type: sequence, expected struct Template at line 1 column 0
//!                ╰ a list           ╰ an object     ╰ as it is
//! ```

/// What there is, as serde calls it and as people do.
const FOUND: [(&str, &str); 5] = [
    ("sequence", "a list"),
    ("map", "an object"),
    ("unit value", "null"),
    ("floating point ", "number "),
    ("string ", "text "),
];
/// What would be right, as serde calls it and as people do.
const RIGHT: [(&str, &str); 16] = [
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number from 0 on"),
    ("usize", "a whole number from 0 on"),
    ("i32", "a whole number from -2147483648 to 2147483647"),
    ("i64", "a whole number"),
    ("f64", "a number"),
    ("a string", "a text"),
    ("a borrowed string", "a text"),
    ("string", "a text"),
    ("a boolean", "true or false"),
    ("a map", "an object"),
    ("a sequence", "a list"),
    ("string or map", "a text or an object"),
    ("option", "a value or null"),
];
/// Whole messages of what reads numbers and the like in a query.
const WHOLE: [(&str, &str); 8] = [
    ("invalid digit found in string", "expected a whole number"),
    ("cannot parse integer from empty string", "expected a whole number, and it is empty"),
    ("number too large to fit in target type", "the number is too large"),
    ("number too small to fit in target type", "the number is too small"),
    ("provided string was not `true` or `false`", "expected true or false"),
    ("invalid float literal", "expected a number"),
    ("there are no fields", "and there are none"),
    ("there are no variants", "and there are none"),
];

/// The same in plain words; what is not known stays as it is.
pub(super) fn plain(message: &str) -> String {
    // The place comes last.
    let (text, place) = message.rfind(" at line ").map_or((message, ""), |at| message.split_at(at));
    if let Some((before, right)) = text.rsplit_once(", expected ") {
        return format!("{}, expected {}{place}", found(before), expected(right));
    }
    let whole = WHOLE.iter().find_map(|(theirs, ours)| Some(format!("{}{ours}", text.strip_suffix(theirs)?)));
    whole.unwrap_or_else(|| text.to_owned()) + place
}

fn found(text: &str) -> String {
    let Some((before, what)) = text.split_once("invalid type: ") else { return text.to_owned() };
    let known = FOUND.iter().find_map(|(theirs, ours)| Some(format!("{ours}{}", what.strip_prefix(theirs)?)));
    format!("{before}invalid type: {}", known.as_deref().unwrap_or(what))
}

fn expected(what: &str) -> &str {
    let known = RIGHT.iter().find(|(theirs, _)| *theirs == what).map(|(_, ours)| *ours);
    let form = match what.split(' ').next() {
        Some("struct") => Some("an object"),
        Some("tuple") => Some("a list"),
        _ => None,
    };
    known.or(form).unwrap_or(what)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::template::Wanted;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    fn json<T: for<'de> Deserialize<'de> + std::fmt::Debug>(text: &str) -> String {
        plain(&serde_json::from_str::<T>(text).unwrap_err().to_string())
    }

    #[test]
    fn no_word_of_this_program_stands_in_what_is_said_of_a_text() {
        for text in ["1.5", "null", "[1]"] {
            assert!(json::<Wanted>(text).starts_with("a value is a text, a whole number, true, false, {"));
        }
        assert_eq!(json::<Nothing>("5"), "invalid type: integer `5`, expected an object at line 1 column 1");
        assert_eq!(
            json::<u8>("256"),
            "invalid value: integer `256`, expected a whole number from 0 to 255 at line 1 column 3"
        );
        assert_eq!(
            json::<i32>("\"a\""),
            "invalid type: text \"a\", expected a whole number from -2147483648 to 2147483647 at line 1 column 3"
        );
        assert_eq!(json::<String>("[]"), "invalid type: a list, expected a text at line 1 column 0");
        assert_eq!(json::<Vec<u8>>("1.5"), "invalid type: number `1.5`, expected a list at line 1 column 3");
        assert_eq!(json::<bool>("null"), "invalid type: null, expected true or false at line 1 column 4");
        assert!(json::<Nothing>(r#"{"a": 1}"#).starts_with("unknown field `a`, and there are none"));
        for text in ["", "x", "-"] {
            let said = plain(&format!("after: {}", text.parse::<u32>().unwrap_err()));
            assert!(said.starts_with("after: expected a whole number"), "{said}");
        }
        assert_eq!(plain("unknown field `a`, expected `b` or `c`"), "unknown field `a`, expected `b` or `c`");
    }
}
