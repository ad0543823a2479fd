//! Text as a cell of a CSV, which is opened in spreadsheets: none of it may begin a formula, and all of it comes back.
//!
//! ```text
//!  =1+2   ─▶  '=1+2   ─▶  =1+2        a quote before what begins like a formula
//!  '=1+2  ─▶  ''=1+2  ─▶  '=1+2       and one more where quotes stand there already
//!  'tis   ─▶  'tis    ─▶  'tis        other quotes are text
//! ```

/// How a formula begins, and what spreadsheets skip before it.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// What makes a cell text.
const MARK: char = '\'';

/// A text as a cell that no spreadsheet takes for a formula.
pub(crate) fn quoted(text: &str) -> String {
    if is_formula(text) { format!("{MARK}{text}") } else { text.to_owned() }
}

/// The text of a cell that [`quoted`] made.
pub(crate) fn unquoted(cell: &str) -> &str {
    cell.strip_prefix(MARK).filter(|text| is_formula(text)).unwrap_or(cell)
}

fn is_formula(text: &str) -> bool {
    text.trim_start_matches(MARK).starts_with(FORMULA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_a_formula_and_every_text_comes_back() {
        for text in
            ["", "north", "=1+2", "+1", "-north", "@a", "\tx", "\rx", "'=1+2", "''-", "'tis", "'", "a=b"]
        {
            let cell = quoted(text);
            assert!(!cell.starts_with(FORMULA), "{cell:?}");
            assert_eq!(unquoted(&cell), text, "{cell:?}");
        }
    }
}
