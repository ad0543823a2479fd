//! Claims about `models`: a vendor's tables stand beside the standard's, and what is wrong with one is told with its line.

use super::{
    tests::{WHOLE, folder},
    *,
};

/// What is said of `models` in line 2 with these files, or how many parameters the cell has beside the standard.
fn with_models(files: &[(&str, &str)], section: &str) -> Result<usize, Vec<String>> {
    let folder = folder();
    let base = format!("{}/", folder.path().display());
    for (name, text) in files {
        fs::write(folder.path().join(name), text).map_err(|error| vec![error.to_string()])?;
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let (head, _) = WHOLE.split_once("[device]").unwrap();
    let text = format!("\nmodels = {names:?}{head}{section}");
    let said = |problem: &Problem| format!("{}: {}", problem.line, problem.text.replace(&base, ""));
    let config = Config::parse(&text, folder.path());
    let standard = datamodel::Model::cell().parameters().count();
    config
        .map(|config| config.model.parameters().count() - standard)
        .map_err(|problems| problems.iter().map(said).collect())
}

#[test]
fn m11_a_vendor_s_tables_stand_beside_what_every_cell_has() {
    let fan = "model x\nDevice.X_ACME_Fan. ro\n Speed rw : int range=0..9\n";
    let time = "model y\nDevice.Time. ro\n X_ACME_Zone rw : string\n Enable ro hidden : string\n";
    assert_eq!(
        with_models(&[("fan.txt", fan), ("time.txt", time)], ""),
        Ok(2),
        "Enable stays the standard's"
    );
    let file = |name: &str| {
        format!(
            "[device]\nkind = \"file\"\n[device.file]\ntemplate = \"{name}\"\noutput = \"out\"\nrestart = [\"/bin/sh\"]\nstop = [\"/bin/sh\"]"
        )
    };
    let template = ("t", "[x]\nfan = ${Device.X_ACME_Fan.Speed}\n");
    let folder = folder();
    fs::write(folder.path().join(template.0), template.1).unwrap();
    let place = folder.path().join("t").display().to_string();
    assert_eq!(with_models(&[("fan.txt", fan)], &file(&place)), Ok(1), "a template may have them");
    let told = with_models(&[], &file(&place)).unwrap_err().join("\n");
    assert!(told.contains("\"Device.X_ACME_Fan.Speed\" is no parameter"), "{told}");
}

#[test]
fn m11_a_vendor_s_table_that_is_none_is_told_with_its_line() {
    let told = |files: &[(&str, &str)]| with_models(files, "").unwrap_err().join("\n");
    assert_eq!(
        told(&[("fan.txt", "model x\nDevice.X_ACME_Fan. ro\n Speed rw : integer\n")]),
        "2: models: fan.txt:3: \" Speed rw : integer\" is no row of a table"
    );
    assert_eq!(
        told(&[("fan.xml", "<?xml version=\"1.0\"?>\n<dm:document/>")]),
        "2: models: fan.xml:1: this is XML: the table that `hearth model import` makes of it is right"
    );
    assert!(
        told(&[("big.txt", &"#".repeat(1 << 21))])
            .starts_with("2: models: big.txt has more than 1048576 octets")
    );
    let rows: String = (0..4_001).map(|at| format!(" P{at} rw : int\n")).collect();
    let many = format!("model x\nDevice.X_ACME. ro\n{rows}");
    assert!(told(&[("many.txt", &many)]).starts_with("2: models: 4002 rows, at most 4000 are right"));
    let nine = ["1", "2", "3", "4", "5", "6", "7", "8", "9"].map(|name| (name, "model x\n"));
    assert_eq!(told(&nine), "2: models: at most 8 files are right");
}
