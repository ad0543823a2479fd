//! Claims about the configuration: what it means, and that everything wrong is told at once.

use std::time::Duration;

use super::*;
use crate::device::{Radio, RadioFault};

pub(super) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["operator.pem", "x.pem", "x.key"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    folder
}

pub(super) const WHOLE: &str = r#"
lab = true
state_dir = "state"
mode = "ipsec-tls"

[hems]
url = "https://Localhost:7547"
anchors = "operator.pem"

[identity]
certificate = "x.pem"
key = "x.key"

[device]
kind = "simulated"
oui = "00005E"
serial = "7"
latitude = -33_868_800

[device.radio]
delay_ms = 20
seed = 3
faults = ["s1-lost-once"]
"#;

#[test]
fn a_whole_file_means_what_it_says() {
    let folder = folder();
    let config = Config::parse(WHOLE, folder.path()).unwrap();
    assert_eq!(config.state_dir, folder.path().join("state"));
    assert_eq!((config.lab, config.mode), (true, TransportMode::IpsecTls));
    assert_eq!(config.url.to_string(), "https://localhost:7547/");
    assert_eq!(config.names.position, Some((-33_868_800, 13_404_954)));
    let radio = Radio {
        delay: Duration::from_millis(20),
        seed: 3,
        faults: vec![RadioFault::S1LostOnce],
        gps_ahead: None,
    };
    assert_eq!(config.device, DeviceKind::Simulated(radio));
    let identity = profile::Identity::parse("00005e005301.hnb.example").unwrap();
    let factory = config.names.factory(&identity);
    assert_eq!((factory.oui.as_str(), factory.serial.as_str()), ("00005E", "7"));
    let factory = Names::default().factory(&identity);
    assert_eq!((factory.oui.as_str(), factory.serial.as_str()), ("00005E", "00005E005301"));
}

#[test]
fn everything_wrong_is_told_at_once_with_its_line() {
    let folder = folder();
    let text = r#"lab = "yes"
mode = "vpn"
colour = 1
[hems]
url = "http://hems.example/"
anchors = "nowhere.pem"
[device]
kind = "real"
oui = "00005e"
latitude = 90_000_001
password = "x"
[device.radio]
delay_ms = -1
faults = ["explodes"]
[radio]
delay_ms = 1
"#;
    let problems = Config::parse(text, folder.path()).unwrap_err();
    let base = folder.path().display().to_string();
    let said: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.line, problem.text.replace(&base, "BASE")))
        .collect();
    expect_test::expect![[r#"
        1: lab: true or false is right
        1: state_dir is missing: a folder is right
        1: identity.certificate is missing: a PEM file is right
        1: identity.key is missing: a PEM file is right
        2: mode: the transport mode is "public", "ipsec-tls" or "ipsec"
        3: colour is no key of henbd
        5: hems.url: the transport mode "public" demands https (TS 33.320 8.3.4)
        6: hems.anchors: there is no file BASE/nowhere.pem
        8: device.kind: "simulated", "memory", "command" or "file" is right
        9: device.oui: six upper-case hex digits are right, for instance "00005E"
        10: device.latitude: -90000000 to 90000000 millionths of a degree are right
        11: device.password is no key of henbd
        13: device.radio.delay_ms: 0 to 600000 is right
        14: device.radio.faults: some of s1-never-up, s1-lost-once, s1-lost, no-hosting-party, install-fails are right, not "explodes"
        15: radio is no key of henbd"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn one_bad_line_or_kind_hides_nothing_that_can_be_found_beside_it() {
    let folder = folder();
    let said = |text: &str| {
        let problems = Config::parse(text, folder.path()).unwrap_err();
        let each = problems.iter().map(|problem| format!("{}: {}", problem.line, problem.text));
        each.collect::<Vec<_>>().join("\n").replace(&folder.path().display().to_string(), "BASE")
    };
    let broken = "lab = 7\ncolour = 1\n[hems]\nurl = \"http://x/\"\nanchors = \n[device\noui = \"x\"\n[trust]\nwarn_days = 0\n";
    let found = said(broken);
    for expected in
        ["1: lab: ", "2: colour is no key", "4: hems.url: ", "5: this is no TOML", "9: trust.warn_days: "]
    {
        assert!(found.lines().any(|line| line.starts_with(expected)), "{expected}\n{found}");
    }
    assert!(!found.contains("missing") && !found.contains("oui is no key"), "nobody knows that: {found}");
    let kind = WHOLE.replace("\"simulated\"", "\"fiel\"");
    let stack =
        "[device.file]\ntemplate = \"nowhere\"\nformat = \"yaml\"\n[trust]\nrecovery_url = \"http://x/\"\n";
    let found = said(&(kind + stack));
    for expected in [
        "device.kind: ",
        "device.file.template: cannot read",
        "device.file.format: ",
        "trust.recovery_url: ",
        "trust.recovery_anchors is missing",
    ] {
        assert!(found.contains(expected), "{expected}\n{found}");
    }
}

#[test]
fn d01_a_cell_without_its_first_url_roots_or_certificate_is_none() {
    let folder = folder();
    for (line, key) in [
        ("url = ", "hems.url"),
        ("anchors = ", "hems.anchors"),
        ("certificate = ", "identity.certificate"),
        ("key = ", "identity.key"),
    ] {
        let left = WHOLE.lines().filter(|other| !other.starts_with(line)).collect::<Vec<_>>().join("\n");
        let problems = Config::parse(&left, folder.path()).unwrap_err();
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert!(problem.text.starts_with(&format!("{key} is missing: ")), "{problem:?}");
    }
}

#[test]
fn t01_the_profile_is_chosen_by_name() {
    let folder = folder();
    let of = |line: &str| {
        let text = WHOLE.replace("[device]\n", &format!("[trust]\n{line}\n[device]\n"));
        Config::parse(&text, folder.path()).map(|config| config.trust.profile.name)
    };
    assert_eq!(of(""), Ok("ts33320"));
    assert_eq!(of("profile = \"ts33210\""), Ok("ts33210"));
    let problems = of("profile = \"modern\"").unwrap_err();
    assert!(problems[0].text.contains("one of ts33320, ts33210 is right, not \"modern\""), "{problems:?}");
}

#[test]
fn p09_p11_a_tls_mode_takes_no_plain_http() {
    let folder = folder();
    for mode in ["public", "ipsec-tls"] {
        let text = WHOLE.replace("https://Localhost", "http://localhost").replace("ipsec-tls", mode);
        let problems = Config::parse(&text, folder.path()).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].text.contains("demands https"), "{}", problems[0].text);
    }
}

