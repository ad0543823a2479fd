//! Claims about templates: every value stands for itself in the file, or it is refused.
//!
//! The files are read back by Python's `configparser` and `json` and by a POSIX shell, none of which anybody here wrote.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use proptest::prelude::*;

use super::*;

const MCC: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.1.PLMNID";
const NAME: &str = "Device.Services.FAPService.1.AccessMgmt.LTE.HNBName";

fn read_good(template: &str, format: Format) -> Template {
    Template::parse(template, format, Model::cell()).unwrap()
}

fn render(template: &str, format: Format, value: &str) -> Result<String, String> {
    let rendered = read_good(template, format).render(|_| value.to_owned());
    rendered.map_err(|bad| bad[0].fault_string.to_string())
}

/// Standard output of a reader that gets the file on its standard input.
fn read(program: &str, arguments: &[&str], file: &str) -> Vec<u8> {
    let mut child =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(file.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} does not read\n{file}");
    output.stdout
}

/// The values of section [a], as JSON.
const READ_CONF: &str = "import sys, json, configparser
p = configparser.RawConfigParser(inline_comment_prefixes=('#', ';'), strict=True, empty_lines_in_values=False)
p.read_string(sys.stdin.buffer.read().decode())
assert p.sections() == ['a']
print(json.dumps(list(dict(p['a']).values())))";

const READ_JSON: &str = "import sys, json
print(json.dumps(list(json.loads(sys.stdin.buffer.read().decode()).values())))";

/// What a reader finds of the values, with those that are refused left out.
fn round(format: Format, values: &[String]) -> (Vec<String>, Vec<String>) {
    let line = match format {
        Format::Conf => format!("K = ${{{NAME}}}"),
        Format::Json => format!("\"K\": \"${{{NAME}}}\""),
        Format::Env => format!("K=\"${{{NAME}}}\""),
    };
    let (mut lines, mut kept) = (Vec::new(), Vec::new());
    for value in values {
        if let Ok(written) = render(&line, format, value) {
            lines.push(written.replacen('K', &format!("k{}", kept.len()), 1));
            kept.push(value.clone());
        }
    }
    let json = |text: Vec<u8>| serde_json::from_slice::<Vec<String>>(&text).unwrap();
    let found = match format {
        Format::Conf => json(read("python3", &["-c", READ_CONF], &format!("[a]\n{}\n", lines.join("\n")))),
        Format::Json => json(read("python3", &["-c", READ_JSON], &format!("{{{}}}", lines.join(",\n")))),
        Format::Env => {
            let names: String = (0..kept.len()).map(|at| format!(" \"$k{at}\"")).collect();
            let script =
                format!("{}\n[ $# -gt 0 ] || set --{names}\nprintf '%s\\0' \"$@\"\n", lines.join("\n"));
            let output = String::from_utf8(read("sh", &["-s"], &script)).unwrap();
            let found = output.split_terminator('\0').map(str::to_owned).collect();
            if kept.is_empty() { Vec::new() } else { found }
        }
    };
    (kept, found)
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    let hard = "[a-z \"'\\\\$`#;=\\[\\]{}%&|<>!*?~/\\n\\r\\t]{0,12}";
    let any = any::<String>();
    prop::collection::vec(prop_oneof![3 => hard, 1 => any], 40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn what_is_written_is_what_a_stranger_reads(values in texts()) {
        for (name, format) in Format::ALL {
            let (kept, found) = round(format, &values);
            prop_assert_eq!(&kept, &found, "{}", name);
        }
    }
}

#[test]
fn every_json_text_can_be_written_and_no_line_is_broken_elsewhere() {
    let line = format!("{{\"a\": \"${{{NAME}}}\"}}");
    for value in ["\"", "\\", "a\nb", "\u{0}", "\u{2028}", "${X}"] {
        let file = render(&line, Format::Json, value).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&file).unwrap()["a"], value);
    }
    for (format, line) in [(Format::Conf, "a = ${}"), (Format::Env, "A=\"${}\"")] {
        let line = line.replace("${}", &format!("${{{NAME}}}"));
        for value in ["a\nb", "a\rb", "\u{0}", "a\u{85}b", "a\u{2029}b"] {
            assert!(render(&line, format, value).unwrap_err().contains("one line"), "{value:?}");
        }
    }
}

