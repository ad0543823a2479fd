//! The table of operations, walked: who is refused, who is let through, and what is noted.
//!
//! Nothing here knows an operation by name: one that is added to the table is walked too.

mod document;

use std::{fmt::Write, net::SocketAddr, sync::Arc, time::Duration};

use expect_test::expect_file;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::*;
use crate::{
    people::{Role, secret},
    store::{AccountRow, TokenRow},
};

/// Requests within a minute: more than any walk makes.
const QUOTA: u32 = 1_000_000;

/// The API on a store of its own.
struct World {
    hems: Arc<Hems>,
    desk: Arc<Desk>,
    address: SocketAddr,
    folder: tempfile::TempDir,
    _shutdown: watch::Sender<bool>,
}

impl World {
    async fn new() -> Self {
        Self::with(QUOTA).await
    }

    /// With so many requests a minute.
    async fn with(quota: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hems = Arc::new(Hems::for_tests(folder.path(), Duration::from_secs(60)).await);
        let token = Token::load(&folder.path().join("api.token")).unwrap();
        let desk = Arc::new(Desk::new(
            token,
            false,
            folder.path().to_owned(),
            (None, Pages::new(""), Rates::new(quota)),
        ));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, watched) = watch::channel(false);
        let router = router(&Api { hems: Arc::clone(&hems), desk: Arc::clone(&desk) });
        tokio::spawn(listener::listen(listener, None, router, watched));
        Self { hems, desk, address, folder, _shutdown: shutdown }
    }

    /// The header with this machine's own token.
    fn local(&self) -> String {
        let token = std::fs::read_to_string(self.folder.path().join("api.token")).unwrap();
        format!("Authorization: Bearer {}\r\n", token.trim())
    }

    /// The token of a new account.
    async fn token(&self, role: Role, scope: Option<&str>) -> String {
        let now = self.hems.now().as_millisecond();
        let name = format!("{}-{}", role.name(), scope.map_or("all", |_| "some"));
        let row = AccountRow {
            name: name.clone(),
            role: role.name().to_owned(),
            scope: scope.map(str::to_owned),
            password: None,
            subject: None,
            is_disabled: false,
            made_at: now,
            last_login_at: None,
        };
        self.hems.store.add_account(row).await.unwrap();
        let (key, hash) = secret::key().unwrap();
        let row = TokenRow {
            prefix: name.clone(),
            hash,
            name: name.clone(),
            account: name.clone(),
            role: role.name().to_owned(),
            scope: None,
            made_at: now,
            expires_at: now + 3_600_000,
            last_used_at: None,
        };
        self.hems.store.add_token(row).await.unwrap();
        format!("Authorization: Bearer hearth_{name}_{key}\r\n")
    }

    async fn status(&self, method: &str, path: &str, authorization: &str) -> u16 {
        let head = self.head(method, path, authorization).await;
        head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Everything before the body, in small letters.
    async fn head(&self, method: &str, path: &str, authorization: &str) -> String {
        self.head_of((method, path), authorization, "{}").await
    }

    /// The whole answer, in small letters.
    async fn answer(&self, method: &str, path: &str, authorization: &str) -> String {
        let mut tcp = self.ask((method, path), authorization, "{}").await;
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        answer.to_ascii_lowercase()
    }

    /// What this machine's own token is answered.
    async fn json(&self, place: (&str, &str), header: &str, body: &str) -> serde_json::Value {
        let mut tcp = self.ask(place, &(self.local() + header), body).await;
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        json(answer.split_once("\r\n\r\n").unwrap().1)
    }

    async fn head_of(&self, place: (&str, &str), authorization: &str, body: &str) -> String {
        let tcp = self.ask(place, authorization, body).await;
        // A stream of events has no end.
        let (mut answer, mut reader) = (String::new(), BufReader::new(tcp));
        while !answer.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut answer).await.unwrap(), 0, "{answer}");
        }
        answer.to_ascii_lowercase()
    }

    async fn ask(&self, (method, path): (&str, &str), authorization: &str, body: &str) -> TcpStream {
        let mut tcp = TcpStream::connect(self.address).await.unwrap();
        let path = path.replace(['{', '}'], "");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{authorization}\r\n{body}",
            body.len()
        );
        tcp.write_all(request.as_bytes()).await.unwrap();
        tcp
    }
}

