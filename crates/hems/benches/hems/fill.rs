//! A world of many devices at once: the first one's rows, as the server wrote them, are copied under other identities.
//!
//! So each device knows what a device knows after a session, with its history and its session, whatever the tables
//! look like. Serial numbers, sites, tags, versions and times differ, so that filters have something to find.

use std::path::Path;

use super::{rows::Link, world};

/// What is other in a copy of the device than in the first, `i` being its number.
const OTHER: [(&str, &str); 10] = [
    ("identity", "printf('00005e%06x.hnb.example', i)"),
    ("serial", "printf('00005E%06X', i)"),
    ("site", "printf('site-%05d', i / 10)"),
    ("tags", "CASE WHEN i % 50 = 0 THEN '[\"lab\"]' ELSE '[]' END"),
    ("software", "printf('1.2.%d', i % 7)"),
    ("tac", "printf('%d', 4000 + i / 500)"),
    ("pci", "printf('%d', i % 504)"),
    ("is_in_service", "i % 20 <> 0"),
    ("last_inform_at", "last_inform_at - i % 3600 * 1000"),
    ("due_at", "due_at - i % 3600 * 1000"),
];
/// The tables with rows of each device, whose order is that of their keys.
const TABLES: [&str; 3] = ["session", "known", "history"];

/// Copies the only device of a store so that there are this many.
pub(super) async fn copy(file: &Path, devices: u32) {
    let mut link = Link::open(&format!("sqlite://{}", file.display())).await;
    // Nobody else has it open, and what a crash leaves is thrown away.
    link.run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000").await;
    copy_table(&mut link, "device", &OTHER, devices).await;
    for table in TABLES {
        copy_table(&mut link, table, &OTHER[..1], devices).await;
    }
    link.run("INSERT INTO device_tag (name, identity) SELECT 'lab', identity FROM device WHERE tags <> '[]'")
        .await;
    link.run("PRAGMA journal_mode = WAL").await;
    link.close().await;
}

async fn copy_table(link: &mut Link, table: &str, other: &[(&str, &str)], devices: u32) {
    let columns = link.columns(table).await;
    // A number that the database gives is given again.
    let columns: Vec<&str> = columns.iter().map(String::as_str).filter(|column| *column != "id").collect();
    let values = columns
        .iter()
        .map(|column| other.iter().find(|(name, _)| name == column).map_or(*column, |(_, sql)| sql));
    let (names, values) = (columns.join(", "), values.collect::<Vec<_>>().join(", "));
    link.run(&format!(
        "WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {last}) \
         INSERT INTO {table} ({names}) SELECT {values} FROM numbers CROSS JOIN {table} WHERE identity = '{first}'",
        last = devices - 1,
        first = world::identity(0),
    ))
    .await;
}
