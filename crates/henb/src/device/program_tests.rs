//! Claims about running a program: nothing that it does takes longer or more than it may.

use std::time::Instant;

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

/// A shell is a program like any other here; the product never names one.
fn script(text: &str, limit: Duration) -> Program {
    Program { file: "/bin/sh".into(), arguments: vec!["-c".to_owned(), text.to_owned()], limit }
}

#[test]
fn input_arguments_and_answer_arrive_as_they_are() {
    let program = script("printf '%s|' \"$@\"; cat", LIMIT);
    let answer = program.ask(&["--", "a b", "$(id)"], b"in\nput").unwrap();
    // The first argument after the text of a shell's -c is the script's own name.
    assert_eq!(String::from_utf8(answer).unwrap(), "a b|$(id)|in\nput");
}

#[test]
fn a_program_that_never_reads_may_answer() {
    let input = vec![b'x'; 1 << 20];
    assert_eq!(script("echo done", LIMIT).ask(&[], &input).unwrap(), b"done\n");
}

#[test]
fn a_hang_ends_with_the_limit_and_with_all_of_its_processes() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let text = format!("sleep 600 & echo $! > {}; wait", pid.display());
    let (program, start) = (script(&text, Duration::from_millis(300)), Instant::now());
    let error = program.ask(&[], b"").unwrap_err();
    assert_eq!(error.to_string(), "/bin/sh took longer than 300ms");
    assert!(start.elapsed() < LIMIT);
    let pid: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let stat = PathBuf::from(format!("/proc/{pid}/stat"));
    // It was killed; a zombie only waits for its adopter.
    let lives = || std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z "));
    while lives() {
        assert!(start.elapsed() < LIMIT, "the grandchild lives");
        std::thread::yield_now();
    }
}

#[test]
fn nothing_is_left_of_a_program_that_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let text = format!("echo $$ > {}; exec sleep 600", pid.display());
    script(&text, Duration::from_millis(300)).ask(&[], b"").unwrap_err();
    let pid = std::fs::read_to_string(pid).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "not even a zombie");
}

#[test]
fn an_endless_answer_ends_early() {
    let start = Instant::now();
    let error = script("exec cat /dev/zero", LIMIT * 6).ask(&[], b"").unwrap_err();
    assert_eq!(error.to_string(), "/bin/sh wrote more than 1048576 bytes");
    assert!(start.elapsed() < LIMIT);
}

#[test]
fn a_bad_end_and_a_missing_file_are_told() {
    let error = script("exit 3", LIMIT).ask(&[], b"").unwrap_err();
    assert_eq!(error.to_string(), "/bin/sh ended with exit status: 3");
    let error = script("kill -SEGV $$", LIMIT).run(&[]).unwrap_err();
    assert!(error.to_string().starts_with("/bin/sh ended with signal: 11"), "{error}");
    let nowhere = Program { file: "/nowhere/radio".into(), arguments: Vec::new(), limit: LIMIT };
    assert_eq!(nowhere.ask(&[], b"").unwrap_err().to_string(), "cannot run /nowhere/radio");
}

#[tokio::test]
async fn a_caller_inside_a_runtime_is_served_too() {
    assert_eq!(script("echo hello", LIMIT).ask(&[], b"").unwrap(), b"hello\n");
}

#[test]
fn what_cannot_be_run_is_said_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("radio");
    assert!(check(&file).unwrap_err().starts_with("there is no program"));
    std::fs::write(&file, "").unwrap();
    assert!(check(&file).unwrap_err().contains("is not executable"));
    assert!(check(folder.path()).unwrap_err().contains("is no file"));
    assert_eq!(check(Path::new("/bin/sh")), Ok(()));
}
