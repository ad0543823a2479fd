//! Pages of the manual and completions, judged by those who read them: groff's `man`, mandoc and bash.
//!
//! ```text
//!  hearth man FOLDER ─▶ a page for each command ─▶ man -l, mandoc: no warning
//!  hearth completions bash ─▶ bash ─▶ what it would offer
//! ```

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use e2e::hearth;

/// The name under which a judge is missed.
const SHOWN: &str = "every_command_has_a_page_that_man_shows_without_a_warning";

/// What `hearth` prints; it has to do as asked.
fn printed(arguments: &[&str]) -> String {
    let output = hearth().args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    printed(&["man", folder.to_str().unwrap()]);
    let mut pages: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    pages
}

/// What a judge complains of in the pages, and what it shows.
fn judged(judge: &mut Command, pages: &[PathBuf]) -> (String, String) {
    let output = judge.args(pages).env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stderr), text(&output.stdout))
}

#[test]
fn every_command_has_a_page_that_man_shows_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let pages = pages(folder.path());
    for name in ["hearth.1", "hearth-device-list.1", "hearth-webhook-resend.1", "henbd.1", "henbd-check.1"] {
        assert!(pages.iter().any(|page| page.ends_with(name)), "{name} is none of {pages:?}");
    }
    assert!(pages.len() > 120, "{}", pages.len());
    let Some(man) = oracles::tool(SHOWN, "man") else { return };
    let device = pages.iter().find(|page| page.ends_with("hearth-device-list.1")).unwrap().clone();
    let (complaints, shown) = judged(Command::new(man).args(["--warnings", "-l"]), &[device]);
    assert_eq!(complaints, "");
    let footer = format!("Hearth {}", env!("CARGO_PKG_VERSION"));
    assert!(shown.contains("\nSYNOPSIS\n") && shown.contains(&footer), "{shown}");
    // What `man` asks to set a page, of all at once: `man` itself takes a tenth of a second for each.
    let Some(groff) = oracles::tool(SHOWN, "groff") else { return };
    let how = ["-man", "-Kutf8", "-Tutf8", "-ww", "-P-cbou"];
    let (complaints, shown) = judged(Command::new(groff).args(how), &pages);
    assert_eq!(complaints, "");
    assert_eq!(shown.matches("\nSYNOPSIS\n").count(), pages.len());
}

#[test]
fn mandoc_finds_no_error_in_a_page() {
    let Some(mandoc) = oracles::tool("mandoc_finds_no_error_in_a_page", "mandoc") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (_, lint) = judged(Command::new(mandoc).args(["-T", "lint", "-W", "error"]), &pages(folder.path()));
    assert_eq!(lint, "");
}

/// What bash offers for the last word of a line.
fn offered(program: &str, line: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join(program);
    fs::write(&script, printed(&["completions", "bash", "--of", program])).unwrap();
    let text = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                \"_$1\" \"$1\" \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; \
                complete -p \"$1\" >/dev/null && printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    let output = bash.args(["-c", text, "bash"]).arg(&script).arg(program).args(line).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_their_options_and_their_values() {
    assert_eq!(offered("hearth", &["web"]), ["webhook"]);
    assert!(offered("hearth", &["device", ""]).contains(&"import-places".to_owned()));
    assert_eq!(
        offered("hearth", &["webhook", "deliveries", "--state", ""]),
        ["waiting", "delivered", "dead"]
    );
    assert_eq!(offered("hearth", &["file", "list", "--outp"]), ["--output"]);
    assert_eq!(offered("henbd", &["ch"]), ["check"]);
}

#[test]
fn a_reader_that_leaves_early_ends_a_command_without_a_word() {
    let mut command = hearth();
    command.args(["model", "show"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn other_shells_have_completions_too() {
    for (shell, opening) in [
        ("zsh", "#compdef hearth"),
        ("fish", "# Print an optspec"),
        ("elvish", "\nuse builtin"),
        ("powershell", "\nusing namespace"),
    ] {
        let script = printed(&["completions", shell]);
        assert!(script.starts_with(opening) && script.contains("webhook"), "{shell}: {}", &script[..200]);
    }
}
