//! What is remembered of a device: its ages, its bounds, what was forgotten and what is doubted.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn a_value_never_read_is_absent_and_one_read_empty_is_not() {
    let mut known = Known::default();
    assert_eq!(known.text("Device.A"), None);
    assert!(known.learn("Device.A", "", ValueKind::String, at(7)));
    assert_eq!(known.text("Device.A"), Some(""));
    assert_eq!(known.value("Device.A").unwrap().read_at, at(7));
}

#[test]
fn rows_that_are_gone_take_their_values_with_them() {
    let mut known = Known::default();
    for row in [1, 2, 20] {
        known.learn(&format!("Device.T.{row}.K"), "x", ValueKind::String, at(1));
    }
    known.learn_instances("Device.T.", [2]);
    assert_eq!(known.text("Device.T.1.K"), None);
    assert_eq!(known.text("Device.T.20.K"), None);
    assert_eq!(known.text("Device.T.2.K"), Some("x"));
}

#[test]
fn a_row_that_we_added_is_gone_only_after_a_list_had_it() {
    let mut known = Known::default();
    known.learn_list("Device.T.", &[1]);
    assert!(known.learn_row("Device.T.", 2));
    let rows = |known: &Known| known.instances("Device.T.").unwrap().iter().copied().collect::<Vec<_>>();
    known.learn_list("Device.T.", &[]);
    assert_eq!(rows(&known), [2], "a device that lists nothing");
    known.learn_list("Device.T.", &[2]);
    known.learn_list("Device.T.", &[]);
    assert_eq!(rows(&known), [0_u32; 0], "it was there");
}

#[test]
fn a_change_is_noted_with_what_was_and_forgetting_in_between_hides_none() {
    let mut known = Known::default();
    let mut changes = |values: &[(&str, &str)]| -> Vec<String> {
        known.forget("Device.Forgotten");
        for (path, value) in values {
            known.learn(path, value, ValueKind::String, at(1));
        }
        let changes = known.take_changes().into_iter();
        changes.map(|change| format!("{} {}>{}", change.path, change.before, change.after)).collect()
    };
    assert_eq!(changes(&[("Device.A", "1"), ("Device.Forgotten", "x")]), [""; 0], "first readings");
    assert_eq!(changes(&[("Device.A", "1"), ("Device.Forgotten", "x")]), [""; 0], "the same again");
    assert_eq!(
        changes(&[
            ("Device.A", "2"),
            ("Device.Forgotten", "y"),
            (radio::UP_TIME, "5"),
            (radio::UP_TIME, "6")
        ]),
        ["Device.A 1>2", "Device.Forgotten x>y"]
    );
}

#[test]
fn forgetting_an_object_spares_its_neighbours() {
    let mut known = Known::default();
    known.learn("Device.Table.1.K", "a", ValueKind::String, at(1));
    known.learn("Device.TableNumber", "1", ValueKind::String, at(1));
    known.learn_instances("Device.Table.", [1]);
    known.forget("Device.Table.");
    assert_eq!(known.instances("Device.Table."), None);
    assert_eq!(known.text("Device.TableNumber"), Some("1"));
    let gone: Vec<_> = known.take_changed().into_iter().filter(|(_, chunk)| chunk.is_none()).collect();
    assert_eq!(gone.len(), 2);
}

#[test]
fn what_a_peer_reports_is_bounded() {
    let mut known = Known::default();
    assert!(!known.learn("no dot", "", ValueKind::String, at(1)));
    assert!(!known.learn(&format!("Device.{}", "x".repeat(PATH_BYTES_MAX)), "", ValueKind::String, at(1)));
    assert!(!known.learn("Device.A", &"x".repeat(VALUE_BYTES_MAX + 1), ValueKind::String, at(1)));
    for number in 0..VALUES_MAX {
        assert!(known.learn(&format!("Device.N{number}"), "", ValueKind::String, at(1)));
    }
    assert!(!known.learn("Device.More", "", ValueKind::String, at(1)));
    assert!(known.learn("Device.N0", "again", ValueKind::String, at(2)));
}

#[test]
fn s12_all_that_a_peer_reports_is_bounded_together() {
    let mut known = Known::default();
    let value = "x".repeat(VALUE_BYTES_MAX);
    let kept = (0..VALUES_MAX)
        .filter(|number| known.learn(&format!("Device.N{number}"), &value, ValueKind::String, at(1)))
        .count();
    assert!(kept * VALUE_BYTES_MAX <= BYTES_MAX && known.is_over_bounds(), "{kept} values");
    assert!(known.learn("Device.N0", "short", ValueKind::String, at(2)), "less may always follow");
    known.forget("Device.N1");
    let chunks = known.take_changed().into_iter().filter_map(|(object, chunk)| Some((object, chunk?)));
    assert_eq!(Known::restore(chunks.collect(), None, None).bytes, known.bytes);
    known.forget_all();
    assert_eq!(known.bytes, 0);
}

#[test]
fn values_are_compared_by_their_type() {
    assert!(is_same(ValueKind::Boolean, "1", "true"));
    assert!(is_same(ValueKind::UnsignedInt, "007", "7"));
    assert!(!is_same(ValueKind::String, "007", "7"));
    assert!(!is_same(ValueKind::Boolean, "yes", "true"));
}