#[test]
fn x01_x02_x03_each_mode_has_the_tunnel_that_it_needs() {
    const END: &str = "[tunnel]\naddress = \"10.45.0.7\"\ninterface = \"ipsec0\"\n";
    let folder = folder();
    let parse = |mode: &str, scheme: &str, tunnel: &str| {
        let text = WHOLE.replace("https://", scheme).replace("ipsec-tls", mode);
        let config = Config::parse(&format!("{text}{tunnel}"), folder.path());
        config.map(|config| config.tunnel).map_err(|problems| problems[0].text.clone())
    };
    let end = TunnelEnd { address: "10.45.0.7".parse().unwrap(), interface: Some("ipsec0".to_owned()) };
    assert_eq!(parse("ipsec", "http://", END), Ok(Some(end.clone())));
    assert_eq!(parse("ipsec-tls", "https://", END), Ok(Some(end)));
    assert_eq!(parse("ipsec-tls", "https://", ""), Ok(None));
    assert_eq!(parse("public", "https://", ""), Ok(None));
    for (mode, scheme, tunnel, right) in [
        ("ipsec", "http://", "", "tunnel.address is missing"),
        ("ipsec", "http://", "[tunnel]\naddress = \"0.0.0.0\"\n", "tunnel.address: "),
        ("ipsec", "http://", "[tunnel]\ninterface = \"ipsec0\"\n", "tunnel.address is missing"),
        ("ipsec", "http://", &END.replace("ipsec0", "a/b"), "tunnel.interface: "),
        ("ipsec-tls", "http://", END, "hems.url: "),
        ("public", "https://", END, "tunnel: mode \"public\" has none"),
    ] {
        let said = parse(mode, scheme, tunnel).unwrap_err();
        assert!(said.starts_with(right), "{mode}: {said}");
    }
}

const REQUESTS: &str = r#"
[connection_request]
kind = "tls"
listen = "192.0.2.7:7547"
from = ["192.0.2.1", "2001:db8::1"]
certificate = "x.pem"
key = "x.key"
"#;

