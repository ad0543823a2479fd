//! What callers may and see: every grant has its say.

use super::*;

fn caller(grants: &[(Role, Option<&str>)]) -> Caller {
    let grant = |(role, scope): &(Role, Option<&str>)| Grant {
        role: *role,
        scope: scope.map(|text| Scope::try_from(text.to_owned()).unwrap()),
    };
    let source = std::net::Ipv4Addr::LOCALHOST.into();
    Caller { name: "ann".to_owned(), proof: Proof::Local, grants: grants.iter().map(grant).collect(), source }
}

#[test]
fn o12_a_token_may_what_both_it_and_its_account_may() {
    let both = caller(&[(Role::Admin, None), (Role::Operator, None)]);
    assert!(both.may(Right::Operate) && both.may(Right::Look) && !both.may(Right::Secure));
    let neither = caller(&[(Role::Security, None), (Role::Engineer, None)]);
    assert!(neither.may(Right::Look) && !neither.may(Right::Operate) && !neither.may(Right::Secure));
}

#[test]
fn o12_a_role_is_within_another_that_may_all_that_it_may() {
    let within: Vec<_> = Role::ALL.into_iter().filter(|role| role.is_within(Role::Engineer)).collect();
    assert_eq!(within, [Role::Viewer, Role::Operator, Role::Engineer]);
    assert!(Role::ALL.into_iter().all(|role| role.is_within(Role::Admin) && Role::Viewer.is_within(role)));
    assert!(Role::Auditor.is_within(Role::Security) && !Role::Security.is_within(Role::Auditor));
}

#[test]
fn o12_a_scope_narrows_every_filter() {
    let filter = Filter::parse("serial : a OR serial : b").unwrap();
    assert_eq!(caller(&[(Role::Viewer, None)]).narrow(filter.clone()), filter);
    let narrow = caller(&[(Role::Viewer, Some("tag=north")), (Role::Viewer, Some("tenant=Acme"))]);
    assert_eq!(
        narrow.narrow(filter).to_string(),
        "tag = \"north\" AND label.tenant = \"acme\" AND (serial : \"a\" OR serial : \"b\")"
    );
    for text in ["", "tag", "tag=", "tag=a b", "site=north", "tenant=", "tenant=\n"] {
        assert!(Scope::try_from(text.to_owned()).is_err(), "{text}");
    }
}

#[test]
fn a_name_is_short_and_plain_and_nobody_s() {
    assert!(["ann", "a.b-c_d@example.com", "7"].into_iter().all(is_name));
    assert!(["", "Ann", "a b", "a/b", "local", "anonymous"].into_iter().all(|text| !is_name(text)));
    assert!(!is_name(&"a".repeat(65)));
}
