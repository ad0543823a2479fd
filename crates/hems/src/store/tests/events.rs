//! The outbox, its readers, and the jobs that one node does.

use jiff::SignedDuration;

use super::{super::fact::QUESTIONS, *};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn save(store: &Store, count: usize) {
    for _ in 0..count {
        let act = Act { author: String::new(), reason: String::new(), at: now() };
        let template = crate::template::Template::default();
        store.save(Whose::Fleet("t".to_owned()), &template, act, Condition::default()).await.unwrap();
    }
}

#[tokio::test]
async fn an_event_is_there_with_its_fact_or_not_at_all() {
    on_both(async |world| {
        let store = world.open().await;
        let both = vec![(identity(1), binding("S1")), (identity(2), binding("S1"))];
        store.admit(both, true, now()).await.unwrap();
        assert_eq!(store.outbox_after(0, 10).await.unwrap(), [], "nothing was admitted");
        store.admit(vec![(identity(1), binding("S1"))], true, now()).await.unwrap();
        store.admit(vec![(identity(1), binding("S1"))], true, now()).await.unwrap();
        let rows = store.outbox_after(0, 10).await.unwrap();
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(
            (rows[0].kind.as_str(), rows[0].subject.as_str()),
            ("device.admitted", identity(1).as_str())
        );
    })
    .await;
}

#[tokio::test]
async fn a_session_that_ends_well_and_changes_nothing_costs_no_event() {
    on_both(async |world| {
        let store = world.open().await;
        store.admit(vec![(identity(1), binding("S1"))], true, now()).await.unwrap();
        let before = store.outbox_ends().await.unwrap().newest;
        let close = async |store: &Store, outcome, turned: Option<bool>| {
            let session = store.open_session(opening(&identity(1))).await.unwrap();
            let is_in_service = turned.unwrap_or_default();
            let summary = turned.map(|_| Summary { is_in_service, ..Summary::default() });
            let device = Some(Lesson { turned, summary, ..Lesson::default() });
            let identity = identity(1).to_string();
            let closing =
                Closing { identity, session, at: now(), outcome, messages: 1, misbehaviour: vec![], device };
            store.close_session(closing).await.unwrap();
        };
        close(&store, COMPLETED, None).await;
        assert_eq!(store.outbox_ends().await.unwrap().newest, before);
        close(&store, COMPLETED, Some(true)).await;
        close(&store, "timed_out", Some(false)).await;
        let store = store.telling_sessions(true);
        close(&store, COMPLETED, None).await;
        let rows = store.outbox_after(before, 10).await.unwrap();
        let kinds: Vec<_> = rows.iter().map(|row| row.kind.as_str()).collect();
        let expected = [
            "device.in_service",
            "device.out_of_service",
            "session.closed",
            "session.opened",
            "session.closed",
        ];
        assert_eq!(kinds, expected);
    })
    .await;
}

#[tokio::test]
async fn the_outbox_is_bounded_by_rows_and_by_age_and_says_what_is_gone() {
    on_both(async |world| {
        let store = world.open().await;
        save(&store, 10).await;
        assert_eq!(store.trim_outbox(100, now()).await.unwrap(), 0);
        assert_eq!(store.trim_outbox(7, now()).await.unwrap(), 3);
        assert_eq!(store.outbox_ends().await.unwrap(), Ends { trimmed: 3, newest: 10 });
        assert_eq!(store.trim_outbox(100, now() + HOUR).await.unwrap(), 7);
        assert_eq!(store.outbox_ends().await.unwrap(), Ends { trimmed: 10, newest: 10 });
        assert_eq!(store.trim_outbox(0, now() + HOUR).await.unwrap(), 0);
        save(&store, 1).await;
        assert_eq!(store.outbox_ends().await.unwrap(), Ends { trimmed: 10, newest: 11 });
    })
    .await;
}