#[test]
fn c39_diagnostics_go_to_the_hems_alone_unless_networks_are_named() {
    let folder = folder();
    let parse = |text: &str| Config::parse(&format!("{WHOLE}{text}"), folder.path());
    assert_eq!(parse("").unwrap().diagnostics, DiagnosticsCare { enabled: true, networks: Vec::new() });
    let named = "[diagnostics]\nenabled = false\nnetworks = [\"10.45.0.0/16\", \"::1\"]\n";
    let networks = ["10.45.0.0/16", "::1/128"].map(|network| network.parse().unwrap()).to_vec();
    assert_eq!(parse(named).unwrap().diagnostics, DiagnosticsCare { enabled: false, networks });
    let wrong = parse("[diagnostics]\nnetworks = [\"hems.example\"]\n").unwrap_err();
    let right = "diagnostics.networks: an address or a network such as \"10.45.0.0/16\" is right";
    assert_eq!((wrong.len(), wrong[0].text.as_str()), (1, right));
}

#[test]
fn r04_a_cell_listens_where_it_is_told_to_and_nowhere_else() {
    let folder = folder();
    let parse = |text: &str| Config::parse(text, folder.path()).unwrap().connection_request;
    assert_eq!(parse(WHOLE), None);
    assert_eq!(parse(&format!("{WHOLE}[connection_request]\nkind = \"off\"\n")), None);
    let own = OwnCertificate {
        chain: folder.path().join("x.pem"),
        key: KeySource::File(folder.path().join("x.key")),
    };
    let over_tls = ConnectionRequest {
        listen: "192.0.2.7:7547".parse().unwrap(),
        from: ["192.0.2.1", "2001:db8::1"].map(|source| source.parse().unwrap()).to_vec(),
        entrance: Entrance::Tls(own),
    };
    assert_eq!(parse(&format!("{WHOLE}{REQUESTS}")), Some(over_tls));
    let tunnel = "[tunnel]\naddress = \"10.45.0.7\"\ninterface = \"ipsec0\"\n[connection_request]\nkind = \"tunnel\"\n";
    let in_the_tunnel = ConnectionRequest {
        listen: "10.45.0.7:7547".parse().unwrap(),
        from: Vec::new(),
        entrance: Entrance::Tunnel(Some("ipsec0".to_owned())),
    };
    assert_eq!(parse(&format!("{WHOLE}{tunnel}")), Some(in_the_tunnel));
}

#[test]
fn r04_a_listener_that_is_not_whole_or_not_consistent_is_told_with_its_line() {
    let folder = folder();
    let first = WHOLE.lines().count() + 3;
    let said = |from: &str, to: &str| {
        let text = format!("{WHOLE}{}", REQUESTS.replace(from, to));
        let problems = Config::parse(&text, folder.path()).unwrap_err();
        let at =
            |line: usize| line.checked_sub(first).map_or_else(|| "top".to_owned(), |line| line.to_string());
        let said = problems.iter().map(|problem| format!("{}: {}", at(problem.line), problem.text));
        said.collect::<Vec<_>>().join("\n")
    };
    let list = [
        said("kind = \"tls\"", "kind = \"udp\""),
        said("kind = \"tls\"", "kind = \"off\""),
        said("kind = \"tls\"\n", ""),
        said("kind = \"tls\"", "kind = \"tls\"\nport = 1"),
        said("192.0.2.7:7547", "0.0.0.0:7547"),
        said("192.0.2.7:7547", "192.0.2.7"),
        said("from = [\"192.0.2.1\", \"2001:db8::1\"]\n", ""),
        said("2001:db8::1", "hems.example"),
        said("x.key", "absent.key"),
        said("from", "form = 1\nfrom"),
        said("kind = \"tls\"", "kind = \"tunnel\""),
    ];
    let list = list.join("\n").replace(&folder.path().display().to_string(), "BASE");
    expect_test::expect![[r#"
        0: connection_request.kind: "off", "tls" or "tunnel" is right
        1: connection_request: nothing listens with kind "off"; say kind = "tls" or "tunnel", or leave it out
        0: connection_request: nothing listens with kind "off"; say kind = "tls" or "tunnel", or leave it out
        1: connection_request: kind "tls" has no port; say it in listen
        1: connection_request.listen: one address of this cell with a port, such as "192.0.2.7:7547" or "[2001:db8::7]:7547", is right
        1: connection_request.listen: one address of this cell with a port, such as "192.0.2.7:7547" or "[2001:db8::7]:7547", is right
        top: connection_request.from is missing: a list of the H(e)MS's addresses is right
        2: connection_request.from: addresses such as "192.0.2.1" are right, not "hems.example"
        4: connection_request.key: there is no file BASE/absent.key
        2: connection_request.form is no key of henbd
        0: connection_request.kind: "tunnel" listens at tunnel.address, which is missing
        1: connection_request: kind "tunnel" has no listen, certificate or key; the tunnel protects it: leave it out"#]].assert_eq(&list);
}

#[test]
fn text_that_is_no_toml_is_told_by_line() {
    let problems = Config::parse("lab = true\nstate_dir = \n[hems", Path::new("")).unwrap_err();
    let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 3], "{problems:?}");
    assert!(problems.iter().all(|problem| problem.text.starts_with("this is no TOML: ")), "{problems:?}");
}