#[tokio::test]
async fn o12_every_path_refuses_a_caller_who_is_not_known() {
    let world = World::new().await;
    let right = world.local();
    let is_open = |method: &str, path: &str| {
        let method = if method == "HEAD" { "GET" } else { method };
        rules().iter().any(|rule| rule.right == Right::Open && (rule.method, rule.path) == (method, path))
    };
    for path in rules().iter().map(|rule| rule.path).chain(["/", "/api/v1/nothing"]) {
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"] {
            for wrong in [
                "",
                "Authorization: Bearer 0\r\n",
                "Authorization: Basic YTpi\r\n",
                "Authorization: Bearer hearth_0_0\r\n",
                "Cookie: hearth=0\r\n",
            ] {
                let is_refused = world.status(method, path, wrong).await == 401;
                assert_eq!(is_refused, !is_open(method, path), "{method} {path} {wrong}");
            }
            assert_ne!(world.status(method, path, &right).await, 401, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn o12_every_operation_lets_through_the_roles_of_the_table_and_no_other() {
    let world = World::new().await;
    for role in Role::ALL {
        let (token, scoped) = (world.token(role, None).await, world.token(role, Some("tag=north")).await);
        for rule in rules() {
            let status = world.status(rule.method, rule.path, &token).await;
            assert!(document::answers(rule).contains(&status), "{}: the document has no {status}", rule.id);
            let is_refused = status == 403;
            assert_eq!(is_refused, !rule.right.permits(role), "{} {}", rule.id, role.name());
            let is_refused = world.status(rule.method, rule.path, &scoped).await == 403;
            let is_for_part = rule.is_for_any_scope() && rule.right.permits(role);
            assert_eq!(is_refused, !is_for_part, "{} {} of a part", rule.id, role.name());
        }
    }
}

#[tokio::test]
async fn o12_every_change_is_noted_before_and_after_it_and_nothing_else_is() {
    let world = World::new().await;
    let token = world.token(Role::Admin, None).await;
    let viewer = world.token(Role::Viewer, None).await;
    for rule in rules().iter().filter(|rule| rule.right != Right::Open) {
        let end = world.hems.store.audit_end().await.unwrap().number();
        let statuses = [
            world.status(rule.method, rule.path, &token).await,
            world.status(rule.method, rule.path, &viewer).await,
        ];
        let lines = world.hems.store.audit_lines(end, 10).await.unwrap();
        assert_eq!(lines.len(), if rule.is_change { 4 } else { 0 }, "{}", rule.id);
        let who = ["admin-all", "viewer-all"];
        for (pair, (status, who)) in lines.chunks(2).zip(statuses.into_iter().zip(who)) {
            let read = |at: usize| json(&pair.get(at).unwrap().1);
            let (opened, closed) = (read(0), read(1));
            assert_eq!((&opened["event"], &closed["event"]), (&"opened".into(), &"closed".into()));
            assert_eq!(closed["status"], status, "{closed}");
            assert_eq!(opened["request"], closed["request"]);
            for line in [opened, closed] {
                assert_eq!((&line["operation"], &line["who"]), (&rule.id.into(), &who.into()), "{line}");
                assert_eq!(line["source"], "127.0.0.1");
                assert!(line["target"].as_str().unwrap().starts_with("/api/v1/"), "{line}");
            }
        }
    }
}

#[tokio::test]
async fn o12_no_array_is_taken_for_an_object() {
    let world = World::new().await;
    let token = world.token(Role::Admin, None).await;
    let document: serde_json::Value = serde_json::from_str(openapi::DOCUMENT).unwrap();
    let mut tried = 0;
    for rule in rules() {
        let body = &document["paths"][rule.path][rule.method.to_ascii_lowercase()]["requestBody"]["content"];
        if body.as_object().is_none_or(|kinds| kinds.keys().ne(["application/json"])) {
            continue;
        }
        let head = world.head_of((rule.method, rule.path), &token, "[]").await;
        assert!(head.starts_with("http/1.1 4"), "{}: {head}", rule.id);
        tried += 1;
    }
    assert!(tried > 25, "{tried}");
}

#[tokio::test]
async fn o12_a_query_that_an_operation_does_not_know_is_refused() {
    let world = World::new().await;
    let token = world.token(Role::Admin, None).await;
    let (mut refused, mut absent) = (0, 0);
    // An identity provider adds what it likes to the way back.
    for rule in rules().iter().filter(|rule| rule.id != "end-oidc-login") {
        for query in ["?colour=red", "?colour"] {
            let answer = world.answer(rule.method, &format!("{}{query}", rule.path), &token).await;
            let is_refused = answer.starts_with("http/1.1 400 ") && answer.contains("colour");
            // Some look first for the thing that the path names.
            let is_absent = answer.starts_with("http/1.1 404 ") && rule.has_query && rule.path.contains('{');
            assert!(is_refused || is_absent, "{}: {answer}", rule.id);
            (refused, absent) = (refused + usize::from(is_refused), absent + usize::from(is_absent));
        }
    }
    assert!(refused > 180 && absent < 20, "{refused} refused, {absent} absent");
    assert_eq!(world.status("GET", "/api/v1/pools?", &token).await, 200, "an empty one is none");
}

#[tokio::test]
async fn o12_a_broken_chain_is_found_and_named() {
    let world = World::new().await;
    let token = world.token(Role::Admin, None).await;
    for _ in 0..3 {
        world.status("DELETE", "/api/v1/templates/none", &token).await;
    }
    let verified = async || {
        let api = Api { hems: Arc::clone(&world.hems), desk: Arc::clone(&world.desk) };
        let verification = audit_log::verify(axum::extract::State(api)).await.ok().unwrap();
        serde_json::to_value(verification.0).unwrap()
    };
    let whole = verified().await;
    assert_eq!((&whole["intact"], &whole["lines"]), (&true.into(), &6.into()), "{whole}");
    world.hems.store.forge(4, "admin-all", "nobody").await;
    let broken = verified().await;
    assert_eq!((&broken["intact"], &broken["broken"]["number"]), (&false.into(), &4.into()), "{broken}");
    assert_eq!(broken["broken"]["detail"], "line 4 was changed after it was written");
}

#[tokio::test]
async fn o05_an_emergency_whose_listing_was_cut_off_is_not_complete() {
    let (world, id) = cut_off().await;
    let path = format!("/api/v1/radio-off/{id}");
    let shown = async || world.json(("GET", &path), "", "").await;
    let cut = shown().await;
    assert_eq!((&cut["devices"], &cut["off"]), (&0.into(), &0.into()));
    assert_eq!((&cut["listed_at"], &cut["is_complete"]), (&serde_json::Value::Null, &false.into()), "{cut}");
    let order = r#"{"filter": "", "reason": "smoke"}"#;
    let anew = world.json(("POST", "/api/v1/radio-off"), "", order).await;
    assert_eq!((&anew["devices"], anew["listed_at"].is_string()), (&1.into(), true), "{anew}");
    assert_eq!(shown().await["is_complete"], false);
}

#[tokio::test]
async fn o04_an_action_that_was_cut_off_goes_on_when_it_comes_again() {
    let (world, _) = cut_off().await;
    let new = crate::store::NewAction {
        action: r#"{"action":"reboot"}"#.to_owned(),
        filter: "state = never".to_owned(),
        method: "Reboot".to_owned(),
        body: String::new(),
        name: "action-1".to_owned(),
        key: Some("monday".to_owned()),
        fleet: 1,
        days: 7,
        act: crate::store::Act { author: "x".to_owned(), reason: String::new(), at: world.hems.now() },
    };
    let cut = world.hems.store.prepare_action(new).await.unwrap().unwrap();
    let order = r#"{"filter": "state = never", "action": {"action": "reboot"}}"#;
    let asked = async || world.json(("POST", "/api/v1/actions"), "Idempotency-Key: monday\r\n", order).await;
    for change in [asked().await, asked().await] {
        assert_eq!((&change["id"], &change["matched"]), (&cut.id.into(), &1.into()), "{change}");
        assert_eq!(change["state"], "running");
    }
}

/// A device, and an emergency of which nobody said that all its devices are named.
async fn cut_off() -> (World, i64) {
    let world = World::new().await;
    let now = world.hems.now();
    let identity = profile::Identity::parse("00005e005301.hnb.example").unwrap();
    let (oui, product_class) = ("00005E".to_owned(), "C".to_owned());
    let binding = crate::store::Binding { oui, product_class, serial: "1".to_owned() };
    world.hems.store.admit(vec![(identity, binding)], false, now).await.unwrap();
    let act = crate::store::Act { author: "x".to_owned(), reason: "smoke".to_owned(), at: now };
    let id = world.hems.store.order_radio_off(String::new(), act).await.unwrap();
    (world, id)
}

#[tokio::test]
async fn o12_a_token_that_is_over_opens_nothing() {
    let world = World::new().await;
    let token = world.token(Role::Viewer, None).await;
    assert_eq!(world.status("GET", "/api/v1/me", &token).await, 200);
    let now = world.hems.now();
    let row = world.hems.store.token("viewer-all", now).await.unwrap().unwrap();
    assert!(row.last_used_at.is_some());
    let (key, hash) = secret::key().unwrap();
    let over = TokenRow { prefix: "over".to_owned(), hash, expires_at: now.as_millisecond(), ..row };
    world.hems.store.add_token(over).await.unwrap();
    let over = format!("Authorization: Bearer hearth_over_{key}\r\n");
    assert_eq!(world.status("GET", "/api/v1/me", &over).await, 401);
}

#[tokio::test]
async fn o12_who_asks_too_often_is_told_when_to_come_back() {
    let world = World::with(5).await;
    let (token, local) = (world.token(Role::Admin, None).await, world.local());
    let (path, line) = ("/api/v1/me", |head: &str, name: &str| {
        head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
    });
    for left in (0..5).rev() {
        let head = world.head("GET", path, &token).await;
        assert_eq!(line(&head, "ratelimit-policy").as_deref(), Some("\"caller\";q=5;w=60"), "{head}");
        assert!(line(&head, "ratelimit").unwrap().starts_with(&format!("\"caller\";r={left};t=")), "{head}");
    }
    let head = world.head("GET", path, &token).await;
    assert!(head.starts_with("http/1.1 429 "), "{head}");
    let wait: u32 = line(&head, "retry-after").unwrap().parse().unwrap();
    assert!((1..=12).contains(&wait), "{head}");
    for (path, authorization, status) in [
        (path, token.as_str(), 429),
        ("/api/v1/events", token.as_str(), 200),
        (path, local.as_str(), 200),
        (path, "", 401),
    ] {
        assert_eq!(world.status("GET", path, authorization).await, status, "{path}");
    }
    let statuses = [world.status("GET", path, "").await, world.status("GET", path, "").await];
    assert_eq!(statuses, [401; 2], "strangers have a bucket of their own");
    world.head("GET", path, "").await;
    world.head("GET", path, "").await;
    assert_eq!(world.status("GET", path, "Authorization: Bearer hearth_0_0\r\n").await, 429);
    // What was refused changed nothing, and is not noted.
    let end = world.hems.store.audit_end().await.unwrap().number();
    assert_eq!(world.status("DELETE", "/api/v1/templates/lab", &token).await, 429);
    assert_eq!(world.hems.store.audit_end().await.unwrap().number(), end);
    let text = world.hems.metrics.text(&world.hems.store, true);
    for line in [
        "hems_api_too_many_requests_total{operation=\"show-me\"} 3",
        "hems_api_too_many_requests_total{operation=\"delete-template\"} 1",
        "hems_api_requests_total{method=\"DELETE\",operation=\"delete-template\",status=\"4xx\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn operations_have_names_of_their_own_and_places_of_their_own() {
    let mut ids: Vec<_> = rules().iter().map(|rule| rule.id).collect();
    let mut places: Vec<_> = rules().iter().map(|rule| (rule.method, rule.path)).collect();
    for count in [ids.len(), places.len()] {
        assert_eq!(count, rules().len());
    }
    ids.sort_unstable();
    ids.dedup();
    places.sort_unstable();
    places.dedup();
    assert_eq!((ids.len(), places.len()), (rules().len(), rules().len()));
}

#[test]
fn o12_the_page_of_roles_is_the_table() {
    let mut page = String::from(
        "# Roles\n\nWhich role may do what: generated from the table of operations by a test of `hems` \
         (`UPDATE_EXPECT=1 cargo test -p hems page_of_roles`).\n\
         An operation without *scoped* is about the whole deployment, and refused to who has a scope; \
         see [People](people.md).\nEverybody may log in, and whoever is known may see and change what is his own.\n\n\
         | operation | route | scoped |",
    );
    let roles = Role::ALL.map(Role::name);
    let _ = writeln!(page, " {} |\n|---|---|---|{}", roles.join(" | "), ":-:|".repeat(roles.len()));
    for rule in rules().iter().filter(|rule| rule.right != Right::Open) {
        let marks = Role::ALL.map(|role| if rule.right.permits(role) { "x" } else { " " }).join(" | ");
        let scoped = if rule.is_for_any_scope() { "scoped" } else { "" };
        let _ = writeln!(page, "| `{}` | {} `{}` | {scoped} | {marks} |", rule.id, rule.method, rule.path);
    }
    expect_file!["../../../../docs/operate/roles.md"].assert_eq(&page);
}
