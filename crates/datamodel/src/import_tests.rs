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
        Ok(models) => models.tables.iter().map(|table| table.write("")).collect::<String>(),
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

/// A model of one object whose parameter `X` in line 5 has this syntax.
fn check_syntax(syntax: &str, expected: &Expect) {
    let model = format!(
        "<model name='A:1.0'>\n<object name='D.'>\n<parameter name='X'>{syntax}</parameter>\n</object></model>"
    );
    check(&model, expected);
}

#[test]
fn m01_what_is_no_type_is_told() {
    check_syntax(
        "<syntax><strnig/></syntax>",
        &expect![
            "x.xml:5: <strnig> is no type: string, int, unsignedInt, long, unsignedLong, decimal, boolean, dateTime, base64, hexBinary or dataType is right"
        ],
    );
    check_syntax("", &expect!["x.xml:5: D.X: no type: a <syntax> with one is right"]);
    check_syntax(
        "<syntax><default type='object' value='1'/></syntax>",
        &expect!["x.xml:5: D.X: no type: a <syntax> with one is right"],
    );
    check_syntax("<syntax><int/>\n<string/></syntax>", &expect!["x.xml:6: a second type: one is right"]);
    check_syntax(
        "<syntax><int>\n<rnage/></int></syntax>",
        &expect![
            "x.xml:6: <rnage> bounds no value: size, range, pattern, enumeration, units or a reference is right"
        ],
    );
    check(
        "\n<dataType name='T'><range minInclusive='1'/></dataType>",
        &expect!["x.xml:4: a type of nothing: a base or a child such as <string> is right"],
    );
}