#[test]
fn the_sample_of_the_documentation_is_right() {
    const PAGE: &str = include_str!("../../../docs/operate/first-cell.md");
    let mut samples = PAGE.split("```toml\n").filter_map(|rest| rest.split("```").next());
    let sample = samples.find(|sample| sample.contains("[identity]")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("lab/henb")).unwrap();
    let identity = "lab/henb/00005e005301.hnb.example";
    for name in ["lab/operator.pem".to_owned(), format!("{identity}.pem"), format!("{identity}.key")] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let config = Config::parse(sample, folder.path()).unwrap();
    assert_eq!((config.lab, config.state_dir), (true, folder.path().join("cell")));
}

#[test]
fn a_cell_that_plays_a_quirk_has_the_products_names_unless_others_are_typed() {
    let folder = folder();
    let with = |line: &str| WHOLE.replace("[device]", &format!("[device]\n{line}"));
    let config = Config::parse(&with("quirk = \"lab-small-memory\""), folder.path()).unwrap();
    assert_eq!(config.quirk.map(|quirk| quirk.name).as_deref(), Some("lab-small-memory"));
    assert_eq!(config.names.model_name, "Small memory");
    let typed = with("quirk = \"lab-small-memory\"\nmodel_name = \"Mine\"");
    assert_eq!(Config::parse(&typed, folder.path()).unwrap().names.model_name, "Mine");
    let problems = Config::parse(&with("quirk = \"nobody\""), folder.path()).unwrap_err();
    assert!(
        problems[0].text.starts_with("device.quirk: there is no quirk \"nobody\": one of "),
        "{problems:?}"
    );
}

/// A file whose device section is this one; the base folder stands as BASE in complaints.
fn with_device(folder: &Path, section: &str) -> Result<DeviceKind, Vec<String>> {
    let (head, _) = WHOLE.split_once("[device]").unwrap();
    let base = folder.display().to_string();
    let said = |problem: &Problem| format!("{}: {}", problem.line, problem.text.replace(&base, "BASE"));
    let config = Config::parse(&format!("{head}{section}"), folder);
    config.map(|config| config.device).map_err(|problems| problems.iter().map(said).collect())
}

#[test]
fn a_vendor_s_program_or_process_means_what_it_says() {
    use crate::device::{Program, Way};
    let folder = folder();
    let section =
        "[device]\nkind = \"command\"\n[device.command]\nprogram = [\"/bin/sh\", \"x\"]\ntimeout_ms = 500";
    let program = Program {
        file: "/bin/sh".into(),
        arguments: vec!["x".to_owned()],
        limit: Duration::from_millis(500),
    };
    let poll = Some(Duration::from_secs(10));
    let right = DeviceKind::Command(Way::Program { program, poll });
    assert_eq!(with_device(folder.path(), section), Ok(right));
    let section = "[device]\nkind = \"command\"\n[device.command]\nsocket = \"radio.sock\"";
    let right = Way::Socket { path: folder.path().join("radio.sock"), limit: Duration::from_secs(10) };
    assert_eq!(with_device(folder.path(), section), Ok(DeviceKind::Command(right)));
}