#[test]
fn a_value_never_leaves_its_place() {
    let conf = format!("[enb]\nname = ${{{NAME}}}\n");
    assert!(render(&conf, Format::Conf, "x # y").is_err());
    assert!(render(&conf, Format::Conf, " x").is_err());
    assert_eq!(render(&conf, Format::Conf, "\"x\" [rf]").unwrap(), "[enb]\nname = \"x\" [rf]\n");
    let bare = format!("{{\"n\": ${{{NAME}}}}}");
    assert!(render(&bare, Format::Json, "1, \"admin\": true").is_err());
    assert!(render(&bare, Format::Json, "null").is_err());
    assert_eq!(render(&bare, Format::Json, "-7").unwrap(), "{\"n\": -7}");
    let env = format!("A=${{{NAME}}}\n");
    assert!(render(&env, Format::Env, "$(reboot)").is_err());
    assert!(render(&env, Format::Env, "a b").is_err());
    assert_eq!(render(&env, Format::Env, "10.0.0.1:36412").unwrap(), "A=10.0.0.1:36412\n");
    let quoted = format!("A=\"${{{NAME}}}\"\n");
    assert_eq!(render(&quoted, Format::Env, "$(x) `y` \"").unwrap(), "A=\"\\$(x) \\`y\\` \\\"\"\n");
}

#[test]
fn filters_do_what_srsran_needs() {
    let filtered =
        |filters: &str, value: &str| render(&format!("a = ${{{MCC} {filters}}}"), Format::Conf, value);
    let check = |filters: &str, value: &str, right: &str| {
        assert_eq!(filtered(filters, value), Ok(format!("a = {right}")), "{filters}");
    };
    check("", "26201", "26201");
    check("| chars 1-3", "26201", "262");
    check("| chars 4-", "26201", "01");
    check("| chars 4-", "26", "");
    check("| first", "50,25", "50");
    check("| div 256 | hex", "105217", "19b");
    check("| mod 256", "105217", "1");
    check("| first | or 25", "", "25");
    check("| or a b", "", "a b");
    assert!(filtered("| hex", "x").unwrap_err().contains("a whole number from 0 is right"));
}

#[test]
fn everything_wrong_with_a_template_is_told_with_its_line() {
    let said = |text: &str, format| {
        let errors = Template::parse(text, format, Model::cell()).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let text = "[enb]\na = ${Device.Nothing}\n${Device.DeviceInfo.SerialNumber} = 1\nb = ${Device.A\n\
        c = ${Device.DeviceInfo.SerialNumber | lower}\nd = ${Device.Services.FAPService.{i}.DNPrefix}\n\
        e = ${Device.DeviceInfo.SerialNumber | chars 3-2}\nf = ${Device.DeviceInfo.SerialNumber | div 0}\n";
    expect_test::expect![[r#"
        line 2: "Device.Nothing" is no parameter of the data model
        line 3: a placeholder stands right of a '='
        line 4: a '}' is missing behind "${"
        line 5: "lower" is no filter: first, hex, chars A-B, chars A-, div N, mod N or or TEXT is right
        line 6: "Device.Services.FAPService.{i": the path has a character that names do not have: letters, digits, '-', '_' and '.' are right
        line 7: "chars 3-2" is no filter: first, hex, chars A-B, chars A-, div N, mod N or or TEXT is right
        line 8: "div 0" is no filter: first, hex, chars A-B, chars A-, div N, mod N or or TEXT is right"#]]
    .assert_eq(&said(text, Format::Conf));
    assert!(said("A='${Device.DeviceInfo.SerialNumber}'", Format::Env).contains("double quotes or without"));
}

#[test]
fn srsran_s_file_is_rendered_as_its_own_reader_wants_it() {
    let template =
        Template::parse(include_str!("../../examples/enb.conf.template"), Format::Conf, Model::cell())
            .unwrap();
    let value = |path: &Path| match path.last() {
        "CellIdentity" => "105217",
        "PLMNID" => "26201",
        "S1SigLinkServerList" => "192.0.2.1,192.0.2.2",
        "DLBandwidth" => "50,50",
        "EARFCNDL" => "3350",
        other => panic!("{other}"),
    };
    let file = template.render(|path| value(path).to_owned()).unwrap();
    let script = "import sys, json, configparser
p = configparser.RawConfigParser(inline_comment_prefixes=('#',)); p.read_string(sys.stdin.read())
e = p['enb']; print(json.dumps([int(e['enb_id'], 16), e['mcc'], e['mnc'], e['mme_addr'], int(e['n_prb']), int(p['rf']['dl_earfcn'])]))";
    let found = String::from_utf8(read("python3", &["-c", script], &file)).unwrap();
    assert_eq!(found.trim(), r#"[411, "262", "01", "192.0.2.1", 50, 3350]"#);
}
