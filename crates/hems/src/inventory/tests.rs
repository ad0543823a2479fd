//! Pages against the whole list, for any filter: what the store finds is what the filter says.

use std::sync::Arc;

use oracles::Postgres;
use profile::Identity;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::*;
use crate::{
    filter::SORTED,
    store::{Binding, Condition, Place as Database},
};

const CELLS: u8 = 40;
/// Letters beyond ASCII stay as they are written; a language would fold them.
const SITES: [Option<&str>; 5] = [None, Some("Site 1"), Some("Site 2"), Some("Örebro"), Some("örebro")];
const RACKS: [&str; 5] = ["R0", "R1", "R2", "R3", "RÖ"];

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// Forty devices whose values repeat, so that every filter leaves some.
async fn fleet(place: &Database) -> Store {
    let store = Store::open(place, Arc::new(())).await.unwrap();
    let identity = |number| Identity::parse(&format!("00005e0053{number:02x}.hnb.example")).unwrap();
    let binding = |number: u8| Binding {
        oui: "00005E".to_owned(),
        product_class: format!("Class{}", number % 2),
        serial: format!("SN{:02}", 99 - number),
    };
    let rows = (0..CELLS).map(|number| (identity(number), binding(number))).collect();
    store.admit(rows, true, now()).await.unwrap();
    for number in 0..CELLS {
        let place = Place {
            site: SITES[usize::from(number) % SITES.len()].map(str::to_owned),
            tags: ["lab", "indoor", "test"]
                .into_iter()
                .take(usize::from(number % 4))
                .map(str::to_owned)
                .collect(),
            labels: BTreeMap::from([(
                "rack".to_owned(),
                RACKS[usize::from(number) % RACKS.len()].to_owned(),
            )]),
        };
        assert!(store.place(moved(identity(number).to_string(), place)).await.unwrap());
    }
    store
}

fn term() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "tag = lab",
        "tag = indoor",
        "site = \"site 1\"",
        "site : s",
        "serial : sn6",
        "serial = SN77",
        "identity : 00005e00530",
        "label.rack = r3",
        "label.rack : r",
        "label.rack = rÖ",
        "site = Örebro",
        "site = örebro",
        "site : Ö",
        "product_class = class1",
        "oui = 00005e",
        "state = never",
        "state = provisioning",
        "state = late",
        "in_service = false",
        "first_seen > now-1d",
        "last_inform < now",
        "sn7",
        "NOT tag = lab",
        "site != \"site 1\"",
        "suite = x",
        "realm = hnb.example",
    ])
    .prop_map(str::to_owned)
}

fn filter() -> impl Strategy<Value = String> {
    term().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" AND "))),
            prop::collection::vec(inner, 2..4).prop_map(|parts| format!("({})", parts.join(" OR "))),
        ]
    })
}

async fn list(store: &Store, filter: &Filter, limit: usize) -> Result<Vec<String>, ListError> {
    let mut identities = Vec::new();
    let mut token = None;
    loop {
        let page = page(store, filter, token.as_deref(), limit, now()).await?;
        assert!(page.devices.len() <= limit);
        identities.extend(page.devices.into_iter().map(|device| device.row.identity));
        token = page.next;
        if token.is_none() {
            return Ok(identities);
        }
    }
}

#[test]
fn o01_pages_show_each_device_for_which_the_filter_holds_once() {
    let folder = tempfile::tempdir().unwrap();
    every_filter(&Database::File(folder.path().join("hearth.sqlite3")));
}

#[test]
fn o01_pages_show_each_device_for_which_the_filter_holds_once_on_postgresql() {
    let Some(server) = Postgres::start("hems::inventory on PostgreSQL") else { return };
    every_filter(&Database::server(&server.url(), None).unwrap());
}

