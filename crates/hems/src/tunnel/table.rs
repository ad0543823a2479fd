//! The table of inner addresses: a CSV file that is read again as soon as it is another.
//!
//! It is all or nothing: one bad line, and the whole of the new file is set aside with a warning, the old table stays.
//! An address that is missing from a good file has no identity any more.

use std::{
    collections::HashMap,
    fmt, io,
    net::IpAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use profile::Identity;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::Vouched;

/// Bytes of a table: a million cells.
const BYTES_MAX: u64 = 128 << 20;
/// Bad lines that are said; who has more has another problem.
const SAID_MAX: usize = 20;

/// A table, and the file that it came from.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    held: Mutex<Held>,
}

type Rows = HashMap<IpAddr, Identity>;

#[derive(Debug)]
struct Held {
    rows: Rows,
    version: Version,
}

/// By what a file is seen to be another: a replaced file has another number, a rewritten one another time or size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

#[derive(Debug, Deserialize)]
struct Line {
    inner_address: String,
    identity: String,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    /// The file.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Its size.
    #[error("is larger than {BYTES_MAX} bytes")]
    Size,
    /// Its lines.
    #[error("{}", Listed(.0))]
    Lines(Vec<(u64, String)>),
}

struct Listed<'a>(&'a [(u64, String)]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (line, why)) in self.0.iter().take(SAID_MAX).enumerate() {
            write!(f, "{}line {line}: {why}", if at == 0 { "" } else { "; " })?;
        }
        let more = self.0.len().saturating_sub(SAID_MAX);
        if more > 0 { write!(f, "; and {more} more") } else { Ok(()) }
    }
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// The file, or all lines that are wrong.
    pub(crate) fn load(path: PathBuf) -> Result<Self, TableError> {
        let version = version(&path)?;
        let rows = read(&path, version)?;
        Ok(Self { path, held: Mutex::new(Held { rows, version }) })
    }

    /// Who has an address, by the file as it is at this moment.
    pub(super) async fn vouch(&self, address: IpAddr) -> Result<Vouched, String> {
        let mut held = self.held.lock().await;
        self.refresh(&mut held).await;
        let identity = held.rows.get(&address).cloned();
        let identity = identity.ok_or_else(|| format!("{} does not list it", self.path.display()))?;
        Ok(Vouched { identity, source: "table", ike_sa: None })
    }

    async fn refresh(&self, held: &mut Held) {
        // Where the file is away for a moment, the table stays.
        let Ok(found) = version(&self.path) else { return };
        if found == held.version {
            return;
        }
        held.version = found;
        let path = self.path.clone();
        match tokio::task::spawn_blocking(move || read(&path, found)).await {
            Ok(Ok(rows)) => {
                tracing::info!(path = %self.path.display(), rows = rows.len(), "the table of inner addresses is another");
                held.rows = rows;
            }
            Ok(Err(error)) => {
                tracing::warn!(path = %self.path.display(), %error, "the new table of inner addresses is bad; the old one stays");
            }
            Err(error) => tracing::error!(%error, "the table of inner addresses was not read"),
        }
    }
}

fn version(path: &Path) -> io::Result<Version> {
    let found = std::fs::metadata(path)?;
    Ok(Version { inode: found.ino(), bytes: found.len(), changed: (found.ctime(), found.ctime_nsec()) })
}

fn read(path: &Path, version: Version) -> Result<Rows, TableError> {
    if version.bytes > BYTES_MAX {
        return Err(TableError::Size);
    }
    parse(&std::fs::read(path)?)
}

fn parse(text: &[u8]) -> Result<Rows, TableError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let (mut rows, mut wrong) = (Rows::new(), Vec::new());
    let headers = reader.headers().cloned().unwrap_or_default();
    if headers.iter().ne(["inner_address", "identity"]) {
        return Err(TableError::Lines(vec![(1, "the columns are inner_address,identity".to_owned())]));
    }
    for record in reader.records() {
        let line = record.as_ref().map_or_else(
            |error| error.position().map_or(0, csv::Position::line),
            |record| record.position().map_or(0, csv::Position::line),
        );
        let row = record
            .and_then(|record| record.deserialize::<Line>(Some(&headers)))
            .map_err(|error| error.to_string())
            .and_then(|row| meaning(&row));
        match row {
            Ok((address, identity)) if rows.contains_key(&address) => {
                wrong.push((line, format!("{address} stands here twice, now for {identity}")));
            }
            Ok((address, identity)) => {
                rows.insert(address, identity);
            }
            Err(why) => wrong.push((line, why)),
        }
    }
    if wrong.is_empty() { Ok(rows) } else { Err(TableError::Lines(wrong)) }
}

fn meaning(line: &Line) -> Result<(IpAddr, Identity), String> {
    let address: IpAddr = line
        .inner_address
        .parse()
        .map_err(|_| format!("\"{:.64}\" is no address such as 10.45.0.7", line.inner_address))?;
    let identity = Identity::parse(&line.identity).map_err(|error| error.to_string())?;
    Ok((address.to_canonical(), identity))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "inner_address,identity\n";
    const GOOD: &str = "10.45.0.7,00005E005301.hnb.example\n2001:db8::7, 00005e005302.hnb.example\n";

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn i08_bad_lines_are_said_with_their_numbers_all_at_once() {
        for (text, lines) in [
            (
                format!("{HEADER}10.45.0.7,henb-1.hnb.example\n{GOOD}10.45.0.300,00005e005303.hnb.example\n"),
                vec![2, 5],
            ),
            (format!("{HEADER}{GOOD}10.45.0.7,00005e005309.hnb.example\n"), vec![4]),
            (format!("{HEADER}10.45.0.8\n"), vec![2]),
            ("address,name\n".to_owned(), vec![1]),
            (String::new(), vec![1]),
        ] {
            let Err(TableError::Lines(wrong)) = parse(text.as_bytes()) else { panic!("{text}") };
            assert_eq!(wrong.iter().map(|(line, _)| *line).collect::<Vec<_>>(), lines, "{wrong:?}");
        }
        assert_eq!(parse(format!("{HEADER}{GOOD}").as_bytes()).unwrap().len(), 2);
    }

    #[tokio::test]
    async fn i08_a_changed_table_counts_at_once_and_a_bad_one_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tunnel.csv");
        std::fs::write(&path, format!("{HEADER}{GOOD}")).unwrap();
        let table = Table::load(path.clone()).unwrap();
        let first = table.vouch(address("10.45.0.7")).await.unwrap();
        assert_eq!((first.identity.as_str(), first.source), ("00005e005301.hnb.example", "table"));
        assert!(table.vouch(address("10.45.0.8")).await.is_err());
        std::fs::write(&path, format!("{HEADER}10.45.0.8,nonsense\n")).unwrap();
        assert_eq!(table.vouch(address("10.45.0.7")).await.unwrap(), first);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(table.vouch(address("10.45.0.7")).await.unwrap(), first);
        std::fs::write(&path, format!("{HEADER}10.45.0.8,00005e005301.hnb.example\n")).unwrap();
        assert!(table.vouch(address("10.45.0.7")).await.is_err());
        assert_eq!(table.vouch(address("10.45.0.8")).await.unwrap(), first);
    }
}
