//! People: how they come in, what they see, what they may, and what is noted of them.

use std::{os::unix::fs::PermissionsExt, path::PathBuf};

use bytes::Bytes;
use cwmp::EventCode;
use hems::AuditChain;
use http_body_util::Full;
use hyper::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::{
    cell::{Cell, Tree},
    world::{World, identity, send, serial},
};

pub(crate) const PASSWORD: &str = "correct horse battery";
const FIRST: &str = "/api/v1/first-administrator";
pub(crate) const LOGIN: &str = "/api/v1/login";
const ME: &str = "/api/v1/me";

/// Somebody who asks, with what he shows.
#[derive(Clone, Default)]
pub(crate) struct Person {
    headers: Vec<(&'static str, String)>,
}

impl Person {
    pub(crate) fn with(header: &'static str, value: impl Into<String>) -> Self {
        Self { headers: vec![(header, value.into())] }
    }

    fn and(&self, header: &'static str, value: &str) -> Self {
        let mut person = self.clone();
        person.headers.push((header, value.to_owned()));
        person
    }

    /// What he shows, as lines of a request.
    pub(crate) fn lines(&self) -> String {
        self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
    }

    pub(crate) fn request(&self, method: Method, path: &str, body: &Value) -> Request<Full<Bytes>> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("host", "hearth.example").header("content-type", "application/json");
        let request =
            self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        request.body(Full::new(body.into())).unwrap()
    }

    pub(crate) async fn ask(
        &self,
        world: &World,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, HeaderMap, Value) {
        let tcp = TcpStream::connect(world.api).await.unwrap();
        let (parts, value) = send(tcp, self.request(method, path, &body)).await;
        (parts.status, parts.headers, value)
    }

    pub(crate) async fn get(&self, world: &World, path: &str) -> (StatusCode, Value) {
        let (status, _, value) = self.ask(world, Method::GET, path, Value::Null).await;
        (status, value)
    }

    pub(crate) async fn post(&self, world: &World, path: &str, body: Value) -> (StatusCode, Value) {
        let (status, _, value) = self.ask(world, Method::POST, path, body).await;
        (status, value)
    }
}

/// Whoever comes with the cookie of an answer.
fn with_cookie(headers: &HeaderMap) -> Person {
    let cookie = headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    Person::with("cookie", cookie.split(';').next().unwrap())
}

fn link_file(world: &World) -> PathBuf {
    world.path("state/first-administrator.link")
}

fn first(world: &World) -> Value {
    let link = std::fs::read_to_string(link_file(world)).unwrap();
    let key = link.trim().split_once("/first-administrator#").unwrap().1;
    json!({"key": key, "name": "ann", "password": PASSWORD})
}

