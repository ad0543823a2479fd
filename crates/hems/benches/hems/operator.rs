//! What an operator waits for: an import of every identity, pages of a list over them, the page of one device.
//!
//! CPU is printed beside the time of the import: a machine with other work takes longer for it, and no more of the former.
//! Each page is asked for many times over one kept connection, at places spread over all devices.

use std::time::Instant;

use hyper::{Method, StatusCode};

use super::{
    print, print_as,
    world::{Asker, World, identity, roster},
};

/// How often each page is asked for.
const ASKED: u32 = 500;

/// Prints (d): the import of as many identities, through the API, into a H(e)MS that knows nobody.
pub(super) async fn import(devices: u32, of: impl Fn(&str) -> String) {
    let world = World::new(None, devices);
    let list = roster(&(0..devices).collect::<Vec<_>>());
    let start = Instant::now();
    let (status, answer) = world.ask(Method::POST, "/api/v1/identities", list).await;
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), world.server.cpu());
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!((status, &answer["admitted"]), (StatusCode::OK, &devices.into()), "{answer}");
    print("hems_import", &of("import of a million identities through the API"), &[seconds], "s");
    print("hems_import_cpu", &of("server CPU of it"), &[cpu], "s");
    let memory = world.server.resident();
    print("hems_import_memory", &of("memory of the server after it"), &[memory], "MB");
}

/// Prints (b) and (e).
pub(super) async fn pages(world: &World, devices: u32, of: impl Fn(&str) -> String) {
    let memory = [world.server.resident()];
    print("hems_memory", &of("memory of the server, idle, with a million devices"), &memory, "MB");
    let mut asker = Asker::connect(world).await;
    let (mut list, mut filter, mut device) = (Vec::new(), Vec::new(), Vec::new());
    let mut token = None;
    for turn in 0..ASKED {
        // A large odd step meets places everywhere.
        let at = turn.wrapping_mul(387_281) % devices;
        let path = token.map_or_else(
            || "/api/v1/devices".to_owned(),
            |token| format!("/api/v1/devices?page_token={token}"),
        );
        let page = timed(&mut asker, &path, &mut list).await;
        token = page["next_page_token"].as_str().map(str::to_owned);
        for asked in filters(at) {
            let page =
                timed(&mut asker, &format!("/api/v1/devices?filter={}", escaped(&asked)), &mut filter).await;
            assert!(page["items"].is_array(), "{asked}: {page}");
        }
        let page = timed(&mut asker, &format!("/api/v1/devices/{}", identity(at)), &mut device).await;
        assert!(
            page["values"].as_array().unwrap().len() >= 50 && !page["history"].as_array().unwrap().is_empty()
        );
    }
    tell("hems_page_list", &of("page of the list of a million devices, 99th percentile"), list);
    tell("hems_page_filter", &of("page of a filter over a million devices, 99th percentile"), filter);
    tell("hems_page_device", &of("page of one of a million devices, 99th percentile"), device);
}

/// One question of each kind that people ask.
fn filters(at: u32) -> [String; 8] {
    [
        format!("serial = \"00005E{at:06X}\""),
        format!("00005e{:04x}", at / 256),
        format!("site = \"site-{:05}\"", at / 10),
        format!("tac = \"{}\" AND op_state = false", 4000 + at / 500),
        format!("tag = \"lab\" AND software = \"1.2.{}\"", at % 7),
        format!("pci = \"{}\" AND NOT state = in_service", at % 504),
        format!("last_inform < now-{}m AND site : \"site-{:03}\"", at % 60, at / 1000),
        format!("software = \"1.2.{}\" AND suite = \"none\" AND NOT tag = \"lab\"", at % 7),
    ]
}

async fn timed(asker: &mut Asker, path: &str, times: &mut Vec<f64>) -> serde_json::Value {
    let start = Instant::now();
    let (status, answer) = asker.ask(Method::GET, path, String::new()).await;
    times.push(start.elapsed().as_secs_f64() * 1e3);
    let answer = serde_json::from_slice(&answer).unwrap();
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Prints the 99th percentile, and the median and the worst as its spread.
fn tell(id: &str, what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |hundredths: usize| times[(times.len() - 1) * hundredths / 100];
    print_as(id, what, at(99), (at(50), at(100)), "ms");
}