#[test]
fn m01_bounds_that_nothing_keeps_are_told() {
    check_syntax(
        "<syntax><int>\n<range minInclusive='9' maxInclusive='-9'/></int></syntax>",
        &expect![
            "x.xml:6: a range that nothing is in: minInclusive is not above maxInclusive where it is right"
        ],
    );
    check_syntax(
        "<syntax><int><range minInclusive='NaN'/></int></syntax>",
        &expect![[r#"x.xml:5: minInclusive "NaN" is no number"#]],
    );
    check_syntax(
        "<syntax><string>\n\n<size minLength='9' maxLength='8'/></string></syntax>",
        &expect!["x.xml:7: 9 at least and 8 at most: nothing is so"],
    );
    check_syntax(
        "<syntax><list minItems='3' maxItems='2'/><int/></syntax>",
        &expect!["x.xml:5: 3 at least and 2 at most: nothing is so"],
    );
    check(
        "<model name='A:1.0'><object name='D.T.{i}.' minEntries='2' maxEntries='1'/></model>",
        &expect!["x.xml:3: 2 at least and 1 at most: nothing is so"],
    );
    check_syntax(
        "<syntax><string>\n<pattern value='[a-'/></string></syntax>",
        &expect![[r#"x.xml:6: the pattern "[a-" cannot be understood: invalid range in character class"#]],
    );
}

#[test]
fn m01_a_default_that_its_type_refuses_is_told() {
    check_syntax(
        "<syntax><int><range minInclusive='1'/></int>\n<default type='object' value='0'/></syntax>",
        &expect![[r#"x.xml:6: D.X: the default "0" is no value of it: a number in 1.. is right"#]],
    );
    let later = "<model name='A:1.0'><object name='D.'><parameter name='X'><syntax><string/>\n<default type='object' value='b'/></syntax></parameter>
<parameter base='X'><syntax><string><enumeration value='a'/></string></syntax></parameter></object></model>";
    let expected = expect![[r#"x.xml:4: D.X: the default "b" is no value of it: one of a is right"#]];
    check(later, &expected);
}

#[test]
fn m01_what_is_there_twice_is_told() {
    let twice =
        "<model name='A:1.0'>\n<object name='D.'>\n<parameter name='X'><syntax><int/></syntax></parameter>
<parameter name='X'><syntax><string/></syntax></parameter></object></model>";
    check(twice, &expect!["x.xml:6: D.X is there already: base in place of name changes it"]);
    check(
        "<model name='A:1.0'><object name='D.'/>\n<object name='D.'/></model>",
        &expect!["x.xml:4: D. is there already: base in place of name changes it"],
    );
    check(
        "<dataType name='T'><int/></dataType>\n<dataType name='T'><int/></dataType>",
        &expect!["x.xml:4: a second dataType of the name T: one is right"],
    );
}

#[test]
fn m04_m01_a_reference_into_nothing_is_told() {
    check_syntax(
        "<syntax><string>\n<pathRef refType='weak' targetParent='.Box.' targetType='row'/></string></syntax>",
        &expect!["x.xml:6: D.X: D.Box. is nothing to refer to"],
    );
    let standard = "<model name='A:1.0'><object name='Device.'><parameter name='X_A_Port'><syntax><string><pathRef refType='weak' targetParent='.IP.Interface.'/></string></syntax></parameter></object></model>";
    assert!(
        import(&[("x.xml", standard)]).contains("ref=weak,any,Device.IP.Interface."),
        "the standard has it"
    );
    let service = "<model name='A:1.0' isService='true'><object name='S.{i}.' access='readOnly' minEntries='0' maxEntries='1'>
<parameter name='X'><syntax><string><pathRef refType='weak' targetParent='Device.Elsewhere.'/></string></syntax></parameter></object></model>";
    assert!(import(&[("x.xml", service)]).contains("ref=weak,any,Device.Elsewhere."), "not ours to know");
}

#[test]
fn m07_m01_a_profile_of_what_is_not_there_is_told() {
    let check = |profiles: &str, expected: &Expect| {
        check(&format!("<model name='A:1.0'><object name='D.'/>\n{profiles}</model>"), expected);
    };
    check("<profile name='P:1' extends='P:1'/>", &expect!["x.xml:4: the profile P:1 extends itself"]);
    check(
        "<profile name='P:1' extends='Q:1'/>\n<profile name='Q:1' extends='P:1'/>",
        &expect!["x.xml:4: the profile P:1 leads back to itself through Q:1"],
    );
    check(
        "<profile name='P:1' extends='Q:1'/>",
        &expect!["x.xml:4: there is no profile Q:1 for P:1 to extend"],
    );
    check(
        "<profile name='P:1'>\n<object ref='D.'>\n<parameter ref='X'/></object></profile>",
        &expect!["x.xml:6: the profile asks for D.X, and that is not there"],
    );
}

#[test]
fn m01_a_name_that_the_imported_file_does_not_have_is_told_where_it_is_imported() {
    let importing = "<import file='y.xml'>\n<model name='_D:1.0' ref='D:1.0'/></import>\n<model name='A:1.0' base='_D:1.0'/>";
    expect!["x.xml:4: y.xml has no model D:1.0"]
        .assert_eq(&import(&[("x.xml", importing), ("y.xml", "<model name='E:1.0'/>")]));
    let importing = "<import file='y.xml'><dataType name='T'/>\n<component name='C'/></import>";
    expect!["x.xml:4: y.xml has no component C"]
        .assert_eq(&import(&[("x.xml", importing), ("y.xml", "<dataType name='T'><int/></dataType>")]));
}

/// What is said of a file with these octets.
fn told(octets: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.xml");
    fs::write(&file, octets).unwrap();
    let told = Library::open(&[file]).unwrap_err().to_string();
    told.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn m01_a_file_that_was_cut_or_is_no_text_is_told_with_its_line() {
    let whole = document(BASE);
    let cut = "x.xml:4: the file ends too early: what was opened is closed where it is right";
    assert_eq!(told(whole.split_inclusive('\n').take(4).collect::<String>().as_bytes()), cut);
    for length in (0..whole.len() - "</dm:document>\n".len()).step_by(37) {
        let told = told(&whole.as_bytes()[..length]);
        let line = whole[..length].lines().count().max(1);
        assert!(told.starts_with(&format!("x.xml:{line}: ")), "{length}: {told}, not in line {line}");
    }
    let mut wrong = whole.into_bytes();
    let at = wrong.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(5).unwrap().0;
    wrong[at - 1] = 0xE9;
    assert_eq!(told(&wrong), "x.xml:6: an octet that is no UTF-8: a file in UTF-8 is right");
}

#[test]
fn m01_what_the_forum_published_is_read_with_a_warning_and_its_reason() {
    let model = "<model name='A:1.0'><object name='D.'><parameter name='X'><syntax><int><range minInclusive='1'/></int>\n<default type='object' value='0'/></syntax></parameter></object></model>";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.xml");
    let theirs = document(model).replace("urn:example:x", "urn:broadband-forum-org:tr-900-1-0-0");
    fs::write(&file, theirs).unwrap();
    let models = Library::open(&[file]).and_then(|library| library.tables()).unwrap();
    let [warning] = models.warnings.as_slice() else { panic!("{:?}", models.warnings) };
    expect![[r#"
        x.xml:4: D.X: the default "0" is no value of it: a number in 1.. is right (published so: a row starts with a neutral value in its place)"#]]
    .assert_eq(&warning.replace(&format!("{}/", folder.path().display()), ""));
    assert_eq!(models.tables.len(), 1);
}

#[test]
fn m01_circles_end() {
    let circle = [("x.xml", "<import file='y.xml'/>"), ("y.xml", "\n<import file='x.xml'/>")];
    expect!["y.xml:4: the import of x.xml leads back to where it began"].assert_eq(&import(&circle));
    let component = "<component name='A'>\n<component ref='A'/></component><model name='M:1.0'><component ref='A'/></model>";
    check(component, &expect!["x.xml:4: the component A contains itself"]);
    let types = "<dataType name='A' base='B'/>\n<dataType name='B' base='A'/>\n<model name='M:1.0'/>";
    check(types, &expect!["x.xml:3: the data type B leads back to itself"]);
    check(
        "<model name='A:1.0' base='A:1.0'/>",
        &expect!["x.xml:3: the model A:1.0 leads back to itself: A:1.0, A:1.0"],
    );
    let models = "<model name='A:1.0' base='B:1.0'/>\n<model name='B:1.0' base='A:1.0'/>";
    check(models, &expect!["x.xml:4: the model A:1.0 leads back to itself: A:1.0, B:1.0, A:1.0"]);
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