/// An account with a password, made by the local token.
pub(crate) async fn account(world: &World, name: &str, role: &str, scope: Option<&str>) {
    let body = json!({"name": name, "role": role, "scope": scope, "password": PASSWORD});
    let (status, shown) = world.ask(Method::POST, "/api/v1/accounts", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{shown}");
}

/// The cookie of somebody who logs in.
pub(crate) async fn login(world: &World, name: &str) -> Person {
    let body = json!({"name": name, "password": PASSWORD});
    let (status, headers, shown) = Person::default().ask(world, Method::POST, LOGIN, body).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    with_cookie(&headers).and("origin", "http://hearth.example")
}

#[tokio::test]
async fn o12_the_first_administrator_comes_in_by_a_link_that_works_once() {
    let world = World::new().await;
    let mode = std::fs::metadata(link_file(&world)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let wanted = first(&world);
    let mut wrong = wanted.clone();
    wrong["key"] = "0".repeat(64).into();
    let stranger = Person::default();
    assert_eq!(stranger.post(&world, FIRST, wrong).await.0, StatusCode::FORBIDDEN);
    let mut short = wanted.clone();
    short["password"] = "short".into();
    let (status, problem) = stranger.post(&world, FIRST, short).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().unwrap().contains("12 to 256 characters"), "{problem}");
    let (status, headers, me) = stranger.ask(&world, Method::POST, FIRST, wanted.clone()).await;
    assert_eq!((status, &me["name"], &me["roles"]), (StatusCode::CREATED, &json!("ann"), &json!(["admin"])));
    assert!(!link_file(&world).exists());
    assert_eq!(with_cookie(&headers).get(&world, "/api/v1/accounts").await.0, StatusCode::OK);
    let again = stranger.post(&world, FIRST, wanted).await;
    assert_eq!((again.0, &again.1["code"]), (StatusCode::FORBIDDEN, &json!("spent")));
    let world = world.restart().await;
    assert!(!link_file(&world).exists(), "nobody needs another");
    assert_eq!(login(&world, "ann").await.get(&world, ME).await.1["proof"], "login");
}

#[tokio::test]
async fn o12_a_login_is_a_cookie_that_only_our_own_pages_can_use() {
    let world = World::new().await;
    account(&world, "ann", "engineer", None).await;
    let person = login(&world, "ann").await;
    let cookie = Person { headers: vec![person.headers[0].clone()] };
    let pool = json!({"first": 1, "last": 2});
    let put =
        async |person: &Person| person.ask(&world, Method::PUT, "/api/v1/pools/pci", pool.clone()).await.0;
    assert_eq!(put(&person).await, StatusCode::OK);
    for other in [cookie.clone(), cookie.and("origin", "http://evil.example"), cookie.and("origin", "null")] {
        assert_eq!(put(&other).await, StatusCode::FORBIDDEN);
    }
    assert_eq!(cookie.get(&world, ME).await.0, StatusCode::OK, "reading changes nothing");
    let foreign = Person::with("origin", "http://evil.example");
    let body = json!({"name": "ann", "password": PASSWORD});
    assert_eq!(
        foreign.post(&world, LOGIN, body).await.0,
        StatusCode::FORBIDDEN,
        "nobody is logged in unasked"
    );
    let (status, headers, _) = person.ask(&world, Method::POST, "/api/v1/logout", Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(cookie.get(&world, ME).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn o12_wrong_passwords_say_nothing_and_are_throttled() {
    let world = World::new().await;
    account(&world, "ann", "viewer", None).await;
    let stranger = Person::default();
    let mut seen = Vec::new();
    for name in ["ann", "nobody", "ann", "nobody", "ann"] {
        let body = json!({"name": name, "password": "wrong horse battery"});
        let (status, problem) = stranger.post(&world, LOGIN, body).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        seen.push(problem);
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
    let right = json!({"name": "ann", "password": PASSWORD});
    let (status, headers, problem) = stranger.ask(&world, Method::POST, LOGIN, right).await;
    assert_eq!((status, &problem["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("throttled")));
    assert_eq!(headers["retry-after"], "1");
    let log = world.get("/api/v1/audit-log?limit=1000").await;
    let tries = log["items"].as_array().unwrap().iter().filter(|line| line["operation"] == "login");
    let statuses: Vec<_> = tries.filter_map(|line| line["status"].as_u64()).collect();
    assert_eq!(statuses, [401; 5], "what is throttled is not even looked at");
    assert!(!log.to_string().contains("horse"), "no password is noted");
}

#[tokio::test]
async fn o12_an_account_changes_and_what_it_had_open_ends() {
    let world = World::new().await;
    account(&world, "ann", "viewer", None).await;
    let person = login(&world, "ann").await;
    assert_eq!(person.get(&world, "/api/v1/accounts").await.0, StatusCode::FORBIDDEN);
    world.put("/api/v1/accounts/ann", json!({"role": "admin"})).await;
    assert_eq!(person.get(&world, "/api/v1/accounts").await.0, StatusCode::OK, "from the next request on");
    let next = json!({"present": PASSWORD, "next": "another long password"});
    let change = async |person: &Person, body: &Value| {
        person.ask(&world, Method::PUT, "/api/v1/me/password", body.clone()).await.0
    };
    assert_eq!(change(&person, &json!({"present": "no", "next": PASSWORD})).await, StatusCode::FORBIDDEN);
    assert_eq!(change(&person, &next).await, StatusCode::NO_CONTENT);
    assert_eq!(person.get(&world, ME).await.0, StatusCode::UNAUTHORIZED, "every login ended");
    let given = json!({"password": PASSWORD});
    let path = "/api/v1/accounts/ann/password";
    assert_eq!(world.ask(Method::PUT, path, Some(given)).await.0, StatusCode::NO_CONTENT);
    let person = login(&world, "ann").await;
    world.put("/api/v1/accounts/ann", json!({"role": "admin", "disabled": true})).await;
    assert_eq!(person.get(&world, ME).await.0, StatusCode::UNAUTHORIZED);
    let body = json!({"name": "ann", "password": PASSWORD});
    assert_eq!(Person::default().post(&world, LOGIN, body).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn o12_what_an_account_is_given_is_said_to_be_wrong_or_taken_as_it_is_meant() {
    let world = World::new().await;
    let add = async |name: &str, subject: &str, scope: &str| {
        let body = json!({"name": name, "role": "viewer", "subject": subject, "scope": scope});
        world.ask(Method::POST, "/api/v1/accounts", Some(body)).await
    };
    let (status, account) = add("ann", "ann-1", "tag=North").await;
    assert_eq!((status, &account["scope"]), (StatusCode::CREATED, &json!("tag=north")), "{account}");
    let (status, problem) = add("bob", "bob-1", "tag=no rth").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().unwrap().contains("a-z, 0-9"), "{problem}");
    for subject in ["a\u{0}", "a\nb", "\u{7f}"] {
        let (status, problem) = add("bob", subject, "tag=north").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(problem["detail"].as_str().unwrap().contains("control"), "{problem}");
    }
}

#[tokio::test]
async fn o12_a_token_is_shown_once_and_may_less_than_its_account() {
    let world = World::new().await;
    account(&world, "ann", "engineer", None).await;
    let person = login(&world, "ann").await;
    let body = json!({"name": "export", "role": "viewer", "days": 1});
    let (status, made) = person.post(&world, "/api/v1/tokens", body.clone()).await;
    assert_eq!((status, &made["account"]), (StatusCode::CREATED, &json!("ann")), "{made}");
    let program = Person::with("authorization", format!("Bearer {}", made["token"].as_str().unwrap()));
    let me = program.get(&world, ME).await.1;
    assert_eq!(me["roles"], json!(["engineer", "viewer"]));
    let pool = json!({"first": 1, "last": 2});
    let put = program.ask(&world, Method::PUT, "/api/v1/pools/pci", pool).await;
    assert_eq!(put.0, StatusCode::FORBIDDEN, "{}", put.2);
    assert_eq!(program.post(&world, "/api/v1/tokens", body).await.0, StatusCode::FORBIDDEN);
    let more = json!({"name": "more", "role": "admin"});
    assert_eq!(person.post(&world, "/api/v1/tokens", more).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let list = person.get(&world, "/api/v1/tokens").await.1;
    let row = &list["items"][0];
    assert!(row["last_used_at"].is_string() && row["prefix"] == made["prefix"] && row.get("token").is_none());
    let others = json!({"name": "x", "account": "bob"});
    assert_eq!(person.post(&world, "/api/v1/tokens", others).await.0, StatusCode::FORBIDDEN);
    let path = format!("/api/v1/tokens/{}", made["prefix"].as_str().unwrap());
    assert_eq!(person.ask(&world, Method::DELETE, &path, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(program.get(&world, ME).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn o12_a_token_ends_with_its_account() {
    let world = World::new().await;
    account(&world, "ann", "viewer", None).await;
    let body = json!({"name": "export", "account": "ann"});
    let (status, made) = world.ask(Method::POST, "/api/v1/tokens", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let program = Person::with("authorization", format!("Bearer {}", made["token"].as_str().unwrap()));
    assert_eq!(program.get(&world, ME).await.0, StatusCode::OK);
    world.put("/api/v1/accounts/ann", json!({"role": "viewer", "disabled": true})).await;
    assert_eq!(program.get(&world, ME).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(world.ask(Method::DELETE, "/api/v1/accounts/ann", None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(world.get("/api/v1/tokens").await["items"], json!([]));
}

/// Two cells that called, of which the first is tagged and the second is a tenant's.
async fn two_cells(world: &World) {
    for number in [1, 2] {
        let pair = world.certificate(number);
        let mut cell = Cell::over(world.connect(&pair).await, number).await;
        cell.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    }
    let [first, second] = [1, 2].map(|number| format!("/api/v1/devices/{}/place", identity(number)));
    world.put(&first, json!({"tags": ["north"]})).await;
    world.put(&second, json!({"labels": {"tenant": "Acme"}})).await;
}

#[tokio::test]
async fn o12_somebody_with_a_scope_sees_and_changes_only_what_is_in_it() {
    let world = World::new().await;
    two_cells(&world).await;
    for (name, scope, seen, unseen) in [("ann", "tag=north", 1, 2), ("bob", "tenant=acme", 2, 1)] {
        account(&world, name, "engineer", Some(scope)).await;
        let person = login(&world, name).await;
        let (seen, unseen) = (identity(seen), identity(unseen));
        let identities = async |path: &str| {
            let list = person.get(&world, path).await.1;
            let items = list["items"].as_array().unwrap().clone();
            items.iter().map(|item| item["identity"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(identities("/api/v1/devices").await, [seen.as_str()]);
        let filter = format!("/api/v1/devices?filter=identity+%3D+{unseen}");
        assert_eq!(identities(&filter).await, Vec::<String>::new());
        assert_eq!(identities("/api/v1/sessions").await, [seen.as_str()]);
        let unseen_sessions = format!("/api/v1/sessions?identity={unseen}");
        assert_eq!(identities(&unseen_sessions).await, Vec::<String>::new());
        for (path, status) in [(&seen, StatusCode::OK), (&unseen, StatusCode::NOT_FOUND)] {
            for part in ["", "/place", "/calls"] {
                let path = format!("/api/v1/devices/{path}{part}");
                assert_eq!(person.get(&world, &path).await.0, status, "{path}");
            }
        }
        let reboot = json!({"Reboot": {"CommandKey": "k"}});
        let call = async |identity: &str| {
            person.post(&world, &format!("/api/v1/devices/{identity}/calls"), reboot.clone()).await.0
        };
        assert_eq!(call(&seen).await, StatusCode::CREATED);
        assert_eq!(call(&unseen).await, StatusCode::NOT_FOUND);
        let place = format!("/api/v1/devices/{seen}/place");
        let (status, _, problem) = person.ask(&world, Method::PUT, &place, json!({"tags": ["south"]})).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(person.get(&world, "/api/v1/templates").await.0, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn o12_an_operator_restarts_cells_and_an_engineer_configures_them() {
    let world = World::new().await;
    let body = json!({"identity": identity(1), "oui": "00005E", "product_class": "C", "serial": serial(1)});
    let (status, shown) = world.ask(Method::POST, "/api/v1/devices", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{shown}");
    let path = format!("/api/v1/devices/{}/calls", identity(1));
    let reboot = json!({"Reboot": {"CommandKey": "k"}});
    let mut resets = Vec::new();
    for (name, configures) in [("operator", StatusCode::FORBIDDEN), ("engineer", StatusCode::CREATED)] {
        account(&world, name, name, None).await;
        let person = login(&world, name).await;
        let (status, queued) = person.post(&world, &path, reboot.clone()).await;
        assert_eq!(status, StatusCode::CREATED, "{queued}");
        let place = format!("{path}/{}", queued["id"]);
        assert_eq!(person.ask(&world, Method::DELETE, &place, Value::Null).await.0, StatusCode::OK);
        let (status, shown) = person.post(&world, &path, json!({"FactoryReset": {}})).await;
        assert_eq!(status, configures, "{shown}");
        resets.push((person, format!("{path}/{}", shown["id"])));
    }
    // Whoever may not order it may not cancel it either.
    let reset = &resets[1].1;
    let operator = resets[0].0.ask(&world, Method::DELETE, reset, Value::Null).await;
    assert_eq!(operator.0, StatusCode::FORBIDDEN, "{}", operator.2);
    let (status, _, cancelled) = resets[1].0.ask(&world, Method::DELETE, reset, Value::Null).await;
    assert_eq!((status, &cancelled["outcome"]["CancelledBy"]), (StatusCode::OK, &json!("engineer")));
}

#[tokio::test]
async fn o12_the_audit_log_is_exported_whole_and_verified_elsewhere() {
    let world = World::new().await;
    account(&world, "ann", "auditor", None).await;
    let auditor = login(&world, "ann").await;
    world.put("/api/v1/pools/pci", json!({"first": 1, "last": 2})).await;
    let (mut chain, mut token) = (AuditChain::default(), String::new());
    loop {
        let page = auditor.get(&world, &format!("/api/v1/audit-log?limit=2{token}")).await.1;
        for line in page["items"].as_array().unwrap() {
            chain.follow(&line.to_string()).unwrap();
        }
        let Some(next) = page["next_page_token"].as_str() else { break };
        token = format!("&page_token={next}");
    }
    let verified = auditor.get(&world, "/api/v1/audit-log/verification").await.1;
    assert_eq!(verified, json!({"intact": true, "lines": chain.number(), "hash": chain.hash()}));
    assert_eq!(chain.number(), 6, "an account, a login, a pool");
    let last = auditor.get(&world, "/api/v1/audit-log?last=1").await.1;
    assert_eq!(
        (&last["items"][0]["operation"], &last["items"][0]["who"]),
        (&json!("put-pool"), &json!("local"))
    );
    assert_eq!(last["items"].as_array().unwrap().len(), 1);
    let pool = json!({"first": 1, "last": 3});
    let refused = auditor.ask(&world, Method::PUT, "/api/v1/pools/pci", pool).await;
    assert_eq!(refused.0, StatusCode::FORBIDDEN);
    let id = refused.1["x-request-id"].to_str().unwrap().to_owned();
    let last = auditor.get(&world, "/api/v1/audit-log?last=2").await.1;
    for (line, event) in last["items"].as_array().unwrap().iter().zip(["opened", "closed"]) {
        assert_eq!((&line["event"], &line["request"]), (&json!(event), &json!(id)), "refusals are noted too");
    }
}

#[tokio::test]
async fn o12_nobody_is_called_what_the_server_calls_itself() {
    let world = World::new().await;
    account(&world, "ann", "admin", None).await;
    for name in ["plan", "local", "anonymous"] {
        let fingerprint = "ab".repeat(32);
        for (path, body) in [
            ("/api/v1/accounts", json!({"name": name, "role": "viewer", "password": PASSWORD})),
            ("/api/v1/machines", json!({"name": name, "role": "viewer", "fingerprint": fingerprint})),
            ("/api/v1/tokens", json!({"name": name, "account": "ann"})),
        ] {
            let (status, problem) = world.ask(Method::POST, path, Some(body)).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {name}: {problem}");
            assert!(problem["detail"].as_str().unwrap().contains(name), "{path}: {problem}");
        }
    }
}
