//! The cursor by itself: what the fuzzer calls, who has no message in mind.
//!
//! One rule: however an envelope is walked, the same bytes are well-formed, and hold as many elements.

use crate::{DecodeError, Limits, Text, cursor::Cursor, strict::Deviations};

/// How to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gait {
    /// Into every element.
    Children,
    /// Over the root in one leap.
    Skip,
    /// As the bits say: into, over, or through as text.
    Mixed(u64),
}

/// Walks through an envelope and counts its elements.
///
/// # Errors
/// Why it cannot be walked through, and where.
pub fn walk(body: &str, limits: &Limits, gait: Gait) -> Result<usize, DecodeError> {
    let body = Text::from(body);
    let mut cursor = Cursor::new(&body, *limits, Deviations::default())?;
    let mut depth = 0_usize;
    let mut bits = match gait {
        Gait::Children => 0,
        Gait::Skip => u64::MAX / 3,
        Gait::Mixed(bits) => bits,
    };
    loop {
        match cursor.child()? {
            None if depth == 0 => return Ok(cursor.count()),
            None => depth -= 1,
            Some(_) => {
                match bits & 3 {
                    1 => cursor.skip()?,
                    2 => drop(cursor.text()?),
                    _ => depth += 1,
                }
                bits = bits.rotate_right(2);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_every_gait_counts_the_same_elements() {
        let limits = Limits::default();
        for body in ["<a/>", "<a><b/>x<c>y</c></a>", "<a><![CDATA[<b/>]]><?p?></a>"] {
            let children = walk(body, &limits, Gait::Children).unwrap();
            assert_eq!(walk(body, &limits, Gait::Skip), Ok(children), "{body}");
        }
        assert_eq!(walk("<a><b/>x<c>y</c></a>", &limits, Gait::Mixed(0b10_10_00)), Ok(3));
        assert!(walk("<a><b/></a>", &limits, Gait::Mixed(0b10)).is_err());
    }
}
