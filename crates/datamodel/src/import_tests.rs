//! Claims about the reader: small models of our own, whole, split and wrong.

use std::fs;

use expect_test::{Expect, expect};

use super::*;

/// The tables of the first file, beside the others, or what is said of it, without the folder's name.
fn import(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), document(content)).unwrap();
    }
    let tables = Library::open(&[folder.path().join(files[0].0)]).and_then(|library| library.tables());
    let text = match tables {
        Ok(tables) => tables.iter().map(|table| table.write("")).collect::<String>(),
        Err(error) => error.to_string(),
    };
    text.replace(&format!("{}/", folder.path().display()), "")
}

/// The content begins in line 3.
fn document(content: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<dm:document xmlns:dm=\"urn:broadband-forum-org:cwmp:datamodel-1-8\" \
         spec=\"urn:example:x\" file=\"x.xml\">\n{content}\n</dm:document>\n"
    )
}

fn check(content: &str, expected: &Expect) {
    expected.assert_eq(&import(&[("x.xml", content)]));
}

const BASE: &str = r##"<dataType name="Level"><int><range minInclusive="0" maxInclusive="9"/></int></dataType>
<model name="Device:9.0">
<object name="Device." access="readOnly" minEntries="1" maxEntries="1">
 <parameter name="BoxNumberOfEntries" access="readOnly" forcedInform="true"><syntax><unsignedInt/></syntax></parameter>
</object>
<object name="Device.Box.{i}." access="readWrite" minEntries="0" maxEntries="unbounded" numEntriesParameter="BoxNumberOfEntries" enableParameter="On">
 <uniqueKey functional="true"><parameter ref="Name"/></uniqueKey>
 <parameter name="On" access="readWrite"><syntax><boolean/><default type="object" value="false"/></syntax></parameter>
 <parameter name="Name" access="readWrite" activeNotify="canDeny"><syntax><string><size maxLength="8"/></string></syntax></parameter>
 <parameter name="Level" access="readWrite"><syntax><dataType ref="Level"/></syntax></parameter>
 <parameter name="Mode" access="readWrite"><syntax><string><enumeration value="a"/><enumeration value="b c" access="readOnly"/></string></syntax></parameter>
 <parameter name="Peer" access="readWrite"><syntax><list><size maxLength="99"/></list><string><pathRef refType="strong" targetParent="#.Box." targetType="row"/></string></syntax></parameter>
 <parameter name="Gone" access="readOnly" status="deleted"><syntax><string/></syntax></parameter>
</object>
<profile name="Box:1" version="1.0"><object ref="Device.Box.{i}." requirement="present"><parameter ref="On" requirement="readWrite"/></object></profile>
</model>"##;

