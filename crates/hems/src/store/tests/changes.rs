//! Changes: one budget for all of them, a second person, and what becomes of devices that do not call again.

use jiff::{SignedDuration, Timestamp};

use super::{super::*, now, world::on_both};
use crate::{
    change::{BOUNDS, Bounds, Outcome, State},
    plan::Image,
    software,
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn act(author: &str, at: Timestamp) -> Act {
    Act { author: author.to_owned(), reason: String::new(), at }
}

/// Serving devices, of which an Inform is due in ten minutes.
async fn serving(store: &Store, identities: &[&'static str]) {
    for (number, identity) in identities.iter().enumerate() {
        let binding = Binding { oui: "00005E".into(), product_class: "C".into(), serial: number.to_string() };
        let identity = profile::Identity::parse(&format!("{identity}.hnb.example")).unwrap();
        store.admit(vec![(identity, binding)], false, now()).await.unwrap();
    }
    let served = "UPDATE device SET is_in_service = 1, in_service_at = 1700000000000, due_at = 1700000600000";
    run(store, served, None).await;
}

async fn run(store: &Store, sql: &'static str, identity: Option<&'static str>) {
    let done = store.writer.commit(move |tx| {
        Box::pin(async move {
            let statement = query(sql);
            let statement = match identity {
                Some(identity) => statement.bind(identity),
                None => statement,
            };
            Ok(statement.execute(tx).await.map(drop)?)
        })
    });
    done.await.unwrap();
}

async fn begin(store: &Store, name: &str, bounds: Bounds) -> ChangeRow {
    begin_at(store, name, bounds, now()).await
}

async fn begin_at(store: &Store, name: &str, bounds: Bounds, at: Timestamp) -> ChangeRow {
    let whose = Whose::Fleet(name.to_owned());
    let template = crate::template::Template::default();
    let to = store.save(whose.clone(), &template, act("ann", at), Condition::default()).await.unwrap();
    let new = NewChange {
        whose,
        to,
        fleet: 2,
        matched: 2,
        bounds,
        days: 7,
        act: act("ann", at),
        condition: Condition::default(),
    };
    store.begin_change(new).await.unwrap()
}

const FIRST: &str = "00005e005301.hnb.example";
const SECOND: &str = "00005e005302.hnb.example";

#[tokio::test]
async fn o04_all_changes_spend_one_budget() {
    on_both(async |world| {
        let store = world.open().await;
        serving(&store, &["00005e005301", "00005e005302"]).await;
        let bounds = Bounds { cells_per_hour: 1, ..BOUNDS };
        let (a, b) = (begin(&store, "a", bounds).await, begin(&store, "b", bounds).await);
        let release = async |change: &ChangeRow, identity: &str, at| {
            store.release(change.id, identity.to_owned(), bounds, at).await.unwrap()
        };
        assert!(release(&a, FIRST, now()).await);
        assert!(!release(&b, SECOND, now()).await, "the hour's one cell is spent");
        let follows = async |identity| {
            let changes = store.under_way(identity).await.unwrap();
            changes.iter().map(|change| change.is_released).collect::<Vec<_>>()
        };
        assert_eq!((follows(FIRST).await, follows(SECOND).await), (vec![true, false], vec![false, false]));
        assert!(release(&b, SECOND, now() + HOUR + SignedDuration::from_secs(1)).await);
        assert_eq!(store.change(b.id).await.unwrap().unwrap().released, 1);
    })
    .await;
}

#[tokio::test]
async fn o04_a_cell_of_the_last_hour_counts_however_many_changes_come_after_its_own() {
    on_both(async |world| {
        let store = world.open().await;
        serving(&store, &["00005e005301", "00005e005302"]).await;
        let bounds = Bounds { cells_per_hour: 1, ..BOUNDS };
        let first = begin(&store, "a", bounds).await;
        assert!(store.release(first.id, FIRST.to_owned(), bounds, now()).await.unwrap());
        let finish = Decision::Finish;
        store.decide(first.id, finish, act("ann", now()), Condition::default()).await.unwrap().unwrap();
        // As many changes that are over as are kept, and more.
        let many = "INSERT INTO change (name, from_version, to_version, state, author, reason, at, fleet, matched) \
                    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) \
                    SELECT 'many', 0, 1, 'done', 'ann', '', 0, 0, 0 FROM n";
        run(&store, many, None).await;
        begin(&store, "b", bounds).await;
        let left = async |at| store.budget(1, at).await.unwrap().left;
        assert_eq!(left(now()).await, 0, "the hour's one cell is spent");
        assert!(store.change(first.id).await.unwrap().is_some());
        let later = now() + HOUR + SignedDuration::from_secs(1);
        assert_eq!(left(later).await, 1);
        begin_at(&store, "c", bounds, later).await;
        assert!(store.change(first.id).await.unwrap().is_none());
        let query = query_as("SELECT count(*) FROM released");
        let released: (i64,) = query.fetch_one(&store.reads).await.unwrap();
        assert_eq!(released, (0,), "what it released goes with it");
        assert_eq!(store.changes(i64::MAX, 5_000).await.unwrap().len(), 1_000);
    })
    .await;
}

#[tokio::test]
async fn o04_a_change_that_gives_way_to_the_next_one_is_told_to_be_over() {
    on_both(async |world| {
        let store = world.open().await;
        let first = begin(&store, "a", Bounds { second_person_above: 1, ..BOUNDS }).await;
        assert_eq!(first.state(), State::Waiting);
        let second = begin(&store, "a", BOUNDS).await;
        let over = store.change(first.id).await.unwrap().unwrap();
        assert_eq!((over.state(), over.ended_at), (State::Withdrawn, Some(ms(now()))));
        assert_eq!(over.note.as_deref(), Some("replaced by the next change"));
        let rows = store.outbox_after(0, 10).await.unwrap();
        let rows = rows.iter().filter(|row| row.kind.starts_with("change."));
        let told = rows.map(|row| {
            let data: serde_json::Value = serde_json::from_str(&row.body).unwrap();
            (row.kind.as_str(), data["change"].as_i64().unwrap(), data["state"].as_str().unwrap().to_owned())
        });
        let expected = [
            ("change.begun", first.id, "waiting".to_owned()),
            ("change.ended", first.id, "withdrawn".to_owned()),
            ("change.begun", second.id, "running".to_owned()),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    })
    .await;
}

#[tokio::test]
async fn o04_a_second_person_lets_a_large_change_run() {
    on_both(async |world| {
        let store = world.open().await;
        let change = begin(&store, "a", Bounds { second_person_above: 1, ..BOUNDS }).await;
        let approve = async |author| {
            store
                .decide(change.id, Decision::Approve, act(author, now()), Condition::default())
                .await
                .unwrap()
        };
        assert_eq!(change.state(), State::Waiting);
        assert_eq!(approve("ann").await.unwrap_err(), ChangeError::SamePerson);
        let approved = approve("ben").await.unwrap();
        assert_eq!((approved.state(), approved.approver.as_deref()), (State::Running, Some("ben")));
        assert_eq!(approve("cem").await.unwrap_err(), ChangeError::State("running"));
    })
    .await;
}

#[tokio::test]
async fn o04_who_does_not_serve_or_call_any_more_stops_a_change() {
    on_both(async |world| {
        let store = world.open().await;
        serving(&store, &["00005e005301", "00005e005302"]).await;
        let bounds = Bounds { stop_above: 0, stop_percent: 50, ..BOUNDS };
        let change = begin(&store, "a", bounds).await;
        for identity in [FIRST, SECOND] {
            assert!(store.release(change.id, identity.to_owned(), bounds, now()).await.unwrap());
        }
        let fell = "UPDATE device SET is_in_service = 0, due_at = due_at + 7200000 WHERE identity = $1";
        run(&store, fell, Some(FIRST)).await;
        let shown = async || store.change(change.id).await.unwrap().unwrap();
        store.settle_overdue(bounds, now() + SignedDuration::from_secs(899)).await.unwrap();
        assert_eq!((shown().await.fell, shown().await.lost), (0, 0), "the time to settle is not over");
        store.settle_overdue(bounds, now() + HOUR).await.unwrap();
        let seen = shown().await;
        assert_eq!((seen.state(), seen.fell, seen.lost), (State::Stopped, 1, 1), "{seen:?}");
    })
    .await;
}

#[tokio::test]
async fn o04_a_change_ends_with_its_last_device_and_the_version_applies() {
    on_both(async |world| {
        let store = world.open().await;
        serving(&store, &["00005e005301", "00005e005302"]).await;
        let bounds = Bounds { settle_seconds: 0, ..BOUNDS };
        let change = begin(&store, "a", bounds).await;
        for identity in [FIRST, SECOND] {
            assert!(store.templates().await.unwrap().is_empty());
            assert!(store.release(change.id, identity.to_owned(), bounds, now()).await.unwrap());
            let settled = store.writer.commit(move |tx| {
                Box::pin(async move { change::settle(tx, identity, Outcome::Fine, &bounds, ms(now())).await })
            });
            settled.await.unwrap();
        }
        assert_eq!(store.change(change.id).await.unwrap().unwrap().state(), State::Done);
        assert_eq!(store.templates().await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn o04_a_change_ends_when_nobody_asks_any_more_and_counts_who_comes_late() {
    on_both(async |world| {
        let store = world.open().await;
        serving(&store, &["00005e005301", "00005e005302"]).await;
        let change = begin(&store, "a", BOUNDS).await;
        run(&store, "UPDATE device SET in_service_at = in_service_at - 1", None).await;
        assert!(store.release(change.id, FIRST.to_owned(), BOUNDS, now()).await.unwrap());
        let shown = async || store.change(change.id).await.unwrap().unwrap();
        let tick = async |days: i32| store.settle_overdue(BOUNDS, now() + HOUR * 24 * days).await.unwrap();
        let frozen = async || store.begin_freeze(act("ann", now()), Condition::default()).await.unwrap();
        tick(6).await;
        assert_eq!(shown().await.state(), State::Running);
        // Whoever asks and must wait is not gone.
        frozen().await;
        let asks = now() + HOUR * 24 * 6;
        assert!(!store.release(change.id, SECOND.to_owned(), BOUNDS, asks).await.unwrap());
        tick(14).await;
        assert_eq!(shown().await.state(), State::Running, "nothing ends in a freeze");
        store.end_freeze(act("ann", now()), Condition::default()).await.unwrap();
        tick(12).await;
        assert_eq!(shown().await.state(), State::Running, "seven days after the last who asked");
        tick(14).await;
        let ended = shown().await;
        assert_eq!((ended.state(), ended.unreached, ended.late), (State::Done, 1, 0), "{ended:?}");
        assert_eq!(
            ended.note.as_deref(),
            Some("ended after 7 days without a further cell; 1 were not reached")
        );
        assert_eq!(store.templates().await.unwrap().len(), 1, "whoever comes has it");
        let late = async |identity: &str| {
            let mine = store.under_way(identity).await.unwrap();
            for one in mine.iter().filter(|one| !one.is_released) {
                store.count_late(one.id, identity.to_owned(), now()).await.unwrap();
            }
            (mine.len(), shown().await.late)
        };
        assert_eq!(late(FIRST).await, (1, 0), "it was reached in time");
        assert_eq!(late(SECOND).await, (1, 1));
        assert_eq!(late(SECOND).await, (0, 1), "all are there");
    })
    .await;
}

#[tokio::test]
async fn o05_a_cell_that_many_were_locked_with_did_not_fall() {
    on_both(async |world| {
        let store = world.open().await;
        serving(&store, &["00005e005301", "00005e005302"]).await;
        let new = NewAction {
            action: "{}".to_owned(),
            filter: String::new(),
            method: crate::call::LOCK.to_owned(),
            body: String::new(),
            name: "action-1".to_owned(),
            key: None,
            fleet: 2,
            days: 7,
            act: act("ann", now()),
        };
        let prepared = store.prepare_action(new).await.unwrap().unwrap();
        store.list_for_action(prepared.id, vec![FIRST.to_owned(), SECOND.to_owned()]).await.unwrap();
        let ask = async |identity: &str| {
            store.release_to_action(prepared.id, identity.to_owned(), BOUNDS, now()).await.unwrap()
        };
        assert!(!ask(FIRST).await, "it is only being prepared");
        let begun = store.begin_action(prepared.id, BOUNDS, now()).await.unwrap().unwrap();
        assert_eq!((begun.state(), begun.matched), (State::Running, 2));
        assert!(ask(FIRST).await && ask(SECOND).await && !ask(FIRST).await, "each once");
        run(&store, "UPDATE device SET is_in_service = 0, due_at = due_at + 7200000", None).await;
        store.settle_overdue(BOUNDS, now() + HOUR).await.unwrap();
        let over = store.change(prepared.id).await.unwrap().unwrap();
        assert_eq!((over.state(), over.fine, over.fell), (State::Done, 2, 0), "{over:?}");
        assert!(store.begin_action(prepared.id, BOUNDS, now()).await.unwrap().is_err());
    })
    .await;
}

#[tokio::test]
async fn o04_who_fetches_another_software_is_not_settled_before_it_reports_or_is_lost() {
    on_both(async |world| {
        let store = world.open().await;
        serving(&store, &["00005e005301", "00005e005302"]).await;
        let change = begin(&store, "a", BOUNDS).await;
        for identity in [FIRST, SECOND] {
            assert!(store.release(change.id, identity.to_owned(), BOUNDS, now()).await.unwrap());
        }
        let image = Image { file: 1, name: "cell".to_owned(), size: 10 };
        let call = NewCall {
            identity: FIRST.to_owned(),
            method: "Download".to_owned(),
            command_key: "k".to_owned(),
            body: "{}".to_owned(),
            author: software::AUTHOR.to_owned(),
            action: Some(software::action(&image, "2")),
            url: None,
            key: None,
            spends: None,
            wakes: false,
            at: now(),
        };
        store.queue_call(call).await.unwrap().unwrap();
        let fine = async |after: SignedDuration| {
            store.settle_overdue(BOUNDS, now() + after).await.unwrap();
            let shown = store.change(change.id).await.unwrap().unwrap();
            (shown.fine, shown.lost)
        };
        run(&store, "UPDATE device SET due_at = due_at + 86400000", None).await;
        assert_eq!(fine(HOUR).await, (1, 0), "the other one serves on");
        assert_eq!(fine(HOUR * 48).await, (1, 1), "it calls no more");
    })
    .await;
}
