//! The plan against a device in memory: it converges, whatever the device starts with and whenever it is cut off.
//!
//! The device refuses radio changes while it is on the air and refuses to be unlocked before all is as desired, so
//! that the order of the rules is proved too. A crash loses the answer of the last step, or with it all that the
//! session learned, as a kill of the H(e)MS does; open intents are then unknown again. A device with quirks insists on
//! them, so that a plan which ignored one would stop the test.

mod drift;
mod faults;

use std::collections::{BTreeMap, BTreeSet};

use cwmp::{
    AddObjectResponse, ApplyStatus, CpeMethod, CpeResponse, DeleteObjectResponse, Effect,
    GetParameterNamesResponse, GetParameterValuesResponse, GetRPCMethodsResponse, ParameterInfoStruct,
    ParameterValueStruct, Quirk, SetParameterValuesResponse, Text, Value, ValueKind, quirk::Move,
};
use jiff::Timestamp;
use proptest::prelude::*;

use super::{learn::Contradiction, *};
use crate::quirk;

const PLMN: &str = radio::PLMN_LIST;
const EARFCN: &str = "Device.Services.FAPService.1.CellConfig.LTE.RAN.RF.EARFCNDL";
/// Reads, two locks, every row out and in, settings one by one, a gate: with 6 rows at most, far below this.
const STEPS_MAX: usize = 120;

/// A cell that obeys, in memory.
struct Cell {
    values: BTreeMap<String, (String, ValueKind)>,
    rows: Vec<u32>,
    next_row: u32,
    /// What the factory puts into the key of each new row.
    factory_key: &'static str,
    /// What it insists on.
    quirks: Quirks,
}

impl Cell {
    fn new(plmns: &[String], on_air: bool, tac: u32) -> Self {
        let mut cell = Self {
            values: BTreeMap::new(),
            rows: Vec::new(),
            next_row: 1,
            factory_key: "",
            quirks: Quirks::default(),
        };
        cell.put(radio::TAC, &tac.to_string(), ValueKind::UnsignedInt);
        cell.put(radio::PCI, "0", ValueKind::String);
        cell.put(EARFCN, "100", ValueKind::String);
        cell.put(radio::LATITUDE, "52520000", ValueKind::Int);
        cell.put(radio::LONGITUDE, "13400000", ValueKind::Int);
        for path in radio::SERVICE_STATES {
            cell.put(path, if on_air { "1" } else { "0" }, ValueKind::Boolean);
        }
        for plmn in plmns {
            let row = cell.add();
            cell.put(&format!("{PLMN}{row}.PLMNID"), plmn, ValueKind::String);
        }
        cell
    }

    fn put(&mut self, path: &str, text: &str, kind: ValueKind) {
        self.values.insert(path.to_owned(), (text.to_owned(), kind));
    }

    fn add(&mut self) -> u32 {
        let row = self.next_row;
        self.next_row += 1;
        self.rows.push(row);
        self.put(&format!("{PLMN}{row}.PLMNID"), self.factory_key, ValueKind::String);
        self.put(&format!("{PLMN}{row}.Enable"), "0", ValueKind::Boolean);
        row
    }

