//! Every mistake is said, at once, with its line.

use super::*;

fn errors(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let Err(errors) = Config::parse(text, &folder.path().join("hems.toml")) else { return Vec::new() };
    errors.errors.iter().map(|e| format!("{}: {}", e.line.unwrap_or(0), e.message)).collect()
}

#[test]
fn every_error_is_said_at_once_with_its_line() {
    let found = errors(
        "lab = \"yes\"\n\
         state_dir = \".\"\n\
         mode = \"tunnel\"\n\
         colour = 1\n\
         [cwmp]\n\
         listen = [\"127.0.0.1\"]\n\
         certificate = \"none.pem\"\n\
         key = \"none.key\"\n\
         url = \"https://localhost:7547/\"\n\
         [[cwmp.anchors]]\n\
         name = \"m\"\n\
         certificates = \"none.pem\"\n\
         [api]\n\
         listen = \"0.0.0.0:8443\"\n\
         [gate]\n\
         policy = \"accept-declared\"\n\
         [limits]\n\
         session_seconds = 5\n",
    );
    let lines: Vec<&str> = found.iter().map(|text| text.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["1", "3", "4", "6", "7", "8", "10", "12", "14", "16", "18"], "{found:#?}");
}

#[test]
fn an_empty_file_says_what_is_missing() {
    let found = errors("").join("\n");
    for key in ["state_dir", "cwmp.certificate", "cwmp.key", "cwmp.url", "cwmp.listen", "cwmp.anchors"] {
        assert!(found.contains(key), "{key} in {found}");
    }
}

#[test]
fn p09_p10_p11_a_plain_url_is_refused_in_a_tls_mode() {
    for mode in ["public", "ipsec-tls"] {
        let text = format!("mode = \"{mode}\"\n[cwmp]\nurl = \"http://localhost:7547/\"\n");
        let found = errors(&text);
        assert!(found.iter().any(|text| text.starts_with("3:") && text.contains("https")), "{found:#?}");
    }
}

const TUNNEL: &str = "state_dir = \".\"\nmode = \"ipsec\"\n[cwmp]\nlisten = [\"10.45.0.1:7547\"]\n\
    url = \"http://10.45.0.1:7547/\"\n[tunnel]\naddresses = [\"10.45.0.1\"]\nvici = \"charon.vici\"\n";

#[test]
fn x03_the_tunnel_mode_needs_a_tunnel_and_nothing_of_tls() {
    assert_eq!(errors(TUNNEL), Vec::<String>::new());
    for (old, new, right) in [
        (
            "[\"10.45.0.1:7547\"]",
            "[\"10.45.0.1:7547\", \"192.0.2.1:7547\"]",
            "4: `cwmp.listen` 192.0.2.1:7547",
        ),
        ("[\"10.45.0.1:7547\"]", "[\"0.0.0.0:7547\"]", "4: `cwmp.listen` 0.0.0.0:7547"),
        (
            "addresses = [\"10.45.0.1\"]",
            "addresses = [\"10.45.0.1\", \"::\"]",
            "7: `tunnel.addresses` :: is every",
        ),
        ("vici =", "table = \"none.csv\"\nvici =", "[tunnel] has either"),
        ("vici = \"charon.vici\"", "", "[tunnel] has either"),
        (
            "[tunnel]\naddresses = [\"10.45.0.1\"]\nvici = \"charon.vici\"\n",
            "",
            "2: mode \"ipsec\" needs [tunnel]",
        ),
        ("url", "certificate = \"x.pem\"\nurl", "5: `cwmp.certificate` has no place"),
        ("url", "key = \"x.key\"\nurl", "5: `cwmp.key` has no place"),
        ("url", "proxy_from = [\"10.45.0.9\"]\nurl", "5: `cwmp.proxy_from` has no place"),
        (
            "[tunnel]",
            "[[cwmp.anchors]]\nname = \"m\"\ncertificates = \"m.pem\"\nrealms = [\"a.b\"]\n[tunnel]",
            "`cwmp.anchors` has no place",
        ),
    ] {
        let found = errors(&TUNNEL.replacen(old, new, 1));
        assert!(found.iter().any(|text| text.contains(right)), "{right}: {found:#?}");
    }
}

