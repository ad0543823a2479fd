//! Several nodes on one database, and a database that goes away.

use super::*;
use crate::blocks::{Blocks, Kind, Rule};

/// What runs at the commit of whoever writes into `template`, and breaks the connection there.
const BREAK_AT_COMMIT: [&str; 2] = [
    "CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS \
     $$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END$$",
    "CREATE CONSTRAINT TRIGGER break AFTER INSERT ON template DEFERRABLE INITIALLY DEFERRED \
     FOR EACH ROW EXECUTE FUNCTION break()",
];

fn call(number: usize) -> NewCall {
    NewCall { command_key: number.to_string(), ..reboot("a") }
}

fn pool(last: i64) -> Pool {
    Pool { first: 1, last }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nodes_do_at_once_is_as_if_each_were_alone() {
    on_both(async |world| {
        let nodes = [world.open().await, world.open().await, world.open().await];
        nodes[0].put_pool("pci".to_owned(), pool(60), now(), Condition::default()).await.unwrap();
        let tasks: Vec<_> = (0..120)
            .map(|number: usize| {
                let node = nodes[number % 3].clone();
                tokio::spawn(async move {
                    let drawn =
                        node.draw("pci", &format!("cell {}", number / 2), now()).await.unwrap().unwrap();
                    (drawn, node.queue_call(call(number)).await.unwrap())
                })
            })
            .collect();
        let (mut drawn, mut queued) = (BTreeMap::<i64, usize>::new(), 0);
        for task in tasks {
            let (value, call) = task.await.unwrap();
            *drawn.entry(value).or_default() += 1;
            queued += usize::from(call.is_ok());
        }
        assert!(drawn.len() == 60 && drawn.values().all(|count| *count == 2), "{drawn:?}");
        assert_eq!(queued, 64, "as many calls as may wait for one device, from all nodes together");
        assert_eq!(nodes[1].open_calls("a").await.unwrap().len(), 64);
    })
    .await;
}

#[tokio::test]
async fn a_broken_connection_fails_what_it_carried_and_comes_back() {
    let Some(mut world) = World::server() else { return };
    let store = world.open().await;
    store.put_pool("before".to_owned(), pool(1), now(), Condition::default()).await.unwrap();
    let server = world.server.as_mut().unwrap();
    server.crash();
    let lost = store.put_pool("lost".to_owned(), pool(1), now(), Condition::default()).await;
    assert!(matches!(lost, Err(StoreError::RolledBack(_))), "{lost:?}");
    let lost = store.put_pool("lost".to_owned(), pool(1), now(), Condition::default()).await;
    assert!(matches!(lost, Err(StoreError::RolledBack(_))), "there is nobody to connect to: {lost:?}");
    assert!(lost.unwrap_err().is_away() && store.pools().await.unwrap_err().is_away());
    server.recover();
    store.put_pool("after".to_owned(), pool(1), now(), Condition::default()).await.unwrap();
    let names: Vec<_> = store.pools().await.unwrap().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["after", "before"]);
}

#[tokio::test]
async fn a_server_that_is_silent_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://hearth@{}/hearth?sslmode=disable", silent.local_addr().unwrap());
    let place = Place::server(&url, None).unwrap();
    // Nothing is there to be waited for but the clock.
    tokio::time::pause();
    let error = Store::open(&place, Arc::new(())).await.err().unwrap().to_string();
    assert!(error.contains("it does not answer"), "{error}");
}

#[tokio::test]
async fn a_url_without_a_user_means_whom_the_process_runs_as() {
    let Some(world) = World::server() else { return };
    let output = std::process::Command::new("id").arg("-un").output().unwrap();
    let own = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let own = std::env::var("PGUSER").unwrap_or(own);
    let url = format!("postgres:///postgres?host={}", world.server.as_ref().unwrap().folder().display());
    let place = Place::server(&url, None).unwrap();
    let error = Store::open(&place, Arc::new(())).await.err().unwrap();
    let said = error.to_string();
    assert!(said.ends_with(&format!("role \"{own}\" does not exist (28000)")), "{said}");
    assert!(std::error::Error::source(&error).is_none(), "what would be said twice");
    let mut connection = world.place.connect().await.unwrap();
    built::<()>(format!("CREATE ROLE \"{own}\" LOGIN")).execute(&mut connection).await.unwrap();
    let mut connection = place.connect().await.unwrap();
    let (role,): (String,) =
        query_as("SELECT CAST(current_user AS TEXT)").fetch_one(&mut connection).await.unwrap();
    assert_eq!(role, own);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_unknown() {
    let Some(world) = World::server() else { return };
    let store = world.open().await;
    store.writer.commit(|tx| Box::pin(break_at_commit(tx))).await.unwrap();
    let template = crate::template::Template::default();
    let act = Act { author: String::new(), reason: String::new(), at: now() };
    let lost = store.save(Whose::Fleet("t".to_owned()), &template, act, Condition::default()).await;
    assert!(matches!(lost, Err(StoreError::Unknown(_))), "{lost:?}");
    store.put_pool("after".to_owned(), pool(1), now(), Condition::default()).await.unwrap();
}

async fn break_at_commit(tx: &mut Tx) -> Result<(), StoreError> {
    for statement in BREAK_AT_COMMIT {
        query(statement).execute(&mut *tx).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_node_that_stands_still_in_a_commit_does_not_stop_the_others() {
    let Some(world) = World::server() else { return };
    let store = world.open().await;
    let mut still = world.place.connect().await.unwrap();
    still.run("SET idle_in_transaction_session_timeout = 200").await.unwrap();
    still.run("BEGIN; SELECT one FROM writer FOR UPDATE").await.unwrap();
    store.put_pool("pci".to_owned(), pool(1), now(), Condition::default()).await.unwrap();
    still.run("COMMIT").await.unwrap_err();
}

#[tokio::test]
async fn text_is_ordered_by_its_bytes_and_a_nul_undoes_no_commit() {
    on_both(async |world| {
        let store = world.open().await;
        for name in ["b", "B-1", "a", "B 2", "nul\0l"] {
            store.put_pool(name.to_owned(), pool(1), now(), Condition::default()).await.unwrap();
        }
        let names: Vec<_> = store.pools().await.unwrap().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["B 2", "B-1", "a", "b", "nul\u{fffd}l"]);
    })
    .await;
}

#[tokio::test]
async fn i12_a_block_that_another_node_took_in_is_taken_up_once() {
    on_both(async |world| {
        let (here, there, blocks) = (world.open().await, world.open().await, Blocks::default());
        assert!(!blocks.refresh(&here).await.unwrap());
        let rule = Rule::parse(Kind::Identity, identity(1).as_str()).unwrap();
        there.block(BlockRow::new(&rule, "stolen", "operator", now())).await.unwrap();
        assert!(blocks.refresh(&here).await.unwrap());
        assert!(blocks.blocked(&identity(1), &[]).is_some());
        assert!(!blocks.refresh(&here).await.unwrap(), "nothing is new");
    })
    .await;
}

#[tokio::test]
async fn a_mark_that_comes_late_from_who_lost_the_job_takes_nothing_back() {
    on_both(async |world| {
        let (here, there) = (world.open().await, world.open().await);
        here.set_mark("nats", 5).await.unwrap();
        there.set_mark("nats", 9).await.unwrap();
        here.set_mark("nats", 7).await.unwrap();
        assert_eq!(there.mark("nats").await.unwrap(), Some(9));
    })
    .await;
}
