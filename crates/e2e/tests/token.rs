//! A cell whose key lies in a token: SoftHSM stands for the TrE, and nothing of the key is in a file. (A-13, decision 9)

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Cell, World, hearth};

/// A token with one key.
struct Token {
    settings: PathBuf,
    uri: String,
}

fn module() -> PathBuf {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
    let found = places.map(PathBuf::from).into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no module of SoftHSM: `./x test` installs softhsm2"))
}

fn softhsm(settings: &Path, arguments: &[&str]) {
    let output =
        Command::new("softhsm2-util").args(arguments).env("SOFTHSM2_CONF", settings).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl Token {
    /// Moves the cell's key into a new token: its file is gone afterwards.
    fn take(world: &World, cell: &Cell) -> Self {
        let (store, settings, pin) =
            (world.dir().join("tokens"), world.dir().join("softhsm2.conf"), world.dir().join("pin"));
        fs::create_dir(&store).unwrap();
        fs::write(&settings, format!("directories.tokendir = {}\n", store.display())).unwrap();
        let mut private = fs::OpenOptions::new();
        private.write(true).create_new(true).mode(0o600);
        std::io::Write::write_all(&mut private.open(&pin).unwrap(), b"1234\n").unwrap();
        let init = ["--init-token", "--free", "--label", "tre", "--pin", "1234", "--so-pin", "5678"];
        softhsm(&settings, &init);
        let key = cell.pair.key.to_str().unwrap();
        let import = ["--import", key, "--token", "tre", "--label", "cell", "--id", "01", "--pin", "1234"];
        softhsm(&settings, &import);
        fs::remove_file(&cell.pair.key).unwrap();
        let (module, pin) = (module(), pin.display().to_string());
        let uri = format!(
            "pkcs11:token=tre;object=cell;type=private?module-path={}&pin-source=file:{pin}",
            module.display()
        );
        Self { settings, uri }
    }
}

#[test]
fn a13_p19_a_cell_signs_with_a_key_that_it_cannot_read() {
    let world = World::new("token");
    let cell = world.cell(1);
    let token = Token::take(&world, &cell);
    let text = fs::read_to_string(&cell.config).unwrap();
    let text = text.replace(&format!("{:?}", cell.pair.key), &format!("{:?}", token.uri));
    fs::write(&cell.config, text).unwrap();
    let _hems = world.serve();
    world.configure(5);
    let _henbd = world.henbd_with(&cell, &[("SOFTHSM2_CONF", token.settings.as_os_str())]);
    let device = world.wait_in_service(&cell.identity);
    assert_eq!(device["tls_version"], "TLSv1.2", "{device}");
}

#[test]
fn a13_a_hems_whose_key_only_signs_refuses_to_start_and_says_why() {
    let world = World::new("token-hems");
    let text = fs::read_to_string(world.hems_config()).unwrap();
    let uri = "pkcs11:object=hems?module-path=/nowhere.so";
    let text = text.replace("\"pki/hems/localhost.key\"", &format!("{uri:?}"));
    fs::write(world.hems_config(), text).unwrap();
    let output = hearth().arg("serve").arg("--config").arg(world.hems_config()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot decrypt") && said.contains("ts33210"), "{said}");
}