#[test]
fn x01_x02_tls_modes_need_certificates_and_public_has_no_tunnel() {
    for (mode, has_place) in [("public", false), ("ipsec-tls", true)] {
        let found = errors(&TUNNEL.replace("\"ipsec\"", &format!("\"{mode}\"")).replace("http:", "https:"));
        let says = |what: &str| found.iter().any(|text| text.contains(what));
        assert!(says("`cwmp.certificate` is missing") && says("`cwmp.key` is missing"), "{found:#?}");
        assert!(says("no [[cwmp.anchors]]"), "{found:#?}");
        assert_eq!(says("`tunnel` has no place"), !has_place, "{found:#?}");
    }
}

#[test]
fn i08_a_table_with_bad_lines_is_an_error_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.csv"), "inner_address,identity\n10.45.0.7,nobody\n").unwrap();
    let text = TUNNEL.replace("vici = \"charon.vici\"", "table = \"t.csv\"");
    let errors = Config::parse(&text, &folder.path().join("hems.toml")).err().unwrap().to_string();
    assert!(errors.contains("hems.toml:8:") && errors.contains("line 2"), "{errors}");
}

#[test]
fn a_fault_of_an_anchor_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let pki = folder.path().join("pki");
    profile::pki::init(&pki).unwrap();
    profile::pki::issue_hems(&pki, "localhost").unwrap();
    let text = "lab = true\nstate_dir = \".\"\nmode = \"public\"\n[cwmp]\nlisten = [\"127.0.0.1:0\"]\nurl = \"https://localhost/\"\n\
                certificate = \"pki/hems/localhost.pem\"\nkey = \"pki/hems/localhost.key\"\n[[cwmp.anchors]]\n\
                name = \"m\"\ncertificates = \"pki/manufacturer.pem\"\nrealms = [\"REALM\"]\n";
    let said = |text: &str| {
        let config = Config::parse(text, &folder.path().join("hems.toml"));
        config.err().map_or_else(Vec::new, |wrong| {
            wrong.errors.into_iter().map(|error| error.message).collect::<Vec<_>>()
        })
    };
    let realm = said(&text.replace("REALM", "localhost"));
    assert!(matches!(&realm[..], [one] if one.matches("fewer than two labels").count() == 1), "{realm:#?}");
    let good = text.replace("REALM", "hnb.example");
    assert!(said(&good).is_empty());
    for typed in ["allow = \"weak_key\"", "allow = \"weak_key\"\nuntil = 2027", "until = \"2027-06-30\""] {
        let found = said(&format!("{good}[[cwmp.anchors.exceptions]]\n{typed}\n"));
        assert!(
            matches!(&found[..], [one] if one.contains("exceptions") || one.contains("a text")),
            "{found:#?}"
        );
    }
}

