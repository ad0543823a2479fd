//! One thing for people: what is simple as a line each, then a table of each list in it.
//!
//! ```text
//!  {"id": 7, "site": {"name": "north"}, "calls": [{"method": "Reboot"}]}
//!
//!  id         7
//!  site.name  north
//!
//!  calls
//!  METHOD
//!  Reboot
//! ```

use serde_json::{Map, Value};

use super::{NARROW, broken, cell, harmless, said};

/// What a thing says of itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sheet<'v> {
    /// What is simple: its name, and how it is shown.
    lines: Vec<(String, String)>,
    /// Lists of things, with their names.
    pub(super) parts: Vec<(String, &'v [Value])>,
}

impl<'v> Sheet<'v> {
    pub(super) fn of(thing: &'v Map<String, Value>) -> Self {
        let mut sheet = Self::default();
        sheet.take("", thing);
        sheet
    }

    fn take(&mut self, before: &str, thing: &'v Map<String, Value>) {
        for (key, value) in thing {
            let name = format!("{before}{}", harmless(key));
            match value {
                Value::Object(inner) if !inner.is_empty() => self.take(&format!("{name}."), inner),
                Value::Array(items) if items.iter().any(Value::is_object) => self.parts.push((name, items)),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)
                | Value::Object(_) => {
                    // A path names a parameter: its value is the cell's, and not ours to say yes to.
                    let shown = if key.contains('.') { said(value) } else { cell(Some(value)) };
                    self.lines.push((name, shown));
                }
            }
        }
    }

    /// What is simple, aligned; long text goes on below where the terminal ends.
    pub(super) fn text(&self, room: usize) -> String {
        let width = self.lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let room = room.saturating_sub(width + 2).max(NARROW);
        let below = format!("\n{:width$}  ", "");
        let line = |(name, value): &(String, String)| {
            format!("{name:<width$}  {}\n", broken(value, room).join(&below))
        };
        self.lines.iter().map(line).collect()
    }
}

/// The columns of a list whose rows nobody described: every key in the order in which it comes first.
pub(super) fn columns(rows: &[Value]) -> Vec<(String, &str)> {
    let mut columns: Vec<(String, &str)> = Vec::new();
    for key in rows.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if columns.iter().all(|(_, known)| known != key) {
            columns.push((harmless(key).to_uppercase().replace('_', " "), key));
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_thing_is_lines_and_the_lists_in_it_are_parts() {
        let thing = json!({"id": 7, "place": {"site": "north", "tags": ["a", "b"]}, "gone_at": null,
            "calls": [{"method": "Reboot"}, {"method": "Download", "sent_at": "noon"}], "steps": []});
        let sheet = Sheet::of(thing.as_object().unwrap());
        let expected = "id          7\nplace.site  north\nplace.tags  a, b\ngone_at     -\nsteps       -\n";
        assert_eq!(sheet.text(usize::MAX), expected);
        let (name, rows) = &sheet.parts[0];
        assert_eq!((name.as_str(), sheet.parts.len()), ("calls", 1));
        assert_eq!(columns(rows), [("METHOD".to_owned(), "method"), ("SENT AT".to_owned(), "sent_at")]);
    }

    #[test]
    fn the_value_of_a_parameter_is_shown_as_it_is() {
        let thing = json!({"is_new": true, "values": {"Device.Time.Enable": true}});
        let expected = "is_new                     yes\nvalues.Device.Time.Enable  true\n";
        assert_eq!(Sheet::of(thing.as_object().unwrap()).text(usize::MAX), expected);
    }

    #[test]
    fn long_text_goes_on_below() {
        let thing = json!({"why": format!("{} end", "word ".repeat(8).trim_end()), "one": "x".repeat(50)});
        let sheet = Sheet::of(thing.as_object().unwrap());
        let expected =
            format!("why  word word word word word word\n     word word end\none  {}\n", "x".repeat(50));
        assert_eq!(sheet.text(35), expected);
    }

    #[test]
    fn a_name_that_a_peer_chose_cannot_move_the_cursor() {
        let thing = json!({"a\u{1b}[2J": 1});
        assert_eq!(Sheet::of(thing.as_object().unwrap()).text(usize::MAX), "a\\u{1b}[2J  1\n");
    }
}
