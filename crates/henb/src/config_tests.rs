//! Claims about the configuration: what it means, and that everything wrong is told at once.

use super::*;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["operator.pem", "x.pem", "x.key"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    folder
}

const WHOLE: &str = r#"
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
        8: device.kind: "simulated" or "memory" is right
        9: device.oui: six upper-case hex digits are right, for instance "00005E"
        10: device.latitude: -90000000 to 90000000 millionths of a degree are right
        11: device.password is no key of henbd
        13: device.radio.delay_ms: 0 to 600000 is right
        14: device.radio.faults: some of s1-never-up, s1-lost-once, s1-lost, no-hosting-party, install-fails are right, not "explodes"
        15: radio is no key of henbd"#]]
    .assert_eq(&said.join("\n"));
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