#[test]
fn broken_toml_is_an_error_with_a_line() {
    let found = errors("lab = true\nmode = \n");
    assert!(matches!(&found[..], [only] if only.starts_with("2: is no TOML")), "{found:#?}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("hems.key");
    std::fs::write(&key, "x").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let errors =
        Config::parse("[cwmp]\nkey = \"hems.key\"\n", &folder.path().join("hems.toml")).err().unwrap();
    let text = errors.to_string();
    assert!(text.contains("hems.toml:2:") && text.contains("chmod 600"), "{text}");
}

#[test]
fn an_empty_list_is_said_to_be_empty_at_its_line_and_a_kind_has_its_article() {
    let found = errors("mode = 1\n[cwmp]\nlisten = []\n[[cwmp.anchors]]\nname = \"m\"\n\nrealms = []\n");
    assert!(found.contains(&"1: `mode` is a text in double quotes, not an integer".to_owned()), "{found:#?}");
    assert!(found.iter().any(|text| text.starts_with("3: `cwmp.listen` is empty")), "{found:#?}");
    assert!(found.iter().any(|text| text.starts_with("7: `anchors.realms` is empty")), "{found:#?}");
}

#[test]
fn quirks_of_the_operators_are_read_and_each_mistake_in_them_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let parse = |quirks: &str| {
        std::fs::write(folder.path().join("quirks.toml"), quirks).unwrap();
        let text = "lab = true\nquirks = \"quirks.toml\"\n";
        Config::parse(text, &folder.path().join("hems.toml")).err().unwrap().to_string()
    };
    let entry = "[[quirk]]\nname = \"a\"\nmanufacturer = \"A\"\nproduct = \"*\"\nwhat = \"Errs.\"\n";
    assert!(!parse(&format!("{entry}effects = [\"untyped_values\"]\n")).contains("quirks"));
    let found =
        parse(&format!("{entry}effects = [\"x\"]\n{}effects = []\n", entry.replace("\"a\"", "\"b\"")));
    for (line, right) in [("6: ", "unknown variant `x`"), ("7: ", "`effects`: one at least")] {
        let is_said = |said: &str| {
            said.starts_with(&folder.path().join("hems.toml:2:").display().to_string())
                && said.contains(&format!("quirks.toml:{line}"))
                && said.contains(right)
        };
        assert!(found.lines().any(is_said), "{found}");
    }
    std::fs::remove_file(folder.path().join("quirks.toml")).unwrap();
    let text = "quirks = \"quirks.toml\"\n";
    let errors = Config::parse(text, &folder.path().join("hems.toml")).err().unwrap().to_string();
    assert!(errors.contains("cannot read"), "{errors}");
}

#[test]
fn m11_imported_models_are_read_and_a_table_that_is_none_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let parse = |table: &str| {
        std::fs::write(folder.path().join("acme.txt"), table).unwrap();
        let text = "lab = true\nmodels = [\"acme.txt\"]\n";
        Config::parse(text, &folder.path().join("hems.toml")).err().unwrap().to_string()
    };
    assert!(!parse("model x\nDevice.X_ACME_Fan. ro\n Speed rw : unsignedInt\n").contains("models"));
    let found = parse("model x\nSpeed\n");
    assert!(found.contains("hems.toml:2: `models`: ") && found.contains("acme.txt: line 2:"), "{found}");
}

#[test]
fn a_store_is_a_database_with_its_password_in_a_private_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, mode| {
        let path = folder.path().join(name);
        std::fs::write(&path, "correct horse\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let (private, open) = (file("private", 0o600), file("open", 0o640));
    let url = "store = \"postgres://hearth@db.example/hearth\"\n";
    for (lines, right) in [
        ("store = \"hearth.sqlite3\"\n".to_owned(), "1: `store`: it is a URL such as"),
        (
            "store = \"postgres://me:secret@db/hearth\"\n".to_owned(),
            "1: `store`: a password stands in the file",
        ),
        (format!("store_password_file = {private:?}\n"), "1: `store_password_file` is for a `store`"),
        (format!("{url}store_password_file = {open:?}\n"), "only its owner may read a password: chmod 600"),
        (format!("{url}store_password_file = \"none\"\n"), "2: cannot read"),
    ] {
        let found = errors(&format!("{lines}{TUNNEL}"));
        assert!(found.iter().any(|text| text.contains(right)), "{right}: {found:#?}");
    }
    assert!(errors(&format!("{url}store_password_file = {private:?}\n{TUNNEL}")).is_empty());
}

/// A folder with a lab's PKI: certificates for `localhost` and `api.localhost`, and a file that everybody can read.
fn lab() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let pki = folder.path().join("pki");
    profile::pki::init(&pki).unwrap();
    for host in ["localhost", "api.localhost"] {
        profile::pki::issue_hems(&pki, host).unwrap();
    }
    let open = folder.path().join("open");
    std::fs::write(&open, "secret").unwrap();
    std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o644)).unwrap();
    folder
}