#[tokio::test]
async fn a_job_is_one_node_s_until_it_leaves_it_or_is_silent() {
    on_both(async |world| {
        let [one, other] = [world.open().await, world.open().await];
        let hold = async |store: &Store, holder: &str, at| {
            store.hold_job("x", holder.to_owned(), at, HOUR).await.unwrap()
        };
        assert!(hold(&one, "a", now()).await && hold(&one, "a", now() + HOUR / 2).await);
        assert!(!hold(&other, "b", now() + HOUR).await);
        assert!(hold(&other, "b", now() + HOUR * 2).await, "a is silent");
        assert!(!hold(&one, "a", now() + HOUR * 2).await);
        other.leave_job("x", "b".to_owned()).await.unwrap();
        assert!(hold(&one, "a", now() + HOUR * 2).await);
        one.leave_job("x", "b".to_owned()).await.unwrap();
        assert!(!hold(&other, "b", now() + HOUR * 2).await, "nobody leaves for another");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_claimed_once_by_however_many_nodes_and_again_where_one_dies() {
    on_both(async |world| {
        let nodes = [world.open().await, world.open().await, world.open().await];
        let hook =
            nodes[0].make_webhook("https://x.example/".to_owned(), vec![], "s".to_owned(), now()).await;
        let hook = hook.unwrap().unwrap();
        save(&nodes[0], 40).await;
        assert!(!nodes[1].hand_over(hook, "/hems".to_owned(), now()).await.unwrap());
        let claims = (0..12).map(|number: usize| {
            let node = nodes[number % 3].clone();
            tokio::spawn(async move { node.claim_deliveries(hook, now(), HOUR, 5).await.unwrap() })
        });
        let mut claimed = BTreeMap::<i64, usize>::new();
        for task in claims.collect::<Vec<_>>() {
            task.await.unwrap().iter().for_each(|delivery| *claimed.entry(delivery.id).or_default() += 1);
        }
        assert!(claimed.len() == 40 && claimed.values().all(|count| *count == 1), "{claimed:?}");
        assert!(!nodes[0].is_due(hook, now() + HOUR / 2).await.unwrap());
        let again = nodes[0].claim_deliveries(hook, now() + HOUR, HOUR, 100).await.unwrap();
        assert!(again.len() == 40 && again.iter().all(|delivery| delivery.attempts == 2));
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_stays_to_be_seen_and_lives_again_when_it_is_resent() {
    on_both(async |world| {
        let store = world.open().await;
        let hook = store.make_webhook("https://x.example/".to_owned(), vec![], "s".to_owned(), now()).await;
        let hook = hook.unwrap().unwrap();
        let id = store.send_test(hook, "/hems".to_owned(), now()).await.unwrap();
        store.claim_deliveries(hook, now(), HOUR, 5).await.unwrap();
        store.settle_delivery(hook, id, (Fate::Dead, "500".to_owned()), now()).await.unwrap();
        assert!(!store.is_due(hook, now() + HOUR * 9).await.unwrap());
        let dead = store.deliveries(hook, Some("dead")).await.unwrap();
        assert_eq!((dead.len(), dead[0].said.as_deref()), (1, Some("500")));
        assert!(store.resend(hook, id, now() + HOUR).await.unwrap());
        let alive = store.claim_deliveries(hook, now() + HOUR, HOUR, 5).await.unwrap();
        assert_eq!((alive[0].id, alive[0].attempts), (id, 1));
        assert_eq!(alive[0].body, dead[0].body);
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_was_away_for_too_long_shows_what_it_missed() {
    on_both(async |world| {
        let store = world.open().await;
        let hook = store.make_webhook("https://x.example/".to_owned(), vec![], "s".to_owned(), now()).await;
        let hook = hook.unwrap().unwrap();
        save(&store, 10).await;
        store.trim_outbox(4, now()).await.unwrap();
        store.hand_over(hook, "/hems".to_owned(), now()).await.unwrap();
        let shown = store.webhook(hook).await.unwrap().unwrap();
        assert_eq!((shown.position, shown.missed_before), (10, Some(6)));
        assert_eq!(store.deliveries(hook, None).await.unwrap().len(), 4);
        assert_eq!(store.oldest_waiting(false).await.unwrap(), None);
        save(&store, 1).await;
        assert_eq!(store.oldest_waiting(false).await.unwrap(), Some(now().as_millisecond()));
    })
    .await;
}

#[tokio::test]
async fn f13_every_question_of_the_alarms_has_its_index_and_sorts_nothing() {
    on_both(async |world| {
        world.open().await.close().await;
        for (sql, index) in QUESTIONS {
            let plan = world.plan(sql).await;
            assert!(plan.contains(index), "{sql}: {plan}");
            assert!(!plan.contains("Sort") && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    })
    .await;
}