fn every_filter(place: &Database) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime.block_on(fleet(place));
    let all = runtime.block_on(page(&store, &Filter::default(), None, 100, now())).unwrap();
    assert_eq!((all.devices.len(), all.next.is_none()), (usize::from(CELLS), true));
    let mut runner = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    let answered = std::cell::Cell::new(0);
    runner
        .run(&(filter(), 1..12_usize), |(text, limit)| {
            let filter = Filter::parse(&text).unwrap();
            let expected: BTreeSet<_> = all
                .devices
                .iter()
                .filter(|device| filter.holds(*device, now()))
                .map(|device| device.row.identity.clone())
                .collect();
            match runtime.block_on(list(&store, &filter, limit)) {
                Err(ListError::Unindexed(_)) => {}
                Err(error) => panic!("{text}: {error}"),
                Ok(listed) => {
                    answered.set(answered.get() + 1);
                    prop_assert_eq!(listed.len(), expected.len(), "{}: {:?}", text, listed);
                    prop_assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected, "{}", text);
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(answered.get() > 50, "{} filters were answered", answered.get());
}

/// Every order of every field: what was sorted here is what the database gives.
async fn every_order(place: &Database) {
    let store = fleet(place).await;
    for text in SORTED.iter().flat_map(|by| [by.to_string(), format!("-{by}")]) {
        let order = Order::parse(&text).unwrap();
        for (filter, limit) in [(String::new(), 7), (String::new(), 40), (lead(order.by), 3)] {
            let filter = Filter::parse(&filter).unwrap();
            let mut expected = page(&store, &Filter::default(), None, 100, now()).await.unwrap().devices;
            expected.retain(|device| filter.holds(device, now()));
            let way = Way::Sorted(order.clone(), None);
            // Who has no value comes first.
            let key = |device: &Device| match device.key(&way) {
                Some(Key::Text(text)) => (text, None),
                Some(Key::Number(number)) => (String::new(), Some(number)),
                None => (String::new(), None),
            };
            expected.sort_by_cached_key(|device| (key(device), device.row.identity.clone()));
            if order.is_descending {
                expected.reverse();
            }
            let (mut listed, mut token) = (Vec::new(), None);
            loop {
                let asked = (&order, &filter, &filter);
                let page = sorted(&store, asked, token.as_deref(), limit, now()).await.unwrap();
                assert!(page.devices.len() <= limit);
                listed.extend(page.devices.into_iter().map(|device| device.row.identity));
                token = page.next;
                if token.is_none() {
                    break;
                }
            }
            let expected: Vec<_> = expected.into_iter().map(|device| device.row.identity).collect();
            assert_eq!(listed, expected, "{text} {filter}");
        }
    }
}

/// A filter that asks for a field, and for something else too.
fn lead(by: Sorted) -> String {
    match by {
        Sorted::Time(_) => format!("{by} > 2001-01-01 AND product_class = class1"),
        Sorted::Text(Text::Identity) => "identity : 00005e00530 AND tag = lab".to_owned(),
        Sorted::Text(_) => format!("{by} : s AND product_class = class1"),
    }
}

#[tokio::test]
async fn o01_a_sorted_list_has_each_device_once_and_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    every_order(&Database::File(folder.path().join("hearth.sqlite3"))).await;
}

#[tokio::test]
async fn o01_a_sorted_list_has_each_device_once_and_in_its_order_on_postgresql() {
    let Some(server) = Postgres::start("hems::inventory on PostgreSQL") else { return };
    every_order(&Database::server(&server.url(), None).unwrap()).await;
}

#[tokio::test]
async fn o01_a_page_token_belongs_to_its_filter_and_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = fleet(&Database::File(folder.path().join("hearth.sqlite3"))).await;
    let filter = Filter::parse("tag = lab").unwrap();
    let token = page(&store, &filter, None, 3, now()).await.unwrap().next.unwrap();
    let other = Filter::parse("tag = indoor").unwrap();
    for (filter, token) in [(&other, token.as_str()), (&filter, "zz"), (&filter, "0a"), (&filter, "x")] {
        assert!(
            matches!(page(&store, filter, Some(token), 3, now()).await, Err(ListError::Token)),
            "{token}"
        );
    }
    let (up, down) = (Order::parse("site").unwrap(), Order::parse("-site").unwrap());
    let all = Filter::default();
    let token = sorted(&store, (&up, &all, &all), None, 3, now()).await.unwrap().next.unwrap();
    for order in [down, Order::parse("serial").unwrap()] {
        let turned = sorted(&store, (&order, &all, &all), Some(&token), 3, now()).await;
        assert!(matches!(turned, Err(ListError::Token)), "{order}");
    }
    assert!(matches!(page(&store, &all, Some(&token), 3, now()).await, Err(ListError::Token)));
    let refused = sorted(&store, (&up, &filter, &filter), None, 3, now()).await;
    assert!(matches!(refused, Err(ListError::Order(_))));
}

/// It is changed by nothing.
fn moved(identity: String, place: Place) -> crate::store::Move {
    crate::store::Move {
        identity,
        place,
        condition: Condition::default(),
        spends: None,
        at: Timestamp::UNIX_EPOCH,
    }
}
