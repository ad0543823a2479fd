//! Quirky cells of the fleet against a H(e)MS that knows the quirk, and one that does not.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it cannot go on")]

use std::{fs, sync::Arc, time::Duration};

use cwmp::Quirk;
use e2e::{World, wait_for};
use fleet::{Options, Report};
use profile::{HemsUrl, TransportMode};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::oneshot};

const PATIENCE: Duration = Duration::from_secs(60);

/// Quirks that no H(e)MS knows without the file.
const QUIRKS: &str = r#"
[[quirk]]
name = "trial-few"
manufacturer = "Trial"
product = "Few"
what = "Takes three parameters at once."
effects = [{ at_most = 3 }]

[[quirk]]
name = "trial-elsewhere"
manufacturer = "Trial"
product = "Elsewhere*"
software = "1.0..2.0"
what = "Has the tracking area and all of DeviceInfo elsewhere, and no IsPrimary."
effects = [
  { moved = { path = "Device.Services.FAPService.1.CellConfig.LTE.EPC.TAC", to = "Device.X_00005E_TAC" } },
  { moved = { path = "Device.DeviceInfo.", to = "InternetGatewayDevice.DeviceInfo." } },
  { lacks = "Device.Services.FAPService.{i}.CellConfig.LTE.EPC.PLMNList.{i}.IsPrimary" },
]

[[quirk]]
name = "trial-strings"
manufacturer = "Trial"
product = "Strings"
what = "Calls every value a string."
effects = ["untyped_values"]

[[quirk]]
name = "trial-rows"
manufacturer = "Trial"
product = "Rows"
what = "Names no rows."
effects = ["unlisted_rows"]

[[quirk]]
name = "trial-old"
manufacturer = "Trial"
product = "Old"
what = "Reads cwmp-1-0 alone."
effects = [{ speaks = "1.0" }]

[[quirk]]
name = "trial-sloppy"
manufacturer = "Trial"
product = "Sloppy"
what = "Has no ID and no clock."
effects = [{ expects = "missing_id" }, { expects = "malformed_time" }]
"#;

/// A H(e)MS in this process, configured as the demo's, and a fleet of one cell that plays a quirk.
struct Trial {
    world: World,
    runtime: Runtime,
    quirk: Quirk,
}

impl Trial {
    fn new(name: &str, knows: bool) -> Self {
        let world = World::new(name);
        fs::write(world.dir().join("quirks.toml"), QUIRKS).unwrap();
        if knows {
            let before = fs::read_to_string(world.hems_config()).unwrap();
            fs::write(world.hems_config(), format!("quirks = \"quirks.toml\"\n{before}")).unwrap();
        }
        let runtime = Runtime::new().unwrap();
        let config = hems::Config::load(&world.hems_config()).unwrap_or_else(|error| panic!("{error}"));
        let server = runtime.block_on(hems::Server::start(config, Arc::new(()))).unwrap();
        runtime.spawn(server.run_until(std::future::pending()));
        world.wait_for_api();
        world.configure(3600);
        let quirk = henb::quirk::find(name, Some(&world.dir().join("quirks.toml"))).unwrap();
        Self { world, runtime, quirk }
    }

    fn options(&self, once: bool) -> Options {
        Options {
            url: HemsUrl::parse(&self.world.url(), TransportMode::Public).unwrap(),
            pki: self.world.pki(),
            state: self.world.dir().join("fleet"),
            cells: 1,
            once,
            radio_delay: Duration::from_millis(10),
            quirk: Some(self.quirk.clone()),
        }
    }

    fn device(&self) -> Value {
        self.world.get("/api/v1/devices/020000000001.hnb.example")
    }

    /// Runs until the cell is in service.
    fn succeed(&self) -> Value {
        let report = self.runtime.block_on(fleet::run(self.options(true), std::future::pending())).unwrap();
        assert!(report.is_complete() && report.failures == 0, "{report:?}");
        wait_for("service", PATIENCE, || Some(self.device()).filter(|device| device["in_service"] == true))
    }

    /// How many messages the cell's first session had.
    fn messages(&self) -> i64 {
        wait_for("the end of the first session", PATIENCE, || {
            let sessions = self.world.get("/api/v1/sessions");
            let first = sessions["items"].as_array()?.last()?.clone();
            first["ended_at"].is_string().then(|| first["messages"].as_i64()).flatten()
        })
    }