/// What is wrong with an `[api]` section.
fn api_errors(folder: &Path, lab: bool, section: &str) -> Vec<String> {
    let cwmp = "listen = [\"127.0.0.1:0\"]\ncertificate = \"pki/hems/localhost.pem\"\n\
                key = \"pki/hems/localhost.key\"\nurl = \"https://localhost:7547/\"\n\
                [[cwmp.anchors]]\nname = \"m\"\ncertificates = \"pki/manufacturer.pem\"\nrealms = [\"hnb.example\"]\n";
    let text = format!("lab = {lab}\nstate_dir = \"state\"\n[cwmp]\n{cwmp}[api]\n{section}");
    let Err(errors) = Config::parse(&text, &folder.join("hems.toml")) else { return Vec::new() };
    errors.errors.into_iter().map(|error| error.message).collect()
}

#[test]
fn o12_the_api_faces_a_network_with_a_certificate_of_its_own_alone() {
    let folder = lab();
    let api_errors = |lab, section: &str| api_errors(folder.path(), lab, section);
    let own = "certificate = \"pki/hems/api.localhost.pem\"\nkey = \"pki/hems/api.localhost.key\"\n";
    let cells = "certificate = \"pki/hems/localhost.pem\"\nkey = \"pki/hems/localhost.key\"\n";
    let anywhere = "listen = \"0.0.0.0:8443\"\n";
    assert_eq!(api_errors(true, &format!("{anywhere}{own}")), Vec::<String>::new());
    assert_eq!(
        api_errors(true, &format!("{own}client_anchors = \"pki/manufacturer.pem\"\n")),
        Vec::<String>::new()
    );
    for (section, said) in [
        (anywhere.to_owned(), "would show passwords and tokens to the network"),
        (format!("{anywhere}{cells}"), "serves the cells' listener \"cwmp\" already"),
        ("certificate = \"pki/hems/api.localhost.pem\"\n".to_owned(), "belong together"),
        ("client_anchors = \"pki/manufacturer.pem\"\n".to_owned(), "without TLS nobody shows one"),
        (own.replace("api.localhost.key", "localhost.key"), "does not belong to the certificate"),
    ] {
        let found = api_errors(true, &section);
        assert!(found.len() == 1 && found[0].contains(said), "{section}: {found:#?}");
    }
    let found = api_errors(false, own);
    assert!(
        found.iter().any(|text| text.starts_with("`api.certificate`") && text.contains("lab")),
        "{found:#?}"
    );
}

#[test]
fn g01_cells_are_woken_with_the_wake_role_and_a_key_of_its_own() {
    let folder = lab();
    let pki = folder.path().join("pki");
    profile::pki::issue_wake(&pki, "localhost").unwrap();
    let wake = |text: &str| api_errors(folder.path(), true, &format!("[wake]\n{text}"));
    let own = "certificate = \"pki/wake/localhost.pem\"\nkey = \"pki/wake/localhost.key\"\n";
    assert_eq!(wake(&format!("{own}networks = [\"10.45.0.0/16\"]\nper_second = 5\n")), Vec::<String>::new());
    for (text, said) in [
        ("", "[wake] has `certificate` and `key`"),
        ("certificate = \"pki/wake/localhost.pem\"\n", "[wake] has `certificate` and `key`"),
        (&own.replace("wake/", "hems/"), "does not name the wake role"),
        (&own.replace("localhost.key", "none.key"), "cannot read"),
        (&format!("{own}networks = [\"10.45.0.0/40\"]\n"), "`wake.networks`: a network is"),
        (&format!("{own}seconds = 0\n"), "`wake.seconds` is a whole number from 1 to 60"),
    ] {
        let found = wake(text);
        assert!(found.len() == 1 && found[0].contains(said), "{text}: {found:#?}");
    }
    let found = errors(&format!("{TUNNEL}[wake]\nkey = \"x\"\n"));
    assert!(found.len() == 1 && found[0].starts_with("10: `wake.certificate`"), "{found:#?}");
    assert!(errors(&format!("{TUNNEL}[wake]\nat_once = 5\n")).is_empty());
}