    fn is_on_air(&self) -> bool {
        self.values[radio::ADMIN_STATE].0 != "0" && self.values[radio::ADMIN_STATE].0 != "false"
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a new method must not be called by the plan either")]
    fn execute(&mut self, method: &CpeMethod) -> CpeResponse {
        match method {
            CpeMethod::GetRPCMethods(_) => {
                CpeResponse::GetRPCMethods(GetRPCMethodsResponse { method_list: vec!["Inform".into()] })
            }
            CpeMethod::GetParameterNames(_) => {
                assert!(!self.quirks.has_unlisted_rows(), "the names of rows say nothing");
                let name = |row: &u32| self.wire(&format!("{PLMN}{row}."));
                let info = |row: &u32| ParameterInfoStruct { name: name(row), writable: true };
                let parameter_list = self.rows.iter().map(info).collect();
                CpeResponse::GetParameterNames(GetParameterNamesResponse { parameter_list })
            }
            CpeMethod::GetParameterValues(call) => {
                self.check_count(call.parameter_names.len());
                let paths: Vec<String> = call.parameter_names.iter().map(|name| self.heard(name)).collect();
                let is_asked = |path: &String| {
                    paths
                        .iter()
                        .any(|asked| asked == path || path.starts_with(&**asked) && asked.ends_with('.'))
                };
                let value = |(path, (text, kind)): (&String, &(String, ValueKind))| ParameterValueStruct {
                    name: self.wire(path),
                    value: Value::new(self.said(*kind), text.clone()),
                };
                let asked = self.values.iter().filter(|(path, _)| is_asked(path));
                let parameter_list = asked.map(value).collect();
                CpeResponse::GetParameterValues(GetParameterValuesResponse { parameter_list })
            }
            CpeMethod::SetParameterValues(call) => {
                self.check_count(call.parameter_list.len());
                for parameter in &call.parameter_list {
                    let path = self.heard(&parameter.name);
                    assert_eq!(parameter.value.kind, self.values[&path].1, "{path} has another type");
                    self.set(&path, &parameter.value.text);
                }
                CpeResponse::SetParameterValues(SetParameterValuesResponse { status: ApplyStatus::Applied })
            }
            CpeMethod::AddObject(_) => {
                assert!(!self.is_on_air(), "rows change only while locked");
                let instance_number = self.add();
                CpeResponse::AddObject(AddObjectResponse { instance_number, status: ApplyStatus::Applied })
            }
            CpeMethod::DeleteObject(call) => {
                assert!(!self.is_on_air(), "rows change only while locked");
                let name = self.heard(&call.object_name);
                let row: u32 = name.strip_prefix(PLMN).unwrap().trim_end_matches('.').parse().unwrap();
                assert!(self.rows.contains(&row), "a row is deleted once");
                self.rows.retain(|kept| *kept != row);
                self.values.retain(|path, _| !path.starts_with(&*name));
                CpeResponse::DeleteObject(DeleteObjectResponse { status: ApplyStatus::Applied })
            }
            other => panic!("the plan never calls {}", other.name()),
        }
    }

    fn check_count(&self, count: usize) {
        assert!(self.quirks.at_most().is_none_or(|most| count <= most), "{count} parameters are too many");
    }

    /// The model's path of what a call names; it must be named where this product has it.
    fn heard(&self, name: &str) -> String {
        let path = self.quirks.model_path(name).into_owned();
        assert_eq!(self.wire(&path), name, "it lies elsewhere");
        assert!(!self.quirks.lacks(&path), "{path} is asked for");
        path
    }

    fn wire(&self, path: &str) -> Text {
        self.quirks.wire_path(path).into_owned().into()
    }

    fn said(&self, kind: ValueKind) -> ValueKind {
        if self.quirks.has_untyped_values() { ValueKind::String } else { kind }
    }

    fn set(&mut self, path: &str, text: &str) {
        assert!(
            !path.starts_with(radio::CELL_CONFIG) || !self.is_on_air(),
            "the radio changes only while locked"
        );
        self.values.get_mut(path).unwrap().0 = text.to_owned();
        if path == radio::ADMIN_STATE {
            self.values.get_mut(radio::OP_STATE).unwrap().0 = text.to_owned();
            self.values.get_mut(radio::RF_TX_STATUS).unwrap().0 = text.to_owned();
        }
    }
}

fn desired(plmns: &[&str]) -> Desired {
    let row = |plmn: &&str| {
        BTreeMap::from([("PLMNID".to_owned(), (*plmn).to_owned()), ("Enable".to_owned(), "true".to_owned())])
    };
    let list = DesiredObject {
        object: PLMN.to_owned(),
        key: "PLMNID".to_owned(),
        rows: plmns.iter().map(row).collect(),
    };
    let values = [(radio::TAC, "7"), (radio::PCI, "42"), (EARFCN, "1575")];
    Desired {
        values: values.map(|(path, text)| (path.to_owned(), text.to_owned())).into(),
        objects: vec![list],
        admin_state: Some(true),
        software: None,
    }
}

fn judge(known: &mut Known, latitude: String, longitude: String) {
    let at = Timestamp::UNIX_EPOCH;
    known.gate = Some(Verdict { passed: true, policy: "test".to_owned(), latitude, longitude, at });
}

/// What happens to the session at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Fine,
    /// The device goes away before it answers; what was learned is kept.
    AnswerLost,
    /// The H(e)MS dies: only what the last finished session stored, and the intents, survive.
    Killed,
}