    /// Runs until `went_wrong`.
    fn fail<T>(&self, mut went_wrong: impl FnMut(&Self) -> Option<T>) -> (T, Report) {
        let (stop, stopped) = oneshot::channel::<()>();
        let fleet = self.runtime.spawn(fleet::run(self.options(false), async {
            let _ = stopped.await;
        }));
        let seen = wait_for("what goes wrong", PATIENCE, || went_wrong(self));
        stop.send(()).unwrap();
        (seen, self.runtime.block_on(fleet).unwrap().unwrap())
    }
}

fn first_fault(trial: &Trial) -> Option<i64> {
    let path = "/api/v1/devices/020000000001.hnb.example";
    let reply = trial.world.try_get(path).filter(|reply| reply.status == 200)?;
    reply.json()["faults"][0]["code"].as_i64()
}

/// With the quirk the cell is in service and the H(e)MS says why; without it the first fault is `code`.
fn is_needed(name: &str, code: i64) -> Value {
    let (fault, report) = Trial::new(name, false).fail(first_fault);
    assert_eq!((fault, report.is_complete()), (code, false), "{report:?}");
    let device = Trial::new(name, true).succeed();
    assert_eq!((&device["quirks"], &device["faults"]), (&json!([name]), &json!([])), "{device:#}");
    device
}

/// A H(e)MS that does not know finds out by the faults, each time anew.
#[test]
fn a_cell_that_takes_few_parameters_is_told_less_at_once_and_sooner_where_that_is_known() {
    let [found_out, known] = [false, true].map(|knows| {
        let trial = Trial::new("trial-few", knows);
        let device = trial.succeed();
        assert_eq!(device["faults"], json!([]), "{device:#}");
        trial.messages()
    });
    assert!(known < found_out, "{known} and {found_out} messages");
}

#[test]
fn a_cell_with_parameters_elsewhere_is_asked_there_and_what_it_lacks_is_left_out() {
    let device = is_needed("trial-elsewhere", 9005);
    assert_eq!(device["tac"], "4711");
    let left_out = "Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.{i}.IsPrimary";
    assert_eq!(device["left_out"], json!([left_out]));
    assert_eq!(device["software"], "1.0", "it stands below another root");
}

#[test]
fn a_cell_that_knows_no_types_is_sent_the_models() {
    is_needed("trial-strings", 9003);
}

#[test]
fn a_cell_that_names_no_rows_keeps_none_of_the_factorys() {
    for (knows, plmn) in [(false, "its factory's row is not seen"), (true, "99970")] {
        let trial = Trial::new("trial-rows", knows);
        let report = trial.runtime.block_on(fleet::run(trial.options(true), std::future::pending())).unwrap();
        assert!(report.is_complete(), "{report:?}");
        let state = fs::read_to_string(trial.world.dir().join("fleet/020000000001/state.json")).unwrap();
        assert_eq!(state.contains("\"00101\""), !knows, "{plmn}");
        assert!(state.contains("\"99970\""));
    }
}

#[test]
fn a_cell_that_reads_one_namespace_is_spoken_to_in_it() {
    let trial = Trial::new("trial-old", false);
    let state = trial.world.dir().join("fleet/020000000001/state.json");
    let (_, report) = trial.fail(|_| {
        let state: henb::State = serde_json::from_slice(&fs::read(&state).ok()?).ok()?;
        (state.agenda.retry_count() > 0).then_some(())
    });
    assert!(!report.is_complete(), "{report:?}");
    Trial::new("trial-old", true).succeed();
}

#[test]
fn a_known_leniency_is_shown_as_a_quirk_and_not_counted() {
    let kinds = |device: &Value| -> Vec<String> {
        let counted = device["misbehaviour"].as_array().unwrap().iter();
        counted.map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
    };
    let device = Trial::new("trial-sloppy", false).succeed();
    assert_eq!(kinds(&device), ["malformed_time", "missing_id"]);
    let device = Trial::new("trial-sloppy", true).succeed();
    assert_eq!((kinds(&device), &device["quirks"]), (vec![], &json!(["trial-sloppy"])));
}
