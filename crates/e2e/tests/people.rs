//! People from the command line: the first administrator by the printed link, a token for a program, and an audit log
//! that is verified away from whom it accuses.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Output,
};

use e2e::{World, hearth};
use serde_json::Value;

struct Operator {
    world: World,
}

impl Operator {
    fn path(&self, name: &str) -> PathBuf {
        self.world.dir().join(name)
    }

    fn run(&self, token_file: &Path, arguments: &[&str]) -> Output {
        let mut command = hearth();
        command.args(arguments).arg("--token-file").arg(token_file);
        command.arg("--api").arg(format!("http://{}", self.world.api())).output().unwrap()
    }

    /// What the local token's command says.
    fn admin(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(&self.path("hems/api.token"), arguments);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }
}

#[test]
fn o12_the_commands_bring_people_in_and_the_log_says_what_they_did() {
    let operator = Operator { world: World::new("people") };
    let server = operator.world.serve();
    let link_file = operator.path("hems/first-administrator.link");
    let link = fs::read_to_string(&link_file).unwrap();
    assert_eq!(server.log().matches(link.trim()).count(), 1, "it is printed once: {}", server.log());
    let password = operator.path("password");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&password).unwrap();
    file.write_all(b"correct horse battery\n").unwrap();
    let [link_file, password] = [&link_file, &password].map(|path| path.to_str().unwrap());
    let first = ["account", "first", "ann", "--link-file", link_file, "--password-file", password];
    let (code, said) = operator.admin(&first);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = operator.admin(&["account", "list"]);
    assert!(code == Some(0) && said.contains("ann") && said.contains("admin"), "{said}");
    assert_eq!(operator.admin(&first).0, Some(2), "the link is gone");

    let token = operator.path("token");
    let made = ["token", "add", "export", "--account", "ann", "--role", "viewer", "--to"];
    let (code, said) = operator.admin(&[&made[..], &[token.to_str().unwrap()]].concat());
    assert!(code == Some(0) && !said.contains(fs::read_to_string(&token).unwrap().trim()), "{said}");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(operator.run(&token, &["device", "list"]).status.code(), Some(0));
    let refused = operator.run(&token, &["account", "list"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`list-accounts` is for the roles admin"));

    let (code, exported) = operator.admin(&["audit-log", "export"]);
    assert_eq!(code, Some(0));
    let log = operator.path("audit.jsonl");
    fs::write(&log, &exported).unwrap();
    let last: Value = serde_json::from_str(exported.lines().last().unwrap()).unwrap();
    let hash = last.get("hash").and_then(Value::as_str).unwrap();
    let (code, said) = operator.admin(&["audit-log", "verify", "--has", hash]);
    assert!(code == Some(0) && said.starts_with("whole: 4 lines"), "{said}");
    let verify = ["audit-log", "verify", log.to_str().unwrap()];
    assert_eq!(operator.admin(&verify).0, Some(0));
    fs::write(&log, exported.replacen("anonymous", "nobody", 1)).unwrap();
    let (code, said) = operator.admin(&verify);
    assert_eq!((code, said.as_str()), (Some(1), "broken: line 1 was changed after it was written\n"));
}