/// Runs sessions until the plan has nothing to do; gives the number of steps.
fn converge(cell: &mut Cell, desired: &Desired, stored: &mut Known, fates: &[Fate]) -> usize {
    let (desired, quirks) = (&quirk::fit(desired.clone(), &cell.quirks).0, cell.quirks.clone());
    let mut known = stored.clone();
    let mut intents: Vec<String> = Vec::new();
    let mut fates = fates.iter();
    let mut steps = 0;
    let now = known.believed_since().unwrap_or_default();
    while let Some(step) = next(desired, &known, &quirks) {
        steps += 1;
        assert!(steps < STEPS_MAX + fates.len(), "no end: {step:?}");
        let Some(method) = step.method(&quirks) else {
            if let Step::Gate { latitude, longitude } = step {
                judge(&mut known, latitude, longitude);
            }
            continue;
        };
        intents.extend(step.intent().map(str::to_owned));
        let response = cell.execute(&method);
        match fates.next().copied().unwrap_or(Fate::Fine) {
            Fate::Fine => learn(&mut known, &step, &response, &quirks, now).unwrap(),
            Fate::AnswerLost => step.intent().into_iter().for_each(|object| known.forget_unanswered(object)),
            Fate::Killed => {
                known = stored.clone();
                intents.iter().for_each(|object| known.forget_unanswered(object));
            }
        }
    }
    *stored = known;
    steps
}

/// One of each effect that a plan reads.
fn effects() -> Vec<Effect> {
    let moved = |path: &str, to: &str| Effect::Moved(Move { path: path.to_owned(), to: to.to_owned() });
    vec![
        Effect::AtMost(1),
        Effect::AtMost(2),
        moved(radio::TAC, "Device.X_00005E_TAC"),
        moved(PLMN, "Device.X_00005E_Networks."),
        moved("Device.FAP.", "InternetGatewayDevice.FAP."),
        Effect::Lacks(radio::TAC.to_owned()),
        Effect::Lacks(format!("{PLMN}{{i}}.Enable")),
        Effect::UnlistedRows,
        Effect::UntypedValues,
    ]
}

fn quirks(effects: Vec<Effect>) -> Quirks {
    let known = datamodel::quirks::known().first().cloned().unwrap();
    Quirks::from_iter([Quirk { effects, ..known }])
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![4 => Just(Fate::Fine), 1 => Just(Fate::AnswerLost), 1 => Just(Fate::Killed)]
}

proptest! {
    #[test]
    fn the_plan_converges_whatever_is_lost(
        there in prop::collection::vec("(|00101|99970|99971)", 0..4),
        wanted in prop::sample::subsequence(vec!["99970", "99971", "99972"], 1..=3),
        on_air: bool,
        tac in 1_u32..9,
        factory_key in prop::sample::select(vec!["", "00101", "99971"]),
        fates in prop::collection::vec(fate(), 0..20),
    ) {
        let mut cell = Cell::new(&there, on_air, tac);
        cell.factory_key = factory_key;
        let desired = desired(&wanted);
        let mut known = Known::default();
        converge(&mut cell, &desired, &mut known, &fates);
        let rows: Vec<&String> = cell.rows.iter().map(|row| &cell.values[&format!("{PLMN}{row}.PLMNID")].0).collect();
        prop_assert_eq!(rows.len(), wanted.len(), "{:?}", rows);
        prop_assert!(wanted.iter().all(|plmn| rows.iter().any(|row| row == plmn)));
        prop_assert!(cell.is_on_air() && is_in_service(&desired, &known, &Quirks::default()));
        prop_assert_eq!(&cell.values[radio::PCI].0, "42");
    }

    #[test]
    fn a_device_with_any_quirks_converges_too(
        effects in prop::sample::subsequence(effects(), 0..=effects().len()),
        there in prop::collection::vec("(|00101|99970|99971)", 0..4),
        factory_key in prop::sample::select(vec!["", "00101", "99971"]),
        fates in prop::collection::vec(fate(), 0..20),
    ) {
        let mut cell = Cell::new(&there, false, 1);
        (cell.factory_key, cell.quirks) = (factory_key, quirks(effects));
        let (quirks, desired) = (cell.quirks.clone(), desired(&["99970", "99972"]));
        let mut known = Known::default();
        converge(&mut cell, &desired, &mut known, &fates);
        let desired = quirk::fit(desired, &quirks).0;
        prop_assert!(cell.is_on_air() && is_in_service(&desired, &known, &quirks));
        prop_assert_eq!(cell.rows.len(), 2);
        let tac = if quirks.lacks(radio::TAC) { "1" } else { "7" };
        prop_assert_eq!(&cell.values[radio::TAC].0, tac);
    }

    #[test]
    fn a_change_of_what_is_desired_converges_too(fates in prop::collection::vec(fate(), 0..20)) {
        let mut cell = Cell::new(&["00101".to_owned()], false, 1);
        let mut known = Known::default();
        converge(&mut cell, &desired(&["99970"]), &mut known, &[]);
        let changed = desired(&["99971", "99972"]);
        converge(&mut cell, &changed, &mut known, &fates);
        prop_assert!(cell.is_on_air() && is_in_service(&changed, &known, &Quirks::default()));
    }
}

