//! Where the cell looks for its operator, and when it may transmit.

use super::*;

/// An ACS took our BOOTSTRAP, and a session with it closed.
fn settled_cell() -> Cell {
    let mut cell = cell();
    let events = cell.inform().event;
    cell.informed(&events, &url("https://hems.example/"));
    let places = cell.places();
    cell.reach.closed(places);
    cell
}

const GATEWAY: &str = path::PLACES[1];

#[test]
fn x07_url_and_gateway_are_set_together_or_not_at_all() {
    let mut cell = settled_cell();
    let before = cell.places();
    let set = |cell: &mut Cell, url: &str, gateway: &str| {
        set_to(cell, &[(path::URL, Value::string(url)), (GATEWAY, Value::string(gateway))]).is_ok()
    };
    assert!(!set(&mut cell, "http://new.example/", "seg.new.example"));
    assert!(!set(&mut cell, "https://new.example/", &"x".repeat(65)));
    assert_eq!(cell.places(), before);
    assert!(set(&mut cell, "https://new.example/", "seg.new.example"));
    assert_eq!(cell.device.value(GATEWAY), "seg.new.example");
}

#[test]
fn x07_a_change_that_leads_nowhere_is_taken_back_whole_and_told() {
    let mut cell = settled_cell();
    let before = cell.places();
    let change =
        [(path::URL, Value::string("https://wrong.example/")), (GATEWAY, Value::string("seg.wrong.example"))];
    set_to(&mut cell, &change).unwrap();
    assert_eq!(codes(&cell), ["0 BOOTSTRAP"]);
    for failure in 1..=crate::reach::FALL_BACK_AFTER {
        // A power cut in between forgets no failure.
        cell = power_on(Some(cell.state()));
        let places = cell.places();
        assert_ne!(places, before, "{failure}");
        cell.session_failed(&places);
    }
    assert_eq!(cell.places(), before);
    assert_eq!(codes(&cell), ["1 BOOT", "4 VALUE CHANGE"], "the old ACS took its BOOTSTRAP long ago");
    let told = cell.inform().parameter_list;
    let told = |place: &str| told.iter().any(|entry| entry.name == place);
    assert!(told(path::URL) && told(GATEWAY));
}

#[test]
fn x07_who_configures_the_cell_by_hand_is_not_overruled() {
    let state = settled_cell().state();
    let clock = Arc::new(RestoredClock::restore(None, profile::build_time(), Instant::now()));
    let memory = Memory::new(&factory(), Some(&state.device));
    let other = url("https://other.example/");
    let mut cell = Cell::power_on(Box::new(memory), Some(state), &other, TransportMode::Public, clock);
    let places = cell.places();
    (0..100).for_each(|_| cell.session_failed(&places));
    assert_eq!(cell.url().unwrap(), other);
}

fn simulated(faults: &[crate::device::RadioFault]) -> Cell {
    let clock = Arc::new(RestoredClock::restore(None, profile::build_time(), Instant::now()));
    let radio = Radio { faults: faults.to_vec(), ..Radio::default() };
    let device = Simulated::new(&factory(), radio, None);
    Cell::power_on(Box::new(device), None, &url("https://hems.example/"), TransportMode::Public, clock)
}

fn unlock(cell: &mut Cell, link_loss_s: u32) {
    let list = [
        (path::LINK_LOSS_TIME, Value::unsigned_int(link_loss_s)),
        (path::S1_SERVERS, Value::string("192.0.2.1")),
        (path::ADMIN_STATE, Value::boolean(true)),
    ];
    set_to(cell, &list).unwrap();
}

fn transmits(cell: &Cell) -> bool {
    cell.device.value(path::RF_TX_STATUS) == "true"
}

#[test]
fn x05_the_operator_says_how_long_a_cell_without_a_link_transmits() {
    use crate::device::RadioFault::S1Lost;
    for (allowed, stays) in [(0, false), (3600, true)] {
        let mut cell = simulated(&[S1Lost]);
        unlock(&mut cell, allowed);
        cell.tick();
        assert!(transmits(&cell), "S1 came up");
        cell.tick();
        assert_eq!(cell.device.value(path::OP_STATE), "false", "S1 is lost");
        assert_eq!(transmits(&cell), stays, "{allowed} s");
        let longest = std::time::Duration::from_secs(86_400);
        assert!(cell.idle(longest) <= std::time::Duration::from_secs(3600), "it wakes up in time");
        assert!(codes(&cell).contains(&"4 VALUE CHANGE".to_owned()));
    }
}

#[test]
fn x06_a_cell_without_its_hosting_party_does_not_transmit() {
    for (faults, expected) in [(&[crate::device::RadioFault::NoHostingParty][..], false), (&[], true)] {
        let mut cell = simulated(faults);
        cell.tick();
        unlock(&mut cell, 300);
        (0..3).for_each(|_| _ = cell.tick());
        assert_eq!(transmits(&cell), expected);
    }
}

#[test]
fn x08_nothing_on_the_cell_listens_or_takes_settings_from_its_host() {
    // Configuration is a file of the cell's owner; there is no local interface that could weaken it.
    let sources = walk(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    assert!(sources.len() > 20, "{sources:?}");
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for mouth in ["TcpListener", "UnixListener", "UdpSocket", "UnixDatagram", "hyper::server", "stdin()"]
        {
            // A test may play the other side.
            let is_test = path.to_string_lossy().ends_with("_tests.rs");
            // The one that asks for the time hears the server that it is connected to, and nobody else. (K-03)
            // Diagnostics are connected to whom they probe. (C-38)
            let asks = mouth == "UdpSocket"
                && (path.ends_with("tunnel.rs")
                    || path.components().any(|part| part.as_os_str() == "diagnostics"));
            // The one listener is there by the owner's choice, and takes nothing in. (decision 5, R-04, R-05)
            let listens = match mouth {
                "TcpListener" => path.ends_with("src/connection_request.rs"),
                "hyper::server" => path.ends_with("src/connection_request/request.rs"),
                _ => false,
            };
            // A socket without a name hears nobody: the supervisor is told that the cell lives.
            let tells = mouth == "UnixDatagram"
                && path.ends_with("src/supervisor.rs")
                && !code.contains("bind(")
                && !code.contains("recv");
            assert!(
                is_test || asks || listens || tells || !code.contains(mouth),
                "{} has {mouth}",
                path.display()
            );
        }
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