#[test]
fn everything_wrong_with_a_vendor_s_side_is_told() {
    let folder = folder();
    fs::write(folder.path().join("enb.conf.template"), "[enb]\n\nn = ${Device.Nothing}\n${}\n").unwrap();
    let problems = |section: &str| with_device(folder.path(), section).unwrap_err().join("\n");
    let command = |keys: &str| problems(&format!("[device]\nkind = \"command\"\n[device.command]\n{keys}"));
    assert_eq!(command(""), "1: device.command: either program or socket is right");
    assert_eq!(
        command("program = [\"x.pem\"]\nsocket = \"x\""),
        "17: device.command: either program or socket is right"
    );
    assert_eq!(
        command("program = [\"x.pem\"]\npoll_s = 3601\ntimeout_ms = 30000"),
        "17: device.command.program: BASE/x.pem is not executable: `chmod +x` makes it so\n\
         18: device.command.poll_s: 0 to 3600 is right\n\
         19: device.command.timeout_ms: 100 to 25000 is right"
    );
    assert_eq!(
        command("program = [\"radio\"]"),
        "17: device.command.program: there is no program BASE/radio"
    );
    assert_eq!(command("socket = \"x.pem\""), "17: device.command.socket: BASE/x.pem is no socket");
    let long = "x".repeat(108);
    assert!(command(&format!("socket = \"{long}\"")).contains("at most 107 bytes"));
    expect_test::expect![[r#"
        1: device.file.stop is missing: a list of a program's path and its arguments is right
        17: device.file.template: BASE/enb.conf.template:3: "Device.Nothing" is no parameter of the data model
        17: device.file.template: BASE/enb.conf.template:4: a placeholder stands right of a '='
        18: device.file.output: there is no folder for the file BASE/nowhere/enb.conf
        19: device.file.restart: there is no program BASE/restart"#]]
    .assert_eq(&problems(
        "[device]\nkind = \"file\"\n[device.file]\ntemplate = \"enb.conf.template\"\noutput = \"nowhere/enb.conf\"\n\
         restart = [\"restart\"]",
    ));
    let json = problems(
        "[device]\nkind = \"file\"\n[device.file]\ntemplate = \"x\"\noutput = \"x\"\nformat = \"xml\"\n\
         restart = [\"/bin/true\"]\nstop = [\"/bin/true\"]",
    );
    assert!(json.contains("17: device.file.template: cannot read BASE/x"), "{json}");
    assert!(json.contains("19: device.file.format: one of \"conf\", \"json\", \"env\" is right"), "{json}");
}

#[test]
fn the_samples_of_the_guide_for_vendors_are_right() {
    const PAGE: &str = include_str!("../../../docs/how-to/drive-a-radio.md");
    let folder = folder();
    let samples: Vec<&str> =
        PAGE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(samples.len(), 3);
    fs::write(folder.path().join("enb.conf.template"), include_str!("../examples/enb.conf.template"))
        .unwrap();
    for sample in samples {
        let sample = sample.replace("/usr/libexec/acme-radio", "/bin/sh").replace("/etc/hearth/", "");
        let sample = sample.replace("/usr/bin/systemctl", "/bin/sh").replace("/var/lib/henbd/", "");
        assert!(with_device(folder.path(), &sample).is_ok(), "{:?}", with_device(folder.path(), &sample));
    }
}

#[test]
fn w02_the_keys_of_firmware_are_two_at_most_and_what_is_wrong_is_said() {
    let folder = folder();
    let parse = |section: &str| Config::parse(&format!("{WHOLE}\n[firmware]\n{section}"), folder.path());
    let id = "AB".repeat(32);
    let good =
        format!("keys = [\"x.pem\", \"operator.pem\"]\nrevoked = [\"{id}\"]\ntrial_s = 60\nmost_mb = 1");
    let config = parse(&good).unwrap();
    assert_eq!(config.firmware.keys.len(), 2);
    assert_eq!(config.firmware.revoked, [id.to_ascii_lowercase()].into());
    assert_eq!((config.firmware.trial.as_secs(), config.firmware.most_bytes), (60, 1 << 20));
    assert_eq!(config.firmware_dir(), folder.path().join("state/firmware"));
    for (section, right) in [
        ("keys = [\"x.pem\", \"x.pem\", \"x.pem\"]", "at most 2 are right"),
        ("keys = [\"nowhere.pem\"]", "there is no file"),
        ("revoked = [\"x\"]", "64 hexadecimal digits are right"),
        ("trial_s = 59", "60 to 86400 is right"),
        ("most_mb = 0", "1 to 4096 is right"),
        ("key = \"x.pem\"", "firmware.key is no key of henbd"),
    ] {
        let problems = parse(section).unwrap_err();
        assert!(matches!(&problems[..], [one] if one.text.contains(right)), "{section}: {problems:?}");
    }
}
