//! `hearth model`: a vendor's model, split over files, becomes a table that the H(e)MS checks templates against.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{fs, path::Path, process::Output};

/// A vendor's fan, in a component of another file whose last number the import leaves out.
const TOP: &str = r#"<?xml version="1.0"?>
<dm:document xmlns:dm="urn:broadband-forum-org:cwmp:datamodel-1-8" spec="urn:example:acme" file="acme.xml">
 <import file="tr-900-1.xml" spec="urn:example:tr-900-1"><component name="Fan"/></import>
 <model name="X_ACME_Device:1.0">
  <object name="Device." access="readOnly" minEntries="1" maxEntries="1"/>
  <component path="Device." ref="Fan"/>
  <profile name="Fan:1" version="1.0"><object ref="Device.X_ACME_Fan." requirement="present"><parameter ref="Speed" requirement="readWrite"/></object></profile>
 </model>
</dm:document>"#;

const PART: &str = r#"<?xml version="1.0"?>
<dm:document xmlns:dm="urn:broadband-forum-org:cwmp:datamodel-1-8" spec="urn:example:tr-900-1-2" file="tr-900-1-2.xml">
 <component name="Fan"><object name="X_ACME_Fan." access="readOnly" minEntries="1" maxEntries="1">
  <parameter name="Speed" access="readWrite"><syntax><unsignedInt><range minInclusive="0" maxInclusive="9"/></unsignedInt></syntax></parameter>
 </object></component>
</dm:document>"#;

fn hearth(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        e2e::hearth().args(arguments).current_dir(folder).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn m01_m11_a_vendor_s_model_is_imported_shown_and_claimed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("acme.xml"), TOP).unwrap();
    let run = |arguments: &[&str]| hearth(folder.path(), arguments);
    let (code, said) = run(&["model", "import", "acme.xml"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("acme.xml:3: the imported file tr-900-1.xml is not there"), "{said}");
    fs::write(folder.path().join("tr-900-1-2.xml"), PART).unwrap();
    let (code, said) = run(&["model", "import", "acme.xml"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        said,
        "models/x_acme_device-1.0.txt: X_ACME_Device:1.0, 2 objects, 1 parameters, 1 profiles\n"
    );
    let table = ["--table", "models/x_acme_device-1.0.txt"];
    let (code, said) = run(&[&["model", "show", "Device.X_ACME_Fan."], &table[..]].concat());
    assert!(code == Some(0) && said.contains(" Speed rw : unsignedInt range=0..9"), "{said}");
    assert_eq!(run(&["model", "show", "Device.X_ACME_Fan."]).0, Some(1), "it is no standard's");
    let (code, said) = run(&[&["model", "profiles", "Fan:1"], &table[..]].concat());
    assert_eq!((code, said.as_str()), (Some(0), "Device.X_ACME_Fan.\nDevice.X_ACME_Fan.Speed\n"));
    fs::write(folder.path().join("fan.selection"), "# Theirs.\nvendor X_ACME_\nprofile WiFiRadio:1\n")
        .unwrap();
    let (code, said) = run(&[&["model", "select", "fan.selection"], &table[..]].concat());
    assert!(code == Some(0) && said.contains("\nDevice.X_ACME_Fan. ro\n Speed rw"), "{said}");
    assert!(said.contains("\nDevice.WiFi.Radio.{i}. ") && !said.contains("Device.WiFi.SSID."), "{said}");
    fs::write(folder.path().join("fan.selection"), "\nvendor X_AMCE_\n").unwrap();
    let (code, said) = run(&[&["model", "select", "fan.selection"], &table[..]].concat());
    let right = "fan.selection: line 2: \"vendor X_AMCE_\" selects nothing of the model";
    assert!(code == Some(2) && said.contains(right), "{said}");
    let (code, said) = run(&["model", "profiles"]);
    assert!(code == Some(0) && said.lines().any(|line| line == "LTEBaseline:1"), "{said}");
    fs::write(folder.path().join("torn.txt"), "model x\nDevice. r").unwrap();
    let (code, said) = run(&["model", "profiles", "--table", "torn.txt"]);
    assert!(code == Some(2) && said.contains("torn.txt: line 2:"), "{said}");
}
