//! The last of what the daemon said, kept for an ACS that asks for it. (TR-069 A.4.1.5, W-11)
//!
//! One ring for the process, because the log is the process's: a daemon is one cell. Whoever runs many cells in one
//! process fills no ring, so that none of them tells of the others.

use std::{
    collections::VecDeque,
    io,
    sync::{Mutex, PoisonError},
};

/// How much is kept: an hour of a busy cell, and little beside the bound on the daemon's memory.
pub const LOG_BYTES: usize = 64 << 10;

/// The ring of this process.
pub static LOG: LogRing = LogRing(Mutex::new(VecDeque::new()));

/// The last bytes that were written, from the beginning of a line.
#[derive(Debug)]
pub struct LogRing(Mutex<VecDeque<u8>>);

impl LogRing {
    /// What is kept.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

impl io::Write for &LogRing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(bytes);
        let surplus = kept.len().saturating_sub(LOG_BYTES);
        if surplus > 0 {
            let line = kept.iter().skip(surplus).position(|byte| *byte == b'\n');
            kept.drain(..line.map_or(surplus, |line| surplus + line + 1));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn w11_the_ring_keeps_whole_lines_and_no_more_than_its_bound() {
        let ring = LogRing(Mutex::default());
        for number in 0..10_000 {
            writeln!(&ring, "line {number}").unwrap();
        }
        let content = String::from_utf8(ring.content()).unwrap();
        assert!(content.len() <= LOG_BYTES && content.starts_with("line "));
        assert!(content.ends_with("line 9999\n"));
        let huge = vec![b'x'; 3 * LOG_BYTES];
        (&ring).write_all(&huge).unwrap();
        assert_eq!(ring.content().len(), LOG_BYTES);
    }
}
