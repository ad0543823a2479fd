//! Rows under headings, as wide as they are or as the terminal lets them be.
//!
//! One rule: nothing is cut. A column for which the terminal has no room is left out whole, and named.

use serde_json::Value;

use super::cell;

/// Blanks between two columns.
const GAP: usize = 2;

/// A column: its heading, and the JSON key that it shows.
pub(crate) type Column = (&'static str, &'static str);

/// Lines of aligned columns under their headings; a word where there is none.
pub(crate) fn table(columns: &[Column], rows: &[Value]) -> String {
    fitted(columns, rows, usize::MAX).0
}

/// The same in a given room, and the headings that found none.
pub(super) fn fitted<'c>(columns: &[(&'c str, &str)], rows: &[Value], room: usize) -> (String, Vec<&'c str>) {
    if rows.is_empty() {
        return ("none\n".to_owned(), Vec::new());
    }
    let (mut lines, mut left_out, mut taken) = (vec![String::new(); rows.len() + 1], Vec::new(), 0);
    for (index, (heading, key)) in columns.iter().enumerate() {
        let cells = std::iter::once((*heading).to_owned()).chain(rows.iter().map(|row| cell(row.get(*key))));
        let cells: Vec<String> = cells.collect();
        let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or_default();
        let gap = if index == 0 { 0 } else { GAP };
        // The first column says which row it is.
        if index > 0 && taken + gap + width > room {
            left_out.push(*heading);
            continue;
        }
        taken += gap + width;
        for (line, cell) in lines.iter_mut().zip(cells) {
            *line += &format!("{:gap$}{cell:<width$}", "");
        }
    }
    let text = lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect();
    (text, left_out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_aligned_and_shows_the_unknown_as_a_dash() {
        let rows =
            [json!({"name": "long one", "count": 2, "is": true}), json!({"name": "b", "seconds": 1.26})];
        let text = table(&[("NAME", "name"), ("COUNT", "count"), ("IS", "is"), ("S", "seconds")], &rows);
        let expected =
            ["NAME      COUNT  IS   S", "long one  2      yes  -", "b         -      -    1.3", ""];
        assert_eq!(text, expected.join("\n"));
    }

    #[test]
    fn a_list_without_rows_says_so() {
        assert_eq!(table(&[("NAME", "name")], &[]), "none\n");
    }

    #[test]
    fn what_a_terminal_has_no_room_for_is_left_out_whole_and_named() {
        let identity = "00005e005301.hnb.example";
        let rows =
            [json!({"identity": identity, "suite": "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "tac": 4711})];
        let columns = [("IDENTITY", "identity"), ("SUITE", "suite"), ("TAC", "tac")];
        let (text, left_out) = fitted(&columns, &rows, 40);
        assert_eq!(left_out, ["SUITE"]);
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
        assert!(text.contains(identity) && text.contains("4711"), "{text}");
        let (text, _) = fitted(&columns, &rows, 8);
        assert!(text.contains(identity), "whose row it is stays: {text}");
    }
}
