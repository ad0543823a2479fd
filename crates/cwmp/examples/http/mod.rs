//! As much of HTTP as two programs on one machine need.

use std::{
    error::Error,
    io::{BufRead, Read},
};

/// The body of the next HTTP message.
pub(crate) fn read_body(from: &mut impl BufRead) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse()?;
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = Vec::new();
    from.take(length).read_to_end(&mut body)?;
    Ok(body)
}
