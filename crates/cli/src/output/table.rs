//! Rows under headings, as wide as they are or as the terminal lets them be.
//!
//! One rule: nothing is cut. A column for which the terminal has no room is left out whole, and named.

use serde_json::Value;

use super::{NARROW, broken, lines};

/// Blanks between two columns.
const GAP: usize = 2;

/// A column: its heading, and the JSON key that it shows.
pub(crate) type Column = (&'static str, &'static str);

/// Lines of aligned columns under their headings; a word where there is none.
pub(crate) fn table(columns: &[Column], rows: &[Value]) -> String {
    fitted(columns, rows, Room::of_a_list(usize::MAX)).0
}

/// How wide a table may be.
#[derive(Clone, Copy)]
pub(super) struct Room {
    columns: usize,
    /// Whether a column for which there is none is shown all the same.
    is_elastic: bool,
}

impl Room {
    /// Whose rows are looked up one by one for what is left out.
    pub(super) fn of_a_list(columns: usize) -> Self {
        Self { columns, is_elastic: false }
    }

    /// Which stands nowhere else.
    pub(super) fn of_a_part(columns: usize) -> Self {
        Self { columns, is_elastic: true }
    }
}

/// The same in a given room, and the headings that found none: long text goes on below before it is left out.
pub(super) fn fitted<'c>(columns: &[(&'c str, &str)], rows: &[Value], room: Room) -> (String, Vec<&'c str>) {
    if rows.is_empty() {
        return ("none\n".to_owned(), Vec::new());
    }
    let (mut taken, mut left_out) = (0, Vec::new());
    let mut columns_of_cells = Vec::new();
    for (index, (heading, key)) in columns.iter().enumerate() {
        let cells = rows.iter().map(|row| lines(row.get(*key)));
        let mut cells: Vec<_> = std::iter::once(vec![(*heading).to_owned()]).chain(cells).collect();
        let gap = if index == 0 { 0 } else { GAP };
        // The first column says which row it is.
        if index > 0 && taken + gap + width(&cells) > room.columns {
            let left = room.columns.saturating_sub(taken + gap).max(NARROW);
            cells = cells
                .iter()
                .map(|lines| lines.iter().flat_map(|line| broken(line, left)).collect())
                .collect();
            if taken + gap + width(&cells) > room.columns && !room.is_elastic {
                left_out.push(*heading);
                continue;
            }
        }
        let width = width(&cells);
        taken += gap + width;
        columns_of_cells.push((gap, width, cells));
    }
    let text = (0..=rows.len()).flat_map(|row| drawn(&columns_of_cells, row)).collect();
    (text, left_out)
}

fn width(cells: &[Vec<String>]) -> usize {
    cells.iter().flatten().map(|line| line.chars().count()).max().unwrap_or_default()
}

/// A row's lines: as many as its highest cell has.
fn drawn(columns: &[(usize, usize, Vec<Vec<String>>)], row: usize) -> Vec<String> {
    let cell = |cells: &'_ [Vec<String>], line: usize| {
        cells.get(row).and_then(|lines| lines.get(line)).cloned().unwrap_or_default()
    };
    let height =
        columns.iter().filter_map(|(.., cells)| cells.get(row)).map(Vec::len).max().unwrap_or_default();
    let line = |line: usize| {
        let parts =
            columns.iter().map(|(gap, width, cells)| format!("{:gap$}{:<width$}", "", cell(cells, line)));
        parts.collect::<String>().trim_end().to_owned() + "\n"
    };
    (0..height).map(line).collect()
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
    fn a_cell_of_several_lines_stands_beside_its_row() {
        let rows = [
            json!({"at": "noon", "changes": [{"path": "a"}, {"path": "b"}], "by": "x"}),
            json!({"at": "night"}),
        ];
        let text = table(&[("AT", "at"), ("CHANGES", "changes"), ("BY", "by")], &rows);
        let expected = ["AT     CHANGES  BY", "noon   path=a   x", "       path=b", "night  -        -", ""];
        assert_eq!(text, expected.join("\n"));
    }

    #[test]
    fn text_goes_on_below_before_its_column_is_left_out() {
        let why = "stolen from the site in the north of the country";
        let rows = [json!({"identity": "a", "reason": why, "by": "somebody@hems.example"})];
        let columns = [("IDENTITY", "identity"), ("REASON", "reason"), ("BY", "by")];
        let (text, left_out) = fitted(&columns, &rows, Room::of_a_list(45));
        let expected = [
            "IDENTITY  REASON",
            "a         stolen from the site in the north",
            "          of the country",
            "",
        ];
        assert_eq!((text, left_out), (expected.join("\n"), vec!["BY"]));
        let (text, left_out) = fitted(&columns, &rows, Room::of_a_part(45));
        assert!(text.contains("somebody@hems.example") && left_out.is_empty(), "a part is whole: {text}");
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
        let (text, left_out) = fitted(&columns, &rows, Room::of_a_list(40));
        assert_eq!(left_out, ["SUITE"]);
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
        assert!(text.contains(identity) && text.contains("4711"), "{text}");
        let (text, _) = fitted(&columns, &rows, Room::of_a_list(8));
        assert!(text.contains(identity), "whose row it is stays: {text}");
    }
}
