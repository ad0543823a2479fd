//! People in the store, and the audit log's chain when several nodes extend it.

use super::*;
use crate::people::audit::{AuditChain, Event, exported};

fn account(name: &str) -> AccountRow {
    AccountRow {
        name: name.to_owned(),
        role: "operator".to_owned(),
        scope: None,
        password: Some("hash".to_owned()),
        subject: Some(format!("sub-{name}")),
        is_disabled: false,
        made_at: 1,
        last_login_at: None,
    }
}

fn event(number: usize) -> Event {
    Event {
        at: now(),
        request: number.to_string(),
        who: "ann".to_owned(),
        proof: "login".to_owned(),
        source: std::net::Ipv4Addr::LOCALHOST.into(),
        operation: "put-pool",
        target: "/api/v1/pools/\0".to_owned(),
        status: None,
    }
}

fn follow(lines: &[(i64, String, String)]) -> Result<i64, String> {
    let mut chain = AuditChain::default();
    for (_, line, hash) in lines {
        chain.follow(&exported(line, hash).to_string()).map_err(|broken| broken.to_string())?;
    }
    Ok(chain.number())
}

#[tokio::test(flavor = "multi_thread")]
async fn o12_three_nodes_extend_one_chain_and_a_changed_row_is_named() {
    on_both(async |world| {
        let nodes = [world.open().await, world.open().await, world.open().await];
        let tasks: Vec<_> = (0..90)
            .map(|number: usize| {
                let node = nodes[number % 3].clone();
                tokio::spawn(async move { node.note(event(number)).await.unwrap() })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let lines = nodes[0].audit_lines(0, 1000).await.unwrap();
        assert_eq!((lines.len(), follow(&lines)), (90, Ok(90)));
        assert_eq!(nodes[1].audit_end().await.unwrap().hash(), lines[89].2);
        nodes[2].forge(41, "ann", "bob").await;
        let broken = follow(&nodes[2].audit_lines(0, 1000).await.unwrap());
        assert_eq!(broken, Err("line 41 was changed after it was written".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn o12_one_link_makes_one_first_account_on_all_nodes() {
    on_both(async |world| {
        let (store, other) = (world.open().await, world.open().await);
        let (later, offer) = (now() + jiff::SignedDuration::from_hours(1), |hash: &str| hash.to_owned());
        assert!(store.offer_first(offer("a"), now(), later).await.unwrap());
        assert!(!other.offer_first(offer("b"), now(), later).await.unwrap(), "there is one already");
        assert!(!store.add_first(offer("b"), account("ann"), now()).await.unwrap());
        assert!(!store.add_first(offer("a"), account("ann"), later).await.unwrap(), "it is over");
        assert!(
            other.offer_first(offer("c"), later, later + jiff::SignedDuration::from_hours(1)).await.unwrap()
        );
        assert!(store.add_first(offer("c"), account("ann"), later).await.unwrap());
        assert!(!store.add_first(offer("c"), account("bob"), later).await.unwrap(), "it was used");
        assert!(!other.offer_first(offer("d"), later, later).await.unwrap(), "there is an account");
        assert_eq!(store.accounts().await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn o12_names_subjects_and_certificates_are_one_s_own() {
    on_both(async |world| {
        let store = world.open().await;
        assert_eq!(store.add_account(account("ann")).await.unwrap(), Adding::Added);
        assert_eq!(store.add_account(account("ann")).await.unwrap(), Adding::Taken);
        let namesake = AccountRow { subject: Some("sub-ann".to_owned()), ..account("bob") };
        assert_eq!(store.add_account(namesake.clone()).await.unwrap(), Adding::Taken);
        assert_eq!(store.add_account(account("bob")).await.unwrap(), Adding::Added);
        assert_eq!(store.change_account(namesake, Condition::default()).await.unwrap(), Some(Adding::Taken));
        assert_eq!(store.change_account(account("eve"), Condition::default()).await.unwrap(), None);
        let machine = |name: &str, fingerprint: Option<&str>, subject: Option<&str>| MachineRow {
            name: name.to_owned(),
            fingerprint: fingerprint.map(str::to_owned),
            subject: subject.map(str::to_owned),
            role: "viewer".to_owned(),
            scope: None,
            made_at: 1,
        };
        for (row, outcome) in [
            (machine("a", Some("f"), None), Adding::Added),
            (machine("b", Some("f"), None), Adding::Taken),
            (machine("b", None, Some("s")), Adding::Added),
            (machine("c", None, Some("s")), Adding::Taken),
        ] {
            assert_eq!(store.add_machine(row).await.unwrap(), outcome);
        }
        let name = async |fingerprint: &str, subject: Option<&str>| {
            store.machine(fingerprint, subject).await.unwrap().map(|row| row.name)
        };
        assert_eq!(name("f", Some("s")).await.as_deref(), Some("a"), "the certificate itself comes first");
        assert_eq!(name("g", Some("s")).await.as_deref(), Some("b"));
        assert_eq!(name("g", None).await, None);
    })
    .await;
}

#[tokio::test]
async fn o12_logins_are_bounded_and_end_with_their_account() {
    on_both(async |world| {
        let store = world.open().await;
        store.add_account(account("ann")).await.unwrap();
        let later = now() + jiff::SignedDuration::from_hours(1);
        for number in 0..20_i64 {
            let at = now() + jiff::SignedDuration::from_secs(number);
            store.open_login(number.to_string(), "ann".to_owned(), at, later).await.unwrap();
        }
        let is_open = async |hash: &str, at| store.login(hash, at).await.unwrap().is_some();
        assert!(!is_open("3", now()).await, "the oldest gave way");
        assert!(is_open("4", now()).await && is_open("19", now()).await);
        assert!(!is_open("19", later).await, "it is over");
        let disabled = AccountRow { is_disabled: true, ..account("ann") };
        store.change_account(disabled, Condition::default()).await.unwrap();
        assert!(!is_open("19", now()).await);
        store.change_account(account("ann"), Condition::default()).await.unwrap();
        assert!(!is_open("19", now()).await, "what ended does not come back");
    })
    .await;
}
