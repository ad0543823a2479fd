//! `/api/v1/files`, and what cells fetch and send over the listener of their sessions, each under its own certificate.

use bytes::Bytes;
use cwmp::{AcsMethod, DateTime, EventCode, FaultStruct, FromCpe, TransferComplete};
use hyper::{Method, StatusCode};
use profile::{FirmwareManifest, KeyPair, Sha256, pki};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    cell::{Cell, Reply, Tree},
    devices::configure,
    people::{account, login},
    world::{World, identity},
};

/// What the tests send to and fro: ten bytes.
const TEXT: &str = "0123456789";

/// Adds a file as a person.
async fn added(world: &World, kind: &str, text: &str) -> Value {
    let path = format!("/api/v1/files?kind={kind}&name=file.bin");
    let (status, file) = world.upload(Method::POST, &path, text.to_owned()).await;
    assert_eq!(status, StatusCode::CREATED, "{file}");
    file
}

async fn ask(world: &World, action: Value) -> (StatusCode, Value) {
    world.ask(Method::POST, &format!("/api/v1/devices/{}/actions", identity(1)), Some(action)).await
}

/// A world whose cell 1 serves.
async fn serving(more: &str) -> (World, Tree) {
    let world = World::with(more).await;
    configure(&world).await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    (world, tree)
}

/// Has cell 1 promise a transfer; gives the path of its URL, and its CommandKey.
async fn promised(world: &World, tree: &mut Tree, action: Value) -> (String, cwmp::Text) {
    let (status, queued) = ask(world, action).await;
    assert_eq!((status, &queued["state"]), (StatusCode::CREATED, &json!("queued")), "{queued}");
    Cell::connect(world, 1).await.session(&[EventCode::PERIODIC], tree).await;
    let call = serde_json::to_value(tree.transfers.last().unwrap()).unwrap();
    let (name, call) = call.as_object().unwrap().iter().next().unwrap();
    if name == "Download" {
        assert_eq!(
            (&call["FileType"], &call["FileSize"]),
            (&json!("3 Vendor Configuration File"), &json!(10))
        );
    }
    assert_eq!((&call["Username"], &call["Password"]), (&json!(""), &json!("")));
    let text = |key: &str| call[key].as_str().unwrap().to_owned();
    let (url, key) = (text("URL"), text("CommandKey").into());
    (url.strip_prefix("https://localhost:7547").unwrap().to_owned(), key)
}

