//! Which of two versions is the newer one: runs of digits count as numbers, all else as text.
//!
//! Dot-delimited integers are what the data model asks for; names of products in the field are compared all the same.

use std::{cmp::Ordering, iter::Peekable, str::Chars};

/// Compares two versions: `2.10` is newer than `2.9`, and `2.1` than `2`.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.chars().peekable(), other.chars().peekable());
    loop {
        match part(&mut one).cmp(&part(&mut other)) {
            Ordering::Equal if one.peek().is_none() && other.peek().is_none() => return Ordering::Equal,
            Ordering::Equal => {}
            decided @ (Ordering::Less | Ordering::Greater) => return decided,
        }
    }
}

/// Nothing is older than anything, and a text older than a number; a number is compared by its length, then its digits.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    End,
    Text(String),
    Number(usize, String),
}

fn part(rest: &mut Peekable<Chars<'_>>) -> Part {
    let Some(is_number) = rest.peek().map(char::is_ascii_digit) else { return Part::End };
    let mut text = String::new();
    while let Some(next) = rest.next_if(|next| next.is_ascii_digit() == is_number) {
        text.push(next);
    }
    if !is_number {
        return Part::Text(text);
    }
    let digits = text.trim_start_matches('0').to_owned();
    Part::Number(digits.len(), digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w02_versions_are_compared_as_people_read_them() {
        let rising = ["", "0.1.0", "1", "1.0-rc2", "1.2", "1.9", "1.10", "1.010.1", "2", "10.0"];
        for (at, one) in rising.iter().enumerate() {
            for (place, other) in rising.iter().enumerate() {
                assert_eq!(compare(one, other), at.cmp(&place), "{one} and {other}");
            }
        }
        assert_eq!(compare("V01.2_build7", "V1.2_build7"), Ordering::Equal);
        let huge = "9".repeat(64);
        assert_eq!(compare(&huge, &huge[1..]), Ordering::Greater);
    }
}