#[test]
fn g01_a_certificate_that_every_listener_refuses_is_a_fault() {
    let folder = lab();
    let pki = folder.path().join("pki");
    profile::pki::issue_wake(&pki, "other.localhost").unwrap();
    let text = "lab = true\nstate_dir = \"state\"\n[cwmp]\nlisten = [\"127.0.0.1:0\"]\n\
                certificate = \"pki/hems/localhost.pem\"\nkey = \"pki/hems/localhost.key\"\n\
                url = \"https://localhost:7547/\"\n[[cwmp.anchors]]\nname = \"m\"\n\
                certificates = \"pki/manufacturer.pem\"\nrealms = [\"hnb.example\"]\n\
                [wake]\ncertificate = \"pki/wake/other.localhost.pem\"\nkey = \"pki/wake/other.localhost.key\"\n";
    let faults = Config::parse(text, &folder.path().join("hems.toml")).unwrap().faults();
    assert!(matches!(&faults[..], [one] if one.contains("it is not for localhost")), "{faults:#?}");
}

#[test]
fn o12_an_identity_provider_is_asked_over_https_and_its_secret_is_ours_alone() {
    let folder = lab();
    let api_errors = |lab, section: &str| api_errors(folder.path(), lab, section);
    let oidc = |issuer: &str, more: &str| {
        let section = format!(
            "[api.oidc]\nissuer = \"{issuer}\"\nclient_id = \"c\"\nexternal_url = \"https://hems.example\"\n{more}"
        );
        api_errors(true, &section)
    };
    assert_eq!(oidc("https://id.example/realm", ""), Vec::<String>::new());
    for issuer in ["http://id.example", "id.example", "https://id.example?a=b"] {
        let found = oidc(issuer, "");
        assert!(found.len() == 1 && found[0].contains("`api.oidc.issuer` is an https URL"), "{found:#?}");
    }
    let found = oidc("https://id.example", "client_secret_file = \"open\"\n");
    assert!(found.len() == 1 && found[0].contains("chmod 600"), "{found:#?}");
    let found = api_errors(true, "[api.oidc]\n").join("\n");
    assert!(["issuer", "client_id", "external_url"].iter().all(|key| found.contains(key)), "{found}");
}

#[test]
fn what_events_and_alarms_may_say_is_checked_with_the_line() {
    let with = |text: &str| errors(&format!("{TUNNEL}{text}"));
    let good = "[admin]\nlisten = \"127.0.0.1:0\"\n[alarms]\nrefusals_per_minute = 5\n[events]\nsource = \"/hems/a\"\n\
                sessions = \"all\"\nwebhook_networks = [\"10.0.0.0/8\", \"::1\"]\n[events.nats]\nurl = \"tls://nats.example\"\n";
    assert_eq!(with(good), Vec::<String>::new());
    for (text, right) in [
        ("[admin]\nlisten = \"9464\"\n", "10: `listen` is an address"),
        ("[alarms]\nrefusals_per_minute = 0\n", "10: `alarms.refusals_per_minute` is a whole number from 1"),
        ("[events]\nsource = \"a b\"\n", "10: `events.source` has 1 to 128"),
        ("[events]\nsessions = \"some\"\n", "10: `events.sessions` is \"failed\" or \"all\", not \"some\""),
        ("[events]\nkeep_days = 0\n", "10: `events.keep_days` is a whole number from 1 to 365"),
        ("[events]\nwebhook_networks = [\"10.0.0.0/40\"]\n", "10: `events.webhook_networks`: a network is"),
        ("[events]\nwebhook_anchors = \"none.pem\"\n", "10: cannot read"),
        ("[events.nats]\nprefix = \"a\"\n", "9: `nats.url` is missing"),
        ("[events.nats]\nurl = \"http://x\"\n", "10: `nats.url` begins with nats://"),
        ("[events.nats]\nurl = \"nats://me:pw@x\"\n", "has no password"),
        ("[events.nats]\nurl = \"nats://x\"\nprefix = \"a..b\"\n", "11: `nats.prefix` has 1 to 64"),
        ("[events.nats]\nurl = \"nats://x\"\nstream = \"a.b\"\n", "11: `nats.stream` has 1 to 64"),
    ] {
        let found = with(text);
        assert!(found.len() == 1 && found[0].contains(right), "{text}: {found:#?}");
    }
}
