//! The schema on both databases, and those of other versions.

use expect_test::expect_file;
use sqlx::AssertSqlSafe;

use super::{
    super::{link::Both, schema, sql::Row},
    *,
};

/// The last release's schema.
const LAST: i64 = 6;
/// What stood in a database of that version.
const ROWS: &str = "INSERT INTO device (identity, state, oui, product_class, serial, first_seen_at, is_in_service) \
     VALUES ('00005e005301.hnb.example', 'admitted', '00005E', 'C', 'S1', 1, 1); \
     INSERT INTO session (identity, started_at, tls_version, suite, resumed, fingerprint, not_after, peer, events, outcome) \
     VALUES ('00005e005301.hnb.example', 2, 'TLSv1.2', 's', 1, 'ab', 3, '127.0.0.1:5', '[]', 'done'); \
     INSERT INTO ticket_key (period, sealed) VALUES (7, '\\x00');";

/// Each table and column with its kind, and whether it may be null.
type Columns = Vec<(String, String, String, i64)>;

const OF_SQLITE: &str = "SELECT t.name, c.name, CASE c.type WHEN 'INTEGER' THEN 'bigint' WHEN 'BLOB' THEN 'bytea' \
     ELSE lower(c.type) END, c.\"notnull\" = 0 AND c.pk = 0 FROM sqlite_master t JOIN pragma_table_info(t.name) c \
     WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '_sqlx%' ORDER BY t.name, c.name";
const OF_POSTGRES: &str = "SELECT table_name::text, column_name::text, data_type::text, \
     (CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END)::bigint FROM information_schema.columns \
     WHERE table_schema = 'public' AND table_name NOT LIKE '_sqlx%' \
     ORDER BY table_name COLLATE \"C\", column_name COLLATE \"C\"";
const INDEXES_OF_SQLITE: &str =
    "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name";
const INDEXES_OF_POSTGRES: &str = "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public' \
     AND indexname NOT LIKE '%_pkey' ORDER BY indexname::text COLLATE \"C\"";
/// A schema as SQLite keeps it, with what is noted of each text that made it.
const SCHEMA: &str = "SELECT sql || ';' FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'";
const NOTED: &str = "SELECT 'INSERT INTO _sqlx_migrations VALUES (' || version || ', ' || quote(description) || \
     ', 0, 1, ' || quote(checksum) || ', 0);' FROM _sqlx_migrations ORDER BY version";

async fn rows<O: Row>(connection: &mut Tx, of_sqlite: &'static str, of_postgres: &'static str) -> Vec<O> {
    let sql = if connection.is_sqlite() { of_sqlite } else { of_postgres };
    query_as(sql).fetch_all(connection).await.unwrap()
}

/// Runs a text of many statements.
async fn play(connection: &mut Tx, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    match connection.link() {
        Both::Sqlite(connection) => drop(sql.execute(connection).await.unwrap()),
        Both::Postgres(connection) => drop(sql.execute(connection).await.unwrap()),
    }
}

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_indexes() {
    let Some(server) = World::server() else { return };
    let mut seen = Vec::new();
    for world in [World::file(), server] {
        world.open().await.close().await;
        let mut connection = world.place.connect().await.unwrap();
        let columns: Columns = rows(&mut connection, OF_SQLITE, OF_POSTGRES).await;
        let indexes: Vec<(String,)> = rows(&mut connection, INDEXES_OF_SQLITE, INDEXES_OF_POSTGRES).await;
        seen.push((columns, indexes));
    }
    assert!(seen[0].0.len() > 100 && seen[0].1.len() > 5, "{:?}", seen[0]);
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn the_last_release_s_schema_is_what_it_was() {
    let world = World::file();
    let mut connection = world.place.connect().await.unwrap();
    schema::migrate_to(&mut connection, LAST).await.unwrap();
    let mut lines: Vec<(String,)> = rows(&mut connection, SCHEMA, "").await;
    lines.extend(rows::<(String,)>(&mut connection, NOTED, "").await);
    let text: String = lines.into_iter().flat_map(|(line,)| [line, "\n".to_owned()]).collect();
    expect_file!["schema-6.sql"].assert_eq(&text);
}

#[tokio::test]
async fn this_version_opens_the_last_release_s_database() {
    on_both(async |world| {
        let mut connection = world.place.connect().await.unwrap();
        match connection.is_sqlite() {
            true => play(&mut connection, include_str!("schema-6.sql")).await,
            false => schema::migrate_to(&mut connection, LAST).await.unwrap(),
        }
        play(&mut connection, ROWS).await;
        connection.close().await.unwrap();
        let store = world.open().await;
        let device = store.device(identity(1).as_str()).await.unwrap().unwrap();
        assert_eq!((device.is_in_service, device.binding()), (true, Some(binding("S1"))));
        let session = store.open_session(opening(&identity(1))).await.unwrap();
        let sessions = store.sessions(None, i64::MAX, 10).await.unwrap();
        assert_eq!(
            sessions.iter().map(|row| (row.id, row.resumed)).collect::<Vec<_>>(),
            [(session, false), (1, true)]
        );
    })
    .await;
}

#[tokio::test]
async fn a_later_version_s_database_is_refused() {
    on_both(async |world| {
        let store = world.open().await;
        store.close().await;
        let mut connection = world.place.connect().await.unwrap();
        let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'later', TRUE, '\\x00', 0)";
        play(&mut connection, later).await;
        let refused = Store::open(&world.place, Arc::new(())).await.err().unwrap().to_string();
        assert!(refused.contains("number 9999, and this version knows those up to"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn an_older_node_reads_on_when_a_newer_one_adds_a_column() {
    let Some(world) = World::server() else { return };
    let store = world.open().await;
    store.admit(vec![(identity(1), binding("S1"))], false, now()).await.unwrap();
    assert_eq!(store.every_device().await.len(), 1);
    let mut newer = world.place.connect().await.unwrap();
    newer.run("ALTER TABLE device ADD COLUMN later BIGINT NOT NULL DEFAULT 0").await.unwrap();
    assert_eq!(store.every_device().await.len(), 1);
}
