//! Claims about the committed tables.

use super::*;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

#[test]
fn m01_every_committed_table_can_be_read_whole() {
    let tables = ["device", "fapservice", "cell", "vendor"].map(|name| {
        let text = std::fs::read_to_string(format!("tables/{name}.txt")).unwrap();
        Table::read(&text).map_err(|error| format!("{name}: {error}")).unwrap()
    });
    let all: usize = tables.iter().map(|table| table.definitions.len()).sum();
    assert!(all > 9_000, "{all}");
    assert!(
        Table::read("model x\nDevice. ro\n Name rw : strnig").unwrap_err().to_string().starts_with("line 3")
    );
    let pattern = "model x\nDevice. ro\n Name rw : string pattern=[a-";
    assert!(Table::read(pattern).unwrap_err().to_string().starts_with("line 3"), "no regular expression");
}

#[test]
fn m02_every_table_of_a_cell_has_its_count_beside_it() {
    for definition in Model::cell().definitions() {
        let Definition::Object(object) = definition else { continue };
        assert_eq!(object.is_table(), object.count.is_some(), "{}", object.path);
        let Some(count) = object.count_path() else { continue };
        assert!(Model::cell().parameter(&count).is_some(), "{count}");
    }
}

#[test]
fn every_definition_stands_in_an_object() {
    for model in [Model::cell(), Model::standard()] {
        for definition in model.definitions() {
            for above in definition.path().ancestors() {
                assert!(model.object(&above).is_some(), "{above}");
            }
        }
    }
}

#[test]
fn m07_a_cell_claims_the_profiles_that_its_selection_takes() {
    let selection = std::fs::read_to_string("tables/cell.selection").unwrap();
    let names = selection.lines().filter_map(|line| line.strip_prefix("profile "));
    let mut claimed = 0;
    for name in names {
        let paths = Model::standard().profile_paths(name);
        assert!(!paths.is_empty(), "{name}");
        for path in paths {
            assert!(Model::cell().definition(&path).is_some(), "{name}: {path}");
        }
        claimed += 1;
    }
    assert!(claimed > 25, "{claimed}");
    let own = Model::standard().select("x", "vendor X_00005E_").unwrap();
    let names = own.definitions.iter().map(|one| one.path().last()).filter(|name| name.starts_with("X_"));
    assert_eq!(names.collect::<Vec<_>>(), ["X_00005E_LinkLossTime", "X_00005E_LocalClock"]);
    let wrong = Model::standard().select("x", "profile Baseline:4\n\ntree Device.Nowhere. # not there");
    assert_eq!(
        wrong.unwrap_err().to_string(),
        "line 3: \"tree Device.Nowhere.\" selects nothing of the model"
    );
}

#[test]
fn c04_what_every_inform_carries() {
    let forced = Model::cell().definitions().filter_map(|definition| match definition {
        Definition::Parameter(parameter) if parameter.is_forced_inform => Some(parameter.path.to_string()),
        Definition::Parameter(_) | Definition::Object(_) => None,
    });
    expect_test::expect![[r#"
        Device.DeviceInfo.HardwareVersion
        Device.DeviceInfo.ProvisioningCode
        Device.DeviceInfo.SoftwareVersion
        Device.ManagementServer.AliasBasedAddressing
        Device.ManagementServer.ConnectionRequestURL
        Device.ManagementServer.ParameterKey
        Device.RootDataModelVersion
        Device.Services.FAPService.{i}.FAPControl.LTE.OpState
        Device.Services.FAPService.{i}.FAPControl.LTE.RFTxStatus
        Device.Time.X_00005E_LocalClock"#]]
    .assert_eq(&forced.collect::<Vec<_>>().join("\n"));
}

#[test]
fn p07_credentials_are_hidden_and_refuse_writes() {
    for name in CREDENTIALS {
        let parameter = Model::standard().parameter(&path(name)).unwrap();
        assert!(parameter.syntax.is_hidden && parameter.access == Access::ReadOnly, "{name}");
    }
    let is_secret = |parameter: &&Parameter| {
        let name = parameter.path.last();
        let is_named =
            ["Username", "Password", "PreSharedKey", "Secret"].iter().any(|end| name.ends_with(end));
        is_named || parameter.syntax.is_hidden
    };
    for other in Model::cell().parameters().filter(is_secret) {
        assert!(CREDENTIALS.contains(&other.path.as_str()), "{} may hold a secret", other.path);
    }
}

#[test]
fn a_table_is_found_as_addobject_names_it() {
    let rows = path("Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.");
    assert!(Model::cell().table(&rows).is_some_and(|table| table.entries == (1, Some(6))));
    assert!(Model::cell().table(&path("Device.Time.")).is_none());
    assert!(Model::cell().object(&rows.row(1)).is_some());
}
