//! A sorted list reads its index and nothing else, wherever it begins.

use super::{super::inventory::reads, world::on_both};
use crate::{
    filter::{Filter, Order, SORTED, Sorted, Text},
    inventory::{Key, Position, Way},
};

/// Every way of an order: the whole index, a part of it, and those without a value.
fn ways(order: &Order) -> Vec<Way> {
    let part = match order.by {
        Sorted::Time(_) => format!("{} > 2001-01-01", order.by),
        Sorted::Text(_) => format!("{} : n", order.by),
    };
    let lead = order.lead(&Filter::parse(&part).unwrap()).unwrap();
    let absent = order.by.may_lack().then(|| Way::Absent(order.clone()));
    let some = [Way::Sorted(order.clone(), None), Way::Sorted(order.clone(), lead)];
    some.into_iter().chain(absent).collect()
}

/// The beginning, and after a device.
fn positions(order: &Order) -> [Position; 2] {
    let key = match order.by {
        Sorted::Text(Text::Identity) => None,
        Sorted::Text(_) => Some(Key::Text("5".to_owned())),
        Sorted::Time(_) => Some(Key::Number(5)),
    };
    [Position::default(), Position { key, identity: "5".to_owned(), ..Position::default() }]
}

/// Whether the plan names the field's index.
fn is_by(by: Sorted, plan: &str) -> bool {
    let names = match by.to_string().as_str() {
        "identity" => ["device_pkey".to_owned(), "sqlite_autoindex_device_1".to_owned()].to_vec(),
        "certificate_not_after" => vec!["device_by_expiry".to_owned()],
        name => vec![format!("device_by_{name}")],
    };
    names.iter().any(|name| plan.contains(name))
}

/// Whether the index is read from one of its ends.
fn is_whole(way: &Way, after: &Position) -> bool {
    matches!(way, Way::Sorted(_, None)) && after.identity.is_empty()
}

#[tokio::test]
async fn o01_every_order_is_read_from_its_index_and_sorts_nothing() {
    on_both(async |world| {
        world.open().await.close().await;
        for (by, is_descending) in SORTED.into_iter().flat_map(|by| [(by, false), (by, true)]) {
            let order = Order { by, is_descending };
            for way in ways(&order) {
                for after in positions(&order) {
                    for sql in reads(&way, &after) {
                        let plan = world.plan(&sql).await;
                        assert!(is_by(by, &plan), "{sql}: {plan}");
                        let is_sorted = ["Sort", "TEMP B-TREE"].iter().any(|word| plan.contains(word));
                        assert!(!is_sorted, "{sql}: {plan}");
                        let is_found = ["Index Cond", "SEARCH"].iter().any(|word| plan.contains(word));
                        assert!(is_found || is_whole(&way, &after), "{sql}: {plan}");
                    }
                }
            }
        }
    })
    .await;
}
