//! Cargo as this project calls it: in the project's root, with the committed lock file, never on stdout.
//!
//! `./x demo --output json` owns stdout, so whatever a build prints goes to stderr.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use serde::Deserialize;

use crate::{Answer, project};

/// What a demo runs, built as fast as release builds are.
const DEMO: [&str; 5] = ["-p=cli", "-p=henb", "--bins", "--locked", "--release"];

/// How the agent is built for a cell: small, whatever time that takes.
const CELL_PROFILE: &str = "cell";

/// What `cargo metadata` says, as far as it is read here.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) resolve: Option<Resolve>,
    target_directory: PathBuf,
}

/// A package that is compiled on this platform, or may be.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
}

/// Who depends on whom.
#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// A package's direct dependencies, of every kind.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) dependencies: Vec<String>,
}

/// A cargo call in the project's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    // Cargo names itself to what it runs; a binary called by hand looks in PATH.
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(project::root()).stdin(Stdio::null());
    command
}

/// The packages that a build on this platform may use.
pub(crate) fn metadata() -> Result<Metadata, Box<dyn std::error::Error>> {
    let platform = format!("--filter-platform={}-unknown-linux-gnu", std::env::consts::ARCH);
    read_metadata(&[&platform])
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> Result<PathBuf, Box<dyn std::error::Error>> {
    Ok(read_metadata(&["--no-deps"])?.target_directory)
}

fn read_metadata(arguments: &[&str]) -> Result<Metadata, Box<dyn std::error::Error>> {
    let output = cargo(&["metadata", "--format-version=1", "--locked"])
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("cargo metadata failed".into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Builds what is shipped, side by side in the release folder.
pub(crate) fn build(engine: Engine) -> Answer {
    let hearth = build_hearth(engine)?;
    let Some(henbd) = build_henbd(engine)?.filter(|_| hearth.is_some()) else { return Ok(false) };
    let place = binary(&engine.target()?, "release", "henbd");
    // What is there may be another name of a file that is cargo's own.
    match fs::remove_file(&place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    fs::copy(henbd, &place)?;
    Ok(true)
}

/// Builds `hearth` as operators get it; nothing where that fails.
pub(crate) fn build_hearth(engine: Engine) -> Result<Option<PathBuf>, Box<dyn std::error::Error>> {
    let mut command = cargo(&["build", "--release", "--locked", "-p=cli", "--bins"]);
    engine.link(&mut command)?;
    let is_built = command.stdout(io::stderr()).status()?.success();
    Ok(is_built.then_some(binary(&engine.target()?, "release", "hearth")))
}

/// Builds the agent as cells get it, alone, so that no other package's wishes are in it; nothing where that fails.
pub(crate) fn build_henbd(engine: Engine) -> Result<Option<PathBuf>, Box<dyn std::error::Error>> {
    let mut command = cargo(&["build", "--profile", CELL_PROFILE, "--locked", "-p=henb", "--bins"]);
    engine.link(&mut command)?;
    let is_built = command.stdout(io::stderr()).status()?.success();
    Ok(is_built.then_some(binary(&engine.target()?, CELL_PROFILE, "henbd")))
}

/// Which OpenSSL a build links. (decision 0001)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The distribution's, whose security fixes it gets.
    System,
    /// A newer one in the binary itself.
    Static,
}

impl Engine {
    /// Where cargo puts what is built with this engine.
    fn target(self) -> Result<PathBuf, Box<dyn std::error::Error>> {
        let target = target_directory()?;
        Ok(if self == Self::Static { target.join("static") } else { target })
    }

    /// Makes a cargo call link this engine; builds it first where that is still to be done.
    pub(crate) fn link(self, command: &mut Command) -> Result<(), Box<dyn std::error::Error>> {
        if self == Self::System {
            return Ok(());
        }
        let target = target_directory()?;
        let folder = target.join("openssl-static");
        if !folder.join("install/include/openssl/ssl.h").exists() {
            let maker = project::root().join("xtask/openssl/Cargo.toml");
            let status = cargo(&["run", "--release", "--locked", "--manifest-path"])
                .arg(maker)
                .arg("--")
                .arg(&folder)
                .env("CARGO_TARGET_DIR", &folder)
                .stdout(io::stderr())
                .status()?;
            if !status.success() {
                return Err(
                    "cannot build OpenSSL from the crate openssl-src; perl and make are needed".into()
                );
            }
        }
        command.env("OPENSSL_DIR", folder.join("install")).env("OPENSSL_STATIC", "1");
        command.env("CARGO_TARGET_DIR", self.target()?);
        Ok(())
    }
}

/// Builds, then becomes `hearth demo`, so that Ctrl-C and the exit code are its own.
pub(crate) fn demo(arguments: &[&str]) -> Answer {
    let is_built = cargo(&["build"]).args(DEMO).stdout(io::stderr()).status()?.success();
    if !is_built {
        return Err("cannot build hearth and henbd".into());
    }
    let hearth = binary(&target_directory()?, "release", "hearth");
    let error = Command::new(&hearth).arg("demo").args(arguments).exec();
    Err(format!("cannot run {}: {error}", hearth.display()).into())
}

/// Where a build leaves the binary `name`.
pub(crate) fn binary(target: &Path, build: &str, name: &str) -> PathBuf {
    target.join(build).join(name)
}
