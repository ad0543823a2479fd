//! Reads: connections that are kept only while they are sound, and what a session sees of what other nodes wrote.

use super::{
    super::{link::Reads, *},
    binding, identity, now, opening,
    world::on_both,
};
use crate::template::Template;

/// So many rows that a read of them takes a while.
const LONG: &str = "WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 5000000) \
     SELECT max(i) FROM n";

async fn one(reads: &Reads) -> i64 {
    let (one,): (i64,) = query_as("SELECT CAST(1 AS BIGINT)").fetch_one(reads).await.unwrap();
    one
}

#[tokio::test]
async fn s12_a_connection_is_kept_unless_its_statement_did_not_end() {
    on_both(async |world| {
        let reads = Reads::new(world.place.clone());
        assert_eq!(reads.connections(), (0, 0));
        assert_eq!((one(&reads).await, reads.connections()), (1, (1, 1)));
        {
            let long = query_as::<(i64,)>(LONG).fetch_one(&reads);
            tokio::pin!(long);
            assert!(futures_util::poll!(&mut long).is_pending());
            assert_eq!(reads.connections(), (1, 0), "it is lent");
        }
        assert_eq!(reads.connections(), (0, 0), "whoever asked went away in the middle");
        let wrong = query_as::<(i64,)>("SELECT nothing FROM nowhere").fetch_one(&reads).await;
        assert!(wrong.is_err() && reads.connections() == (0, 0));
        assert_eq!((one(&reads).await, reads.connections()), (1, (1, 1)));
        reads.close().await;
        let closed = query_as::<(i64,)>("SELECT CAST(1 AS BIGINT)").fetch_one(&reads).await.unwrap_err();
        assert!(matches!(closed, sqlx::Error::PoolClosed), "{closed}");
    })
    .await;
}

#[tokio::test]
async fn many_reads_at_once_share_few_connections() {
    on_both(async |world| {
        // The database is there before anybody reads, as it always is: who make its file at once lock each other out.
        let _store = world.open().await;
        let reads = Reads::new(world.place.clone());
        let ones = futures_util::future::join_all((0..50).map(|_| one(&reads))).await;
        assert_eq!(ones.iter().sum::<i64>(), 50);
        let (all, idle) = reads.connections();
        assert!((1..=4).contains(&all) && all == idle, "{all} connections, {idle} of them idle");
    })
    .await;
}

#[tokio::test]
async fn a_commit_whose_first_statement_fails_takes_no_other_along() {
    on_both(async |world| {
        let store = world.open().await;
        let broken = store.writer.commit(|tx| {
            Box::pin(
                async move { Ok(query_as::<(i64,)>("SELECT nothing FROM nowhere").fetch_one(tx).await?) },
            )
        });
        let idle = store.writer.commit(|_| Box::pin(async { Ok(()) }));
        let fine = store.put_pool(
            "whole".to_owned(),
            crate::pool::Pool { first: 1, last: 2 },
            now(),
            Condition::default(),
        );
        let (broken, idle, fine) = tokio::join!(broken, idle, fine);
        assert!(broken.is_err() && idle.is_ok() && fine.is_ok());
        assert_eq!(store.pools().await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_session_sees_what_the_ones_before_it_showed_the_newest_first() {
    on_both(async |world| {
        let store = world.open().await;
        store.admit(vec![(identity(1), binding("S1"))], false, now()).await.unwrap();
        for number in 1..=14_i64 {
            let traces = Traces { up_time: (number > 1).then_some(number), ..Traces::default() };
            let events = "[{\"code\":\"1 BOOT\",\"command_key\":\"\\u001f\"}]".to_owned();
            store.open_session(Opening { events, traces, ..opening(&identity(1)) }).await.unwrap();
        }
        let sightings = store.recall(identity(1).as_str()).await.unwrap().unwrap().sightings;
        let times: Vec<_> = sightings.iter().map(|row| row.up_time.unwrap_or_default()).collect();
        assert_eq!(times, (3..=14).rev().collect::<Vec<_>>());
        let [last, before, ..] = &sightings[..] else { panic!("{sightings:?}") };
        assert_eq!((last.ended_at, last.outcome.as_deref()), (None, None));
        assert_eq!((before.ended_at, before.outcome.as_deref()), (Some(ms(now())), Some("replaced")));
        assert_eq!((last.peer.as_str(), last.started_at), ("127.0.0.1:5", ms(now())));
        assert!(last.events.contains("1 BOOT") && last.cell_clock.is_none());
    })
    .await;
}

async fn apply(store: &Store, name: &'static str, version: i64) {
    let done = store.writer.commit(move |tx| Box::pin(template::apply(tx, name, version, 0)));
    done.await.unwrap();
}

#[tokio::test]
async fn s08_a_template_that_another_node_changed_counts_at_once() {
    on_both(async |world| {
        let (here, there) = (world.open().await, world.open().await);
        let priorities = async || {
            let wishes = here.wishes("nobody").await.unwrap();
            wishes.templates.values().map(|template| template.priority).collect::<Vec<_>>()
        };
        let save = async |name: &'static str, priority| {
            let act = Act { author: String::new(), reason: String::new(), at: now() };
            let template = Template { priority, ..Template::default() };
            let whose = Whose::Fleet(name.to_owned());
            let version = there.save(whose, &template, act, Condition::default()).await.unwrap();
            apply(&there, name, version).await;
        };
        assert!(priorities().await.is_empty());
        save("a", 1).await;
        save("b", 2).await;
        assert_eq!(priorities().await, [1, 2]);
        save("a", 3).await;
        assert_eq!(priorities().await, [3, 2]);
        apply(&there, "b", 0).await;
        assert_eq!(priorities().await, [3]);
    })
    .await;
}
