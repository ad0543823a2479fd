//! A database for a test, of either kind.

use std::sync::Mutex;

use oracles::Postgres;

use super::super::*;

/// Remembers the numbers of commits.
#[derive(Default)]
pub(super) struct Counter {
    numbers: Mutex<Vec<u64>>,
}

impl Counter {
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.numbers.lock().unwrap().clone()
    }
}

impl Witness for Counter {
    fn committed(&self, number: u64) {
        self.numbers.lock().unwrap().push(number);
    }
}

/// An empty database, and where it is.
pub(super) struct World {
    pub(super) place: Place,
    pub(super) server: Option<Postgres>,
    _folder: tempfile::TempDir,
}

impl World {
    /// One on SQLite.
    pub(super) fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { place: Place::File(folder.path().join("hearth.sqlite3")), server: None, _folder: folder }
    }

    /// One on PostgreSQL, where that is installed.
    pub(super) fn server() -> Option<Self> {
        let server = Postgres::start("hems::store on PostgreSQL")?;
        let place = Place::server(&server.url(), None).unwrap();
        Some(Self { place, server: Some(server), _folder: tempfile::tempdir().unwrap() })
    }

    /// A node on it.
    pub(super) async fn open(&self) -> Store {
        self.witnessed().await.0
    }

    /// How the database would answer a question.
    pub(super) async fn plan(&self, sql: &str) -> String {
        // A literal has the type of what it is compared with.
        let sql = (1..=9).fold(sql.to_owned(), |sql, number| sql.replace(&format!("${number}"), "'5'"));
        let mut connection = self.place.connect().await.unwrap();
        if !connection.is_sqlite() {
            // For a table without rows nothing is too dear.
            let only_by_index =
                "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off";
            connection.run(only_by_index).await.unwrap();
            let lines: Vec<(String,)> =
                built(format!("EXPLAIN {sql}")).fetch_all(&mut connection).await.unwrap();
            return lines.into_iter().map(|(line,)| line).collect();
        }
        let lines: Vec<(i64, i64, i64, String)> =
            built(format!("EXPLAIN QUERY PLAN {sql}")).fetch_all(&mut connection).await.unwrap();
        lines.into_iter().map(|(.., line)| line).collect()
    }

    /// A node on it whose commits are counted.
    pub(super) async fn witnessed(&self) -> (Store, Arc<Counter>) {
        let counter = Arc::new(Counter::default());
        (Store::open(&self.place, Arc::<Counter>::clone(&counter)).await.unwrap(), counter)
    }
}

/// Runs a test on both databases.
pub(super) async fn on_both(test: impl AsyncFn(&mut World)) {
    for world in [Some(World::file()), World::server()] {
        let Some(mut world) = world else { continue };
        println!("on {}", world.place);
        test(&mut world).await;
    }
}
