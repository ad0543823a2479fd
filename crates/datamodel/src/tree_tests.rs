//! Claims about a tree: what it accepts, what it refuses and how it says so.

use super::*;

const FAP: &str = "Device.Services.FAPService.1.";

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn cell() -> Tree {
    let mut tree = Tree::new(Model::cell());
    assert_eq!(tree.put_row(&path("Device.Services.FAPService.")), Some(1));
    tree
}

fn plmns() -> Path {
    path(&format!("{FAP}CellConfig.LTE.EPC.PLMNList."))
}

fn entry(name: &str, kind: cwmp::ValueKind, text: &str) -> ParameterValueStruct {
    ParameterValueStruct { name: name.to_owned().into(), value: Value::new(kind, text.to_owned()) }
}

fn text(tree: &Tree, name: &str) -> String {
    tree.get(&path(name)).unwrap()[0].value.text.to_string()
}

#[test]
fn c13_a_set_is_all_or_nothing_and_names_each_bad_parameter() {
    use cwmp::ValueKind::{Boolean, Int, String, UnsignedInt};
    let mut tree = cell();
    let tac = format!("{FAP}CellConfig.LTE.EPC.TAC");
    let list = [
        entry(&tac, UnsignedInt, "7"),
        entry(&format!("{FAP}CellConfig.LTE.EPC.EAID"), Int, "1"),
        entry(&format!("{FAP}CellConfig.LTE.RAN.RF.FreqBandIndicator"), UnsignedInt, "41"),
        entry(&format!("{FAP}FAPControl.LTE.OpState"), Boolean, "true"),
        entry("Device.Nowhere", String, ""),
        entry(&tac, UnsignedInt, "8"),
    ];
    let before = tree.snapshot();
    let fault = tree.set(&list).unwrap_err();
    assert_eq!(tree.snapshot(), before);
    assert_eq!(fault.code, FaultCode::INVALID_ARGUMENTS);
    let said: Vec<std::string::String> = fault
        .details
        .iter()
        .map(|detail| format!("{} {}: {}", detail.fault_code, detail.parameter_name, detail.fault_string))
        .collect();
    expect_test::expect![[r#"
        9006 Device.Services.FAPService.1.CellConfig.LTE.EPC.EAID: the type xsd:unsignedInt is right, not xsd:int
        9007 Device.Services.FAPService.1.CellConfig.LTE.RAN.RF.FreqBandIndicator: a number in 1..40 is right
        9008 Device.Services.FAPService.1.FAPControl.LTE.OpState: the device alone writes it
        9005 Device.Nowhere: no such parameter here
        9003 Device.Services.FAPService.1.CellConfig.LTE.EPC.TAC: named twice: once is right"#]]
    .assert_eq(&said.join("\n"));
    assert_eq!(tree.set(&list[..1]).unwrap(), [path(&tac)]);
    assert_eq!(tree.set(&list[..1]).unwrap(), []);
    assert_eq!(text(&tree, &tac), "7");
}

#[test]
fn p07_a16_credentials_read_empty_and_refuse_writes_by_name() {
    let mut tree = cell();
    for name in ["Username", "Password", "ConnectionRequestUsername", "ConnectionRequestPassword"] {
        let name = &*format!("Device.ManagementServer.{name}");
        assert_eq!(text(&tree, name), "");
        let fault = tree.set(&[entry(name, cwmp::ValueKind::String, "secret")]).unwrap_err();
        assert_eq!(fault.details[0].fault_code, FaultCode::NOT_WRITABLE);
        assert_eq!(fault.details[0].parameter_name, name);
        let names = tree.names(&path(name), false).unwrap();
        assert!(!names[0].writable);
    }
}

#[test]
fn m09_g13_the_tamper_latch_refuses_writes_although_the_standard_s_model_has_it_writable() {
    let place = format!("{FAP}FAPControl.EnclosureTamperingDetected");
    let standard = include_str!("../tables/fapservice.txt");
    assert!(standard.lines().any(|line| line == " EnclosureTamperingDetected rw : boolean"));
    let mut tree = cell();
    for value in ["false", "true"] {
        let latch = entry(&place, cwmp::ValueKind::Boolean, value);
        assert_eq!(tree.set(&[latch]).unwrap_err().details[0].fault_code, FaultCode::NOT_WRITABLE);
    }
}

#[test]
fn c15_values_of_full_and_partial_paths() {
    let tree = cell();
    assert_eq!(text(&tree, &format!("{FAP}FAPControl.LTE.AdminState")), "false");
    let gateway = tree.get(&path(&format!("{FAP}FAPControl.LTE.Gateway."))).unwrap();
    assert_eq!(gateway.len(), 6);
    assert_eq!(tree.get(&Path::root()).unwrap().len(), tree.get(&path("Device.")).unwrap().len());
    assert!(tree.get(&plmns()).unwrap().is_empty());
    for missing in
        ["Device.Services.FAPService.2.", "Device.Time", "Device.Time.Nothing", "InternetGatewayDevice."]
    {
        let fault = tree.get(&path(missing)).unwrap_err();
        assert_eq!(fault.code, FaultCode::INVALID_PARAMETER_NAME, "{missing}");
    }
}

#[test]
fn c16_names_of_the_next_level_and_of_all_below() {
    let mut tree = cell();
    tree.add(&plmns()).unwrap();
    let names = |name: &str, next: bool| -> Vec<String> {
        let list = tree.names(&path(name), next).unwrap();
        list.iter().map(|info| format!("{}{}", info.name, if info.writable { " rw" } else { "" })).collect()
    };
    assert_eq!(names("", true), ["Device."]);
    assert_eq!(
        names("Device.Services.", true),
        ["Device.Services.FAPService.", "Device.Services.FAPServiceNumberOfEntries"]
    );
    assert_eq!(names("Device.Services.FAPService.", true), ["Device.Services.FAPService.1."]);
    assert_eq!(names(plmns().as_str(), true), [format!("{}1. rw", plmns())]);
    let below = names(plmns().as_str(), false);
    assert_eq!(below.first(), Some(&format!("{} rw", plmns())));
    assert_eq!(below.len(), 7);
    assert_eq!(tree.names(&path("Device.Time.Enable"), true).unwrap_err().code, FaultCode::INVALID_ARGUMENTS);
}

#[test]
fn c19_row_numbers_are_never_used_again_not_even_after_a_restart() {
    let mut tree = cell();
    assert_eq!(tree.add(&plmns()), Ok(1));
    assert_eq!(tree.add(&plmns()), Ok(2));
    tree.delete(&plmns().row(2)).unwrap();
    let mut tree = Tree::restore(Model::cell(), &tree.snapshot());
    assert_eq!(tree.add(&plmns()), Ok(3));
    assert_eq!(tree.rows(&plmns()), [1, 3]);
    assert_eq!(text(&tree, &format!("{FAP}CellConfig.LTE.EPC.PLMNListNumberOfEntries")), "2");
    assert_eq!(tree.delete(&plmns().row(2)).unwrap_err().code, FaultCode::INVALID_PARAMETER_NAME);
}

#[test]
fn a_full_table_and_rows_of_the_device_say_no() {
    let mut tree = cell();
    (0..6).for_each(|_| assert!(tree.add(&plmns()).is_ok()));
    assert_eq!(tree.add(&plmns()).unwrap_err().code, FaultCode::RESOURCES_EXCEEDED);
    let services = path("Device.Services.FAPService.");
    assert_eq!(tree.add(&services).unwrap_err().code, FaultCode::REQUEST_DENIED);
    assert_eq!(tree.delete(&services.row(1)).unwrap_err().code, FaultCode::REQUEST_DENIED);
    assert_eq!(tree.add(&path("Device.Time.")).unwrap_err().code, FaultCode::INVALID_PARAMETER_NAME);
}

#[test]
fn a_snapshot_survives_json_and_drops_what_the_model_does_not_allow() {
    let mut tree = cell();
    tree.add(&plmns()).unwrap();
    tree.set(&[entry(&format!("{FAP}CellConfig.LTE.EPC.TAC"), cwmp::ValueKind::UnsignedInt, "9")]).unwrap();
    let mut snapshot: Snapshot =
        serde_json::from_str(&serde_json::to_string(&tree.snapshot()).unwrap()).unwrap();
    assert_eq!(Tree::restore(Model::cell(), &snapshot).snapshot(), tree.snapshot());
    snapshot.values.insert(path("Device.Nowhere"), "x".to_owned());
    snapshot.values.insert(path(&format!("{FAP}CellConfig.LTE.EPC.EAID")), "many".to_owned());
    assert_eq!(Tree::restore(Model::cell(), &snapshot).snapshot(), tree.snapshot());
}

proptest::proptest! {
    #[test]
    fn c13_whatever_is_set_the_tree_holds_only_what_the_model_allows(
        picks in proptest::collection::vec((0..200_usize, 0..6_usize, "[0-9a-z,]{0,5}"), 0..6)
    ) {
        use cwmp::ValueKind::{Boolean, DateTime, Int, Long, String, UnsignedInt};
        let mut tree = cell();
        tree.add(&plmns()).unwrap();
        let known = tree.parameters(|_| true);
        let before = tree.snapshot();
        let list: Vec<ParameterValueStruct> = picks
            .iter()
            .map(|(place, kind, value)| {
                let kind = [Boolean, DateTime, Int, Long, String, UnsignedInt][*kind];
                entry(known[place % known.len()].as_str(), kind, value)
            })
            .collect();
        let accepted = tree.set(&list).is_ok();
        if !accepted {
            proptest::prop_assert_eq!(&tree.snapshot(), &before);
        }
        for (name, value) in tree.snapshot().values {
            let parameter = Model::cell().parameter(&name).unwrap();
            let own = before.values.get(&name) == Some(&value);
            proptest::prop_assert!(own || parameter.canonical(&value).as_ref() == Ok(&value));
        }
    }

    #[test]
    fn no_text_makes_a_path_panic(text in ".{0,40}") {
        if let Ok(path) = Path::parse(&text) {
            let _ = (path.schema(), path.parent(), path.instances(), cell().get(&path), cell().names(&path, true));
        }
    }
}

#[test]
fn a20_the_certificates_belong_to_the_device() {
    let table = Path::parse("Device.Security.Certificate.").unwrap();
    let mut tree = Tree::new(Model::cell());
    let row = table.row(tree.put_row(&table).unwrap());
    let switch = Path::parse(&format!("{row}Enable")).unwrap();
    assert!(tree.put(&switch, "true"));
    let off = ParameterValueStruct::new(switch.to_string(), Value::boolean(false));
    assert_eq!(tree.set(&[off]).unwrap_err().details[0].fault_code, FaultCode::NOT_WRITABLE);
    assert_eq!(tree.delete(&row).unwrap_err().code, FaultCode::REQUEST_DENIED);
    assert!(tree.drop_row(&row) && !tree.drop_row(&row));
    let count = Path::parse("Device.Security.CertificateNumberOfEntries").unwrap();
    assert_eq!(tree.value(&count), Some("0"));
}

/// The row of a table that a test opens, and a parameter in it.
fn row_of(tree: &mut Tree, table: &str) -> Path {
    let table = path(table);
    table.row(tree.put_row(&table).unwrap())
}

#[test]
fn m04_a_strong_reference_names_what_is_there_and_empties_with_it() {
    let mut tree = cell();
    let image = row_of(&mut tree, "Device.DeviceInfo.FirmwareImage.");
    let boot = "Device.DeviceInfo.BootFirmwareImage";
    let name = image.as_str().trim_end_matches('.').to_owned();
    let string = cwmp::ValueKind::String;
    for wrong in [image.as_str(), "Device.DeviceInfo.FirmwareImage.9", "Device.Time", "nothing"] {
        let fault = tree.set(&[entry(boot, string, wrong)]).unwrap_err();
        assert_eq!(fault.details[0].fault_code, FaultCode::INVALID_PARAMETER_VALUE, "{wrong}");
        assert!(fault.details[0].fault_string.contains("Device.DeviceInfo.FirmwareImage."), "{fault:?}");
    }
    assert_eq!(tree.set(&[entry(boot, string, &name)]).unwrap(), [path(boot)]);
    assert!(tree.drop_row(&image));
    assert_eq!(text(&tree, boot), "");
    assert!(tree.set(&[entry(boot, string, "")]).is_ok());
}

#[test]
fn m04_a_reference_to_anything_says_so_and_names_no_place() {
    let mut tree = cell();
    let filter = row_of(&mut tree, "Device.IPsec.Filter.");
    let fault = tree.set(&[entry(&format!("{filter}Interface"), cwmp::ValueKind::String, "Device.X")]);
    let said = &fault.unwrap_err().details[0].fault_string;
    assert_eq!(said, "the path, without a dot at its end, of what is there is right");
}

#[test]
fn m06_a_command_is_told_each_time_and_reads_false() {
    let mut tree = cell();
    let reset = "Device.FAP.GPS.GPSReset";
    for _ in 0..2 {
        let changed = tree.set(&[entry(reset, cwmp::ValueKind::Boolean, "true")]).unwrap();
        assert_eq!(changed, [path(reset)]);
        assert_eq!(text(&tree, reset), "false");
    }
    assert_eq!(tree.set(&[entry(reset, cwmp::ValueKind::Boolean, "false")]).unwrap(), []);
}

#[test]
fn m05_what_is_hidden_reads_as_empty_whatever_it_holds() {
    let mut tree = cell();
    let name = "Device.ManagementServer.Password";
    assert!(tree.put(&path(name), "from the factory"));
    assert_eq!(text(&tree, name), "");
}

#[test]
fn two_rows_do_not_share_a_key_unless_one_is_off_or_has_none() {
    let mut tree = cell();
    let rows = [row_of(&mut tree, plmns().as_str()), row_of(&mut tree, plmns().as_str())];
    let set = |tree: &mut Tree, row: &Path, plmn: &str, enable: &str| {
        tree.set(&[
            entry(&format!("{row}PLMNID"), cwmp::ValueKind::String, plmn),
            entry(&format!("{row}Enable"), cwmp::ValueKind::Boolean, enable),
        ])
    };
    set(&mut tree, &rows[0], "00101", "true").unwrap();
    let before = tree.snapshot();
    let fault = set(&mut tree, &rows[1], "00101", "true").unwrap_err();
    assert_eq!(fault.details[0].fault_code, FaultCode::INVALID_PARAMETER_VALUE);
    assert!(fault.details[0].fault_string.contains("PLMNList.1. has the same key"), "{fault:?}");
    assert_eq!(tree.snapshot(), before);
    set(&mut tree, &rows[1], "00101", "false").unwrap();
    set(&mut tree, &rows[1], "00102", "true").unwrap();
    set(&mut tree, &rows[0], "", "true").unwrap();
    set(&mut tree, &rows[1], "", "true").unwrap();
}

#[test]
fn m11_vendor_parameters_stand_beside_the_standard_ones() {
    let vendor = "model x\nDevice.X_00005E_Fan. ro\n Speed rw : unsignedInt range=0..9\nDevice.Time. ro\n X_ACME_Zone rw : string";
    let table = crate::Table::read(vendor).unwrap();
    let mut tree = Tree::new(&Arc::new(Model::standard_with(vec![table])));
    assert_eq!(text(&tree, "Device.X_00005E_Fan.Speed"), "0");
    assert!(tree.set(&[entry("Device.Time.X_ACME_Zone", cwmp::ValueKind::String, "CET")]).is_ok());
    assert!(tree.set(&[entry("Device.X_00005E_Fan.Speed", cwmp::ValueKind::UnsignedInt, "10")]).is_err());
    assert!(tree.get(&path("Device.Time.")).unwrap().len() > 10, "the standard's are there still");
}