/// One request of a cell with one more header.
async fn request(world: &World, number: u8, method: &str, path: &str, header: (&'static str, &str)) -> Reply {
    let mut cell = Cell::connect(world, number).await;
    cell.headers.push((header.0, header.1.to_owned()));
    let body = if method == "PUT" { Bytes::from_static(TEXT.as_bytes()) } else { Bytes::new() };
    cell.send(method, path, body).await.unwrap()
}

/// The cell says that its transfer is over.
async fn complete(world: &World, key: &cwmp::Text) {
    let mut cell = Cell::connect(world, 1).await;
    cell.inform(&[EventCode::TRANSFER_COMPLETE]).await;
    let complete = TransferComplete {
        command_key: key.clone(),
        fault_struct: FaultStruct::success(),
        start_time: DateTime::UNKNOWN,
        complete_time: DateTime::UNKNOWN,
    };
    cell.post("t", FromCpe::Call(AcsMethod::TransferComplete(complete))).await;
}

/// The names of the contents that lie in the folder.
fn contents(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.path("state/files")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

const PLAIN: (&str, &str) = ("accept", "*/*");

#[tokio::test]
async fn g12_a_download_names_a_url_that_serves_its_cell_in_ranges_until_the_transfer_is_complete() {
    let (world, mut tree) = serving("").await;
    let file = added(&world, "configuration", TEXT).await;
    assert_eq!(file["sha256"], "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882", "{file}");
    let (path, key) = promised(&world, &mut tree, json!({"action": "download", "file": file["id"]})).await;

    let whole = request(&world, 1, "GET", &path, PLAIN).await;
    assert_eq!((whole.status, whole.text.as_str()), (StatusCode::OK, TEXT));
    assert_eq!(whole.headers["content-length"], "10");
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    let part = request(&world, 1, "GET", &path, ("range", "bytes=7-")).await;
    assert_eq!((part.status, part.text.as_str()), (StatusCode::PARTIAL_CONTENT, "789"));
    assert_eq!(part.headers["content-range"], "bytes 7-9/10");
    let beyond = request(&world, 1, "GET", &path, ("range", "bytes=10-")).await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers["content-range"], "bytes */10");
    let wrong = request(&world, 1, "PUT", &path, PLAIN).await;
    assert_eq!(
        (wrong.status, &wrong.headers["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET".parse().unwrap())
    );

    let place = format!("/api/v1/files/{}", file["id"]);
    let (status, problem) = world.ask(Method::DELETE, &place, None).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    complete(&world, &key).await;
    assert_eq!(request(&world, 1, "GET", &path, PLAIN).await.status, StatusCode::NOT_FOUND);
    let (status, _) = world.ask(Method::DELETE, &place, None).await;
    assert_eq!((status, contents(&world)), (StatusCode::NO_CONTENT, vec![]));
}

#[tokio::test]
async fn g12_a_url_is_worth_nothing_under_another_cells_certificate() {
    let (world, mut tree) = serving("").await;
    let file = added(&world, "configuration", TEXT).await;
    let (download, _) = promised(&world, &mut tree, json!({"action": "download", "file": file["id"]})).await;
    let (upload, _) = promised(&world, &mut tree, json!({"action": "upload", "kind": "log"})).await;
    Cell::connect(&world, 2).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    for (method, path) in [("GET", &download), ("PUT", &upload), ("GET", &"/files/".to_owned())] {
        let reply = request(&world, 2, method, path, PLAIN).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{method} {path}");
        assert!(!reply.text.contains(TEXT));
    }
    assert_eq!(world.misbehaviour(2, "file_refused").await, 3);
    assert_eq!(contents(&world).len(), 1, "nothing came");
    assert_eq!(request(&world, 1, "GET", &download, PLAIN).await.text, TEXT);
}

#[tokio::test]
async fn g12_a_url_is_worth_nothing_once_its_call_is_cancelled() {
    let (world, _) = serving("").await;
    let file = added(&world, "configuration", TEXT).await;
    let (_, queued) = ask(&world, json!({"action": "download", "file": file["id"]})).await;
    let url = queued["call"]["Download"]["URL"].as_str().unwrap();
    let path = url.strip_prefix("https://localhost:7547").unwrap();
    assert_eq!(request(&world, 1, "GET", path, PLAIN).await.status, StatusCode::OK);
    let call = format!("/api/v1/devices/{}/calls/{}", identity(1), queued["id"]);
    assert_eq!(world.ask(Method::DELETE, &call, None).await.0, StatusCode::OK);
    assert_eq!(request(&world, 1, "GET", path, PLAIN).await.status, StatusCode::NOT_FOUND);
    let file = format!("/api/v1/files/{}", file["id"]);
    assert_eq!(world.ask(Method::DELETE, &file, None).await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn g12_a_url_is_over_at_its_time() {
    let (world, mut tree) = serving("[files]\nurl_seconds = 1\n").await;
    let file = added(&world, "configuration", TEXT).await;
    let (path, _) = promised(&world, &mut tree, json!({"action": "download", "file": file["id"]})).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while request(&world, 1, "GET", &path, PLAIN).await.status != StatusCode::NOT_FOUND {
        assert!(tokio::time::Instant::now() < deadline, "it is still worth something");
    }
}

#[tokio::test]
async fn g12_an_upload_may_be_repeated_and_is_there_once_when_it_is_answered() {
    let (world, mut tree) = serving("").await;
    let (path, key) = promised(&world, &mut tree, json!({"action": "upload", "kind": "configuration"})).await;
    for _ in 0..2 {
        assert_eq!(request(&world, 1, "PUT", &path, PLAIN).await.status, StatusCode::CREATED);
    }
    let listed = world.get(&format!("/api/v1/files?kind=configuration&identity={}", identity(1))).await;
    let files = listed["items"].as_array().unwrap();
    assert_eq!((files.len(), &files[0]["size"], &files[0]["author"]), (1, &json!(10), &json!(identity(1))));
    complete(&world, &key).await;
    assert_eq!(request(&world, 1, "PUT", &path, PLAIN).await.status, StatusCode::NOT_FOUND);
    let calls = world.get(&format!("/api/v1/devices/{}/calls", identity(1))).await;
    assert_eq!(calls["items"][0]["state"], "done", "{calls}");
}

#[tokio::test]
async fn g12_measurements_have_one_place_for_ever_and_belong_to_who_sent_them() {
    let world = World::new().await;
    for number in [1, 2] {
        Cell::connect(&world, number).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
        let path = "/files/measurements/A20261128.2345+0000-0000+0000.xml";
        let reply = request(&world, number, "PUT", path, PLAIN).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        assert_eq!(request(&world, number, "GET", path, PLAIN).await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    let listed = world.get("/api/v1/files?kind=measurement").await;
    let whose: Vec<_> = listed["items"].as_array().unwrap().iter().map(|file| &file["identity"]).collect();
    assert_eq!(whose, [&json!(identity(2)), &json!(identity(1))]);
    let stranger = world.connect(&world.unlisted_certificate(9)).await;
    let mut stranger = Cell::over(stranger, 9).await;
    let reply = stranger.send("PUT", "/files/measurements/a", Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(reply.status, StatusCode::NOT_FOUND, "nobody admitted it");
}

#[tokio::test]
async fn g12_what_is_too_large_empty_or_broken_off_leaves_nothing() {
    let (world, _) = serving("[files]\nupload_mb = 1\ndevice_mb = 2\n").await;
    let mut cell = Cell::connect(&world, 1).await;
    let long = Bytes::from(vec![0; (1 << 20) + 1]);
    let reply = cell.send("PUT", "/files/measurements/long", long).await;
    // The refusal may overtake the rest of the body, and the connection then ends.
    assert!(reply.is_err() || reply.is_ok_and(|reply| reply.status == StatusCode::PAYLOAD_TOO_LARGE));
    let own = world.certificate(1);
    for (head, body) in [
        ("Content-Length: 100", "0123"),
        ("Transfer-Encoding: chunked", "3\r\n012\r\n"),
        ("Content-Length: 0", ""),
    ] {
        let mut stream = world.connect(&own).await;
        let request = format!("PUT /files/measurements/x HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!String::from_utf8_lossy(&answer).contains(" 201 "), "{head}");
    }
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while !contents(&world).is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "{:?} is left", contents(&world));
        tokio::task::yield_now().await;
    }
    assert_eq!(world.get("/api/v1/files").await["items"], json!([]));
    let half = Bytes::from(vec![0; 1 << 20]);
    let mut statuses = Vec::new();
    for name in ["a", "b", "c"] {
        let mut cell = Cell::connect(&world, 1).await;
        let path = format!("/files/measurements/{name}");
        statuses.push(cell.send("PUT", &path, half.clone()).await.map_or(0, |reply| reply.status.as_u16()));
    }
    assert_eq!(statuses[..2], [201, 201], "what broke off takes no room");
    assert!([507, 0].contains(&statuses[2]), "{statuses:?}");
    assert_eq!(contents(&world).len(), 2);
}

/// An image behind a manifest of a version for a product, signed by this key.
pub(crate) fn signed(signer: &KeyPair, product_class: &str, version: &str) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(TEXT.as_bytes());
    let manifest = FirmwareManifest {
        version: version.to_owned(),
        oui: "00005E".to_owned(),
        product_class: product_class.to_owned(),
        hardware_versions: vec!["1".to_owned()],
        size: 10,
        sha256: hash.finish(),
        ..FirmwareManifest::default()
    };
    let mut file = manifest.seal(signer).unwrap();
    file.extend(TEXT.as_bytes());
    file
}

#[tokio::test]
async fn w02_firmware_comes_in_with_its_signed_manifest_and_goes_to_its_product() {
    let (world, _) = serving("").await;
    let signer = pki::issue_firmware_signer(&world.pki(), "working").unwrap();
    let path = "/api/v1/files?kind=firmware&name=cell-2.img";
    let post =
        async |bytes: Vec<u8>| world.upload(Method::POST, path, String::from_utf8(bytes).unwrap()).await;
    let (status, file) = post(signed(&signer, "SimulatedCell", "2")).await;
    assert_eq!((status, &file["manifest"]["version"]), (StatusCode::CREATED, &json!("2")), "{file}");
    let (status, queued) = ask(&world, json!({"action": "download", "file": file["id"]})).await;
    assert_eq!(status, StatusCode::CREATED, "{queued}");
    assert_eq!(queued["call"]["Download"]["FileType"], "1 Firmware Upgrade Image");
    assert_eq!(queued["call"]["Download"]["FileSize"], file["size"]);

    let (_, other) = post(signed(&signer, "OtherCell", "2")).await;
    let (status, problem) = ask(&world, json!({"action": "download", "file": other["id"]})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");

    let mut altered = signed(&signer, "SimulatedCell", "2");
    *altered.last_mut().unwrap() = b'!';
    let mut short = signed(&signer, "SimulatedCell", "2");
    short.pop();
    for (wrong, says) in [(altered, "another"), (short, "9 bytes"), (TEXT.into(), "signed manifest")] {
        let (status, problem) = post(wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    assert_eq!(contents(&world).len(), 2);
}

#[tokio::test]
async fn w02_firmware_of_another_key_is_not_taken_where_the_keys_are_known() {
    let world = World::new().await;
    let [own, other] =
        ["working", "other"].map(|name| pki::issue_firmware_signer(&world.pki(), name).unwrap());
    let more = format!("[files]\nfirmware_keys = [{:?}]\n", own.chain);
    let world = world.restart_with(&more).await;
    for (signer, expected) in [(&own, StatusCode::CREATED), (&other, StatusCode::UNPROCESSABLE_ENTITY)] {
        let text = String::from_utf8(signed(signer, "SimulatedCell", "2")).unwrap();
        let (status, file) = world.upload(Method::POST, "/api/v1/files?kind=firmware&name=a", text).await;
        assert_eq!(status, expected, "{file}");
    }
}

#[tokio::test]
async fn a_file_that_no_cell_takes_or_sends_is_no_action_and_a_bad_name_is_none() {
    let (world, _) = serving("").await;
    let log = added(&world, "log", TEXT).await;
    for action in [
        json!({"action": "download", "file": log["id"]}),
        json!({"action": "download", "file": 99}),
        json!({"action": "upload", "kind": "firmware"}),
        json!({"action": "upload", "kind": "measurement"}),
    ] {
        assert_eq!(ask(&world, action).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let (status, _) = world.upload(Method::POST, "/api/v1/files?kind=log&name=a%22b", TEXT.to_owned()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn o12_somebody_with_a_scope_gives_his_cells_no_file_of_another_tenants() {
    let (world, mut tree) = serving("").await;
    let (upload, _) = promised(&world, &mut tree, json!({"action": "upload", "kind": "configuration"})).await;
    assert!(request(&world, 1, "PUT", &upload, PLAIN).await.status.is_success());
    let sent = world.get("/api/v1/files").await["items"][0]["id"].clone();
    let kept = added(&world, "configuration", TEXT).await["id"].clone();
    let log = added(&world, "log", TEXT).await["id"].clone();
    Cell::connect(&world, 2).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let place = |number: u8| format!("/api/v1/devices/{}/place", identity(number));
    world.put(&place(1), json!({"labels": {"tenant": "a"}})).await;
    world.put(&place(2), json!({"labels": {"tenant": "b"}})).await;
    account(&world, "ann", "engineer", Some("tenant=b")).await;
    let person = login(&world, "ann").await;
    let actions = format!("/api/v1/devices/{}/actions", identity(2));
    let download = async |file: &Value| {
        let action = json!({"action": "download", "file": file});
        let (status, _, answer) = person.ask(&world, Method::POST, &actions, action).await;
        (status, answer["detail"].clone())
    };
    let none = download(&json!(4711)).await;
    assert_eq!(none.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(download(&sent).await, none, "what another tenant's cell sent is there for nobody else");
    assert_eq!(download(&kept).await.0, StatusCode::CREATED, "what people keep is for all cells");
    assert!(download(&log).await.1.as_str().unwrap().contains("a log file"));
    world.put(&place(1), json!({"labels": {"tenant": "b"}})).await;
    assert_eq!(download(&sent).await.0, StatusCode::CREATED, "it is of a cell that he sees");
}
