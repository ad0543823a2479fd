//! What an error of the database says, and whether it means that there is none to ask just now.
//!
//! ```text
//!  no connection, or one that broke ──────────┐
//!  PostgreSQL: it starts, stops, is full      ├─▶ away: a moment later it may answer
//!  SQLite: somebody else has it, or no room  ─┘
//! ```

use sqlx::Error;

/// How PostgreSQL's codes begin: no connection, no room or too many connections, an operator's word such as a stop; a
/// transaction that stood still, and a lock that another node holds. (PostgreSQL, appendix A)
const POSTGRES: [&str; 5] = ["08", "53", "57P", "25P03", "55P03"];
/// Characters of each of them; SQLite's are numbers with fewer digits.
const POSTGRES_LENGTH: usize = 5;
/// SQLite's: busy, locked, I/O error, full, cannot open.
const SQLITE: [u32; 5] = [5, 6, 10, 13, 14];

/// Whether there is no database to ask just now.
pub(super) fn is_away(error: &Error) -> bool {
    let is_broken =
        matches!(error, Error::Io(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed);
    let code = error.as_database_error().and_then(|said| said.code());
    is_broken || code.is_some_and(|code| is_code_of_away(&code))
}

fn is_code_of_away(code: &str) -> bool {
    if code.len() == POSTGRES_LENGTH {
        return POSTGRES.iter().any(|begin| code.starts_with(begin));
    }
    // What SQLite adds to say more stands above the lowest byte.
    code.parse::<u32>().is_ok_and(|code| SQLITE.contains(&(code & 0xff)))
}

/// The database's own words with its code. What is displayed of them names a line of PostgreSQL's source, which reads
/// as one of ours.
pub(super) fn said(error: &Error) -> String {
    let Some(said) = error.as_database_error() else { return error.to_string() };
    let code = said.code().map(|code| format!(" ({code})"));
    format!("{}{}", said.message(), code.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_is_told_from_one_that_says_no() {
        for code in ["57P01", "57P03", "53300", "08006", "55P03", "5", "6", "261", "13", "3850"] {
            assert!(is_code_of_away(code), "{code}");
        }
        for code in ["23505", "42P01", "28000", "57014", "1", "19", "1555", "2067", "", "x"] {
            assert!(!is_code_of_away(code), "{code}");
        }
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(is_away(&broken.into()) && is_away(&Error::PoolTimedOut) && !is_away(&Error::RowNotFound));
    }
}
