//! The rows of a session, as they stand in the store, and how they are written by hand.

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

/// A connection to one database or to the other.
pub(super) enum Link {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Runs one statement with arguments on either; the last form reads rows.
macro_rules! on {
    ($link:expr, $sql:expr $(, $argument:expr)* => $run:ident) => {
        match $link {
            Link::Sqlite(connection) => sqlx::query($sql)$(.bind($argument))*.$run(connection).await.map(drop),
            Link::Postgres(connection) => sqlx::query($sql)$(.bind($argument))*.$run(connection).await.map(drop),
        }
    };
    ($link:expr, $sql:expr $(, $argument:expr)* ; $run:ident) => {
        match $link {
            Link::Sqlite(connection) => sqlx::query_as($sql)$(.bind($argument))*.$run(connection).await.unwrap(),
            Link::Postgres(connection) => sqlx::query_as($sql)$(.bind($argument))*.$run(connection).await.unwrap(),
        }
    };
}

impl Link {
    /// Opens a store as the H(e)MS does.
    pub(super) async fn open(url: &str) -> Self {
        match url.strip_prefix("sqlite://") {
            Some(file) => {
                let options = SqliteConnectOptions::new().filename(file);
                let options =
                    options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
                // As the H(e)MS's writer has them, or one side would move the pages of both out of the shared log.
                let options = options.pragma("cache_size", "-16384").pragma("wal_autocheckpoint", "4000");
                Self::Sqlite(options.connect().await.unwrap())
            }
            None => Self::Postgres(PgConnection::connect(url).await.unwrap()),
        }
    }

    /// Runs statements without arguments.
    pub(super) async fn run(&mut self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(connection) => drop(sql.execute(connection).await.unwrap()),
            Self::Postgres(connection) => drop(sql.execute(connection).await.unwrap()),
        }
    }

    /// The columns of a table of a file.
    pub(super) async fn columns(&mut self, table: &str) -> Vec<String> {
        let rows: Vec<(String,)> = on!(self, "SELECT name FROM pragma_table_info($1)", table; fetch_all);
        rows.into_iter().map(|(name,)| name).collect()
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}

/// An object, its values, and when they were read.
type Chunk = (String, String, i64);

/// What a session writes of one cell, beside the times.
pub(super) struct Rows {
    /// Told by the Inform.
    told: Vec<Chunk>,
    /// Read and set.
    read: Vec<Chunk>,
    /// What changed.
    history: String,
}

const OPEN: &str = "INSERT INTO session (identity, started_at, tls_version, suite, resumed, fingerprint, not_after, peer, \
     events, transport, voucher, anchor, chain, outside_profile, downgraded) VALUES ($1, $2, 'none', 'none', 0, '', 0, \
     '127.1.0.1:40000', '[{\"code\":\"2 PERIODIC\",\"command_key\":\"\"}]', 'ipsec', 'table', '', '[]', '[]', 0) RETURNING id";
const INFORMED: &str = "UPDATE device SET last_inform_at = $2, provisioning_since = COALESCE(provisioning_since, $2), \
     due_at = $2 + 5400000, sessions = sessions + 1 WHERE identity = $1";
const CLOSE: &str = "UPDATE session SET ended_at = $2, outcome = 'completed', messages = 4 WHERE id = $1";
const LEARNED: &str = "UPDATE device SET software = '1.2.3', tac = '4711', pci = '17', admin_state = '0', op_state = '0', \
     rf_tx_status = '0', is_in_service = 0, changes = changes + 1 WHERE identity = $1";
const KNOWN: &str = "INSERT INTO known (identity, object, body, read_at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (identity, object) DO UPDATE SET body = excluded.body, read_at = excluded.read_at";
const HISTORY: &str = "INSERT INTO history (identity, slot, number, session, at, body) VALUES ($1, $2 % 100, $2, $2, $3, $4) \
     ON CONFLICT (identity, slot) DO UPDATE SET number = excluded.number, session = excluded.session, \
     at = excluded.at, body = excluded.body";

impl Rows {
    /// Takes the rows of the first cell, which had such a session.
    pub(super) async fn read(link: &mut Link) -> Self {
        let known = "SELECT object, body, read_at FROM known WHERE identity = $1 ORDER BY object";
        let all: Vec<Chunk> = on!(link, known, "00005e000000.hnb.example"; fetch_all);
        let (read, told): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(object, ..)| object.starts_with("Device.Services."));
        assert_eq!((told.len(), read.len()), (2, 10), "the rows of a session are others than they were");
        let history = "SELECT body FROM history WHERE identity = $1 ORDER BY number DESC";
        let history: Vec<(String,)> = on!(link, history, "00005e000000.hnb.example"; fetch_all);
        Self { told, read, history: history[0].0.clone() }
    }

    /// Commits what is durable before an Inform is answered; gives the session's number.
    pub(super) async fn open(&self, link: &mut Link, identity: &str) -> i64 {
        let now = jiff::Timestamp::now().as_millisecond();
        begin(link).await;
        let (number,): (i64,) = on!(link, OPEN, identity, now; fetch_one);
        on!(link, INFORMED, identity, now => execute).unwrap();
        know(link, identity, &self.told).await;
        link.run("COMMIT").await;
        number
    }

    /// Commits what is durable at the end of a session.
    pub(super) async fn close(&self, link: &mut Link, identity: &str, number: i64) {
        let now = jiff::Timestamp::now().as_millisecond();
        begin(link).await;
        on!(link, CLOSE, number, now => execute).unwrap();
        know(link, identity, &self.read).await;
        on!(link, HISTORY, identity, number, now, &self.history => execute).unwrap();
        on!(link, LEARNED, identity => execute).unwrap();
        link.run("COMMIT").await;
    }
}

async fn begin(link: &mut Link) {
    link.run(if matches!(link, Link::Sqlite(_)) { "BEGIN IMMEDIATE" } else { "BEGIN" }).await;
}

async fn know(link: &mut Link, identity: &str, chunks: &[Chunk]) {
    for (object, body, read_at) in chunks {
        on!(link, KNOWN, identity, object, body, read_at => execute).unwrap();
    }
}