#[test]
fn m01_a_model_of_one_file() {
    check(
        BASE,
        &expect![[r#"
            model Device:9.0
            type Level : int range=0..9
            Device. ro
             BoxNumberOfEntries ro inform : unsignedInt
            Device.Box.{i}. rw count=BoxNumberOfEntries enable=On key=Name
             Level rw : @Level
             Mode rw : string words=a|~b%20c
             Name rw candeny : string size=0..8
             On rw default=false : boolean
             Peer rw list=0../0..99 : string ref=strong,row,Device.Box.
            profile Box:1
             Device.Box.{i}. On
        "#]],
    );
}

/// Imported by another name and without its last number, extended, and a component taken in twice.
#[test]
fn m01_a_model_split_over_files() {
    let top = r#"<import file="box-parts.xml"><component name="Extra" ref="Parts"/></import>
<import file="tr-900-1.xml" spec="urn:example:tr-900-1-0"><model name="_Device:9.0" ref="Device:9.0"/></import>
<model name="Device:9.0" base="_Device:9.0">
<object base="Device.Box.{i}.">
 <parameter base="Mode" access="readWrite"><syntax><string><enumeration value="d"/></string></syntax></parameter>
 <parameter base="Level" status="deprecated"/>
 <component ref="Extra"/>
</object>
<component path="Device." ref="Extra"/>
</model>"#;
    let parts = r#"<component name="Parts"><parameter name="Depth" access="readOnly"><syntax><long/></syntax></parameter>
<object name="Lid.{i}." access="readOnly" minEntries="1" maxEntries="3"><parameter name="Open" access="readOnly"><syntax command="true"><boolean/></syntax></parameter></object></component>"#;
    let files =
        [("x.xml", top), ("box-parts.xml", parts), ("tr-900-1-0.xml", BASE), ("tr-900-1-1-label.xml", "")];
    expect![[r#"
        model Device:9.0
        type Level : int range=0..9
        Device. ro
         BoxNumberOfEntries ro inform : unsignedInt
         Depth ro : long
        Device.Box.{i}. rw count=BoxNumberOfEntries enable=On key=Name
         Depth ro : long
         Level rw deprecated : @Level
         Mode rw : string words=a|~b%20c|d
         Name rw candeny : string size=0..8
         On rw default=false : boolean
         Peer rw list=0../0..99 : string ref=strong,row,Device.Box.
        Device.Box.{i}.Lid.{i}. ro entries=1..3
         Open ro command : boolean
        Device.Lid.{i}. ro entries=1..3
         Open ro command : boolean
        profile Box:1
         Device.Box.{i}. On
    "#]]
    .assert_eq(&import(&files));
}

#[test]
fn m01_what_is_wrong_is_told_with_file_and_line() {
    check(
        "<model name='A:1.0'>",
        &expect!["x.xml:4: this is no well-formed XML: expected 'model' tag, not 'dm:document' at 4:1"],
    );
    check(
        "\n<import file='nowhere.xml'><dataType name='X'/></import>",
        &expect!["x.xml:4: the imported file nowhere.xml is not there"],
    );
    check(
        "<model name='A:1.0'><object base='Device.' access='readOnly'/></model>",
        &expect!["x.xml:3: there is no object Device. to change"],
    );
    check(
        "<model name='A:1.0'>\n<object name='Device.'>\n<parameter name='X'><syntax><dataType ref='Nothing'/></syntax></parameter></object></model>",
        &expect!["x.xml:5: there is no data type Nothing"],
    );
    check(
        "<model name='A:1.0'><component ref='Nothing'/></model>",
        &expect!["x.xml:3: there is no component Nothing"],
    );
    check("<model name='A:1.0' base='B:1.0'/>", &expect!["x.xml:3: there is no model B:1.0 to extend"]);
    check("<model/>", &expect!["x.xml:3: <model> without name"]);
    check(
        "<model name='A:1.0'><object name='Device.' access='writable'/></model>",
        &expect!["x.xml:3: access writable: readOnly or readWrite is right"],
    );
    check(
        "<model name='A:1.0'><object name='Dev ice.'/></model>",
        &expect![
            "x.xml:3: Dev ice.: the path has a character that names do not have: letters, digits, '-', '_' and '.' are right"
        ],
    );
    check(
        "<model name='A:1.0'><object name='Device.' maxEntries='many'/></model>",
        &expect![[r#"x.xml:3: "many" is no number and not "unbounded""#]],
    );
}

#[test]
fn m01_circles_end() {
    let circle = [("x.xml", "<import file='y.xml'/>"), ("y.xml", "\n<import file='x.xml'/>")];
    expect!["y.xml:4: the import of x.xml leads back to where it began"].assert_eq(&import(&circle));
    let component = "<component name='A'>\n<component ref='A'/></component><model name='M:1.0'><component ref='A'/></model>";
    check(component, &expect!["x.xml:4: the component A contains itself"]);
    let types = "<dataType name='A' base='B'/><dataType name='B' base='A'/>\n<model name='M:1.0'><object name='D.'><parameter name='X'><syntax><dataType ref='A'/></syntax></parameter></object></model>";
    assert!(import(&[("x.xml", types)]).contains("there is no data type"), "{}", import(&[("x.xml", types)]));
    check("<model name='A:1.0' base='A:1.0'/>", &expect!["x.xml:3: there is no model A:1.0 to extend"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bomb.xml");
    let deep: String =
        (0..40).map(|at| format!("<!ENTITY e{} '{}'>", at + 1, format!("&e{at};").repeat(10))).collect();
    fs::write(&file, format!("<!DOCTYPE x [<!ENTITY e0 'x'>{deep}]><x>&e40;</x>")).unwrap();
    assert!(Library::open(&[file]).unwrap_err().to_string().contains("no well-formed XML"));
}

#[test]
fn what_is_no_model_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.xml");
    fs::write(&file, "<html/>").unwrap();
    let told = Library::open(&[file]).unwrap_err().to_string();
    assert!(
        told.ends_with("x.xml:1: a data model document of the Broadband Forum (dm:document) is right"),
        "{told}"
    );
    let told = Library::open(&[folder.path().join("y.xml")]).unwrap_err().to_string();
    assert!(told.starts_with("cannot read ") && told.ends_with("y.xml"), "{told}");
}