/// The steps of a whole plan, by name.
fn story(cell: &mut Cell, desired: &Desired, known: &mut Known, passes: bool) -> Vec<String> {
    let mut names = Vec::new();
    let quirks = cell.quirks.clone();
    while let Some(step) = next(desired, known, &quirks) {
        names.push(step.label().split(" #").next().unwrap().to_owned());
        match (step.method(&quirks), &step) {
            (Some(method), _) => {
                let response = cell.execute(&method);
                learn(known, &step, &response, &quirks, Timestamp::UNIX_EPOCH).unwrap();
            }
            (None, Step::Gate { latitude, longitude }) => {
                judge(known, latitude.clone(), longitude.clone());
                known.gate.as_mut().unwrap().passed = passes;
            }
            (None, _) => unreachable!("only the gate is no RPC"),
        }
    }
    names
}

#[test]
fn a_fresh_cell_is_read_then_configured_then_judged_then_switched_on() {
    let mut cell = Cell::new(&["00101".to_owned()], false, 1);
    let steps = story(&mut cell, &desired(&["99970"]), &mut Known::default(), true);
    expect_test::expect![[r#"
        GetRPCMethods 
        GetParameterNames Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.
        GetParameterValues Device.Services.FAPService.1.CellConfig.LTE.EPC.TAC and 9 more
        DeleteObject Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.
        AddObject Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.
        GetParameterValues Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.2.Enable and 1 more
        SetParameterValues Device.Services.FAPService.1.CellConfig.LTE.EPC.TAC and 4 more
        Gate 
        SetParameterValues Device.Services.FAPService.1.FAPControl.LTE.AdminState
        GetParameterValues Device.Services.FAPService.1.FAPControl.LTE.OpState and 1 more"#]]
    .assert_eq(&steps.join("\n"));
}

#[test]
fn d13_a_cell_on_the_air_is_locked_before_its_radio_changes() {
    let mut cell = Cell::new(&["99970".to_owned()], true, 1);
    let mut known = Known::default();
    let steps = story(&mut cell, &desired(&["99970"]), &mut known, true);
    let admin: Vec<_> = steps.iter().filter(|step| step.contains("AdminState")).collect();
    assert_eq!(admin.len(), 2, "{steps:#?}");
    let is_change = |step: &&String| !step.starts_with("Get") && step.contains("CellConfig");
    let at = |step: &String| steps.iter().position(|other| other == step);
    let [off, on] = [
        steps.iter().position(|step| step.contains("AdminState")),
        steps.iter().rposition(|step| step.contains("AdminState")),
    ];
    let changes: Vec<_> = steps.iter().filter(is_change).map(at).collect();
    assert!(!changes.is_empty() && changes.iter().all(|change| off < *change && *change < on), "{steps:#?}");
    assert!(is_in_service(&desired(&["99970"]), &known, &Quirks::default()));
}

#[test]
fn a_place_that_the_gate_refuses_stays_dark() {
    let mut cell = Cell::new(&[], true, 1);
    let mut known = Known::default();
    story(&mut cell, &desired(&["99970"]), &mut known, false);
    assert!(!cell.is_on_air());
    assert!(!is_in_service(&desired(&["99970"]), &known, &Quirks::default()));
}

#[test]
fn s09_a_boot_asks_again_and_a_bootstrap_forgets_everything() {
    let mut cell = Cell::new(&[], false, 1);
    let mut known = Known::default();
    story(&mut cell, &desired(&["99970"]), &mut known, true);
    known.forget_states();
    let steps = story(&mut cell, &desired(&["99970"]), &mut known, true);
    assert_eq!(steps, [format!("GetParameterValues {} and 2 more", radio::ADMIN_STATE), "Gate ".to_owned()]);
    known.forget_all();
    assert_eq!(known.values().count(), 0);
    assert_eq!(next(&desired(&["99970"]), &known, &Quirks::default()), Some(Step::Methods));
}

#[test]
fn a_verdict_counts_for_its_place_only() {
    let mut cell = Cell::new(&[], false, 1);
    let mut known = Known::default();
    story(&mut cell, &desired(&["99970"]), &mut known, true);
    known.learn(radio::LATITUDE, "48137000", ValueKind::Int, Timestamp::UNIX_EPOCH);
    assert!(matches!(next(&desired(&["99970"]), &known, &Quirks::default()), Some(Step::Gate { .. })));
}

#[test]
fn a_response_that_answers_nothing_is_a_contradiction() {
    let step = Step::Read { paths: vec!["Device.A".to_owned()] };
    let response = CpeResponse::GetParameterValues(GetParameterValuesResponse { parameter_list: Vec::new() });
    let learned = learn(&mut Known::default(), &step, &response, &Quirks::default(), Timestamp::UNIX_EPOCH);
    assert_eq!(learned, Err(Contradiction::LeavesOut));

    let mut known = Known::default();
    known.learn_instances(PLMN, [1]);
    let step = Step::Add { object: PLMN.to_owned() };
    let response =
        CpeResponse::AddObject(AddObjectResponse { instance_number: 1, status: ApplyStatus::Applied });
    assert_eq!(
        learn(&mut known, &step, &response, &Quirks::default(), Timestamp::UNIX_EPOCH),
        Err(Contradiction::SameNumber)
    );
}

#[test]
fn nothing_desired_means_nothing_touched() {
    let known = Known::restore(BTreeMap::new(), None, Some(Vec::new()));
    assert_eq!(next(&Desired::default(), &known, &Quirks::default()), None);
}

#[test]
fn w02_another_software_comes_last_where_there_is_an_image_and_is_no_loss_of_service() {
    let mut cell = Cell::new(&[], false, 1);
    let mut wanted = desired(&["99970"]);
    let mut known = Known::default();
    story(&mut cell, &wanted, &mut known, true);
    known.learn(radio::SOFTWARE, "1", ValueKind::String, Timestamp::UNIX_EPOCH);
    wanted.software = Some(Software { version: "2".to_owned(), image: None });
    let (plain, step) = (Quirks::default(), Step::Software { version: "2".to_owned() });
    assert_eq!(next(&wanted, &known, &plain), None, "there is nothing to fetch");
    assert_eq!(due(&wanted, &known, &plain), BTreeSet::from([("Software".to_owned(), "2".to_owned())]));
    wanted.set_image(Some(Image { file: 1, name: "cell".to_owned(), size: 10 }));
    assert_eq!(next(&wanted, &known, &plain), Some(step.clone()));
    assert!(is_in_service(&wanted, &known, &plain));
    let mut spared = Spared::default();
    spared.spare(step.deed(), "2".to_owned());
    assert_eq!(next_without(&spared, &wanted, &known, &plain), None);
    wanted.values.insert(radio::TAC.to_owned(), "8".to_owned());
    assert!(matches!(next(&wanted, &known, &plain), Some(Step::Set { .. })), "the rest comes first");
}

#[test]
fn w02_a_software_that_is_not_known_is_read_first() {
    let mut wanted =
        Desired { software: Some(Software { version: "2".to_owned(), image: None }), ..Desired::default() };
    wanted.set_image(Some(Image { file: 1, name: "cell".to_owned(), size: 10 }));
    let known = Known::restore(BTreeMap::new(), None, Some(Vec::new()));
    let read = Step::Read { paths: vec![radio::SOFTWARE.to_owned()] };
    assert_eq!(next(&wanted, &known, &Quirks::default()), Some(read));
}
