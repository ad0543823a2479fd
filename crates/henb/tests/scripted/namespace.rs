//! A network of a test's own, where the machine has such.

use std::{env, fs, io::Write, process::Command};

/// Whether this machine has network namespaces for tests; where not, that is noted in `$HEARTH_SKIPS`.
pub fn has_namespaces(test: &str) -> bool {
    let made = Command::new("unshare").args(["--net", "ip", "link", "set", "lo", "up"]).output();
    let is_made = made.is_ok_and(|made| made.status.success());
    if let Some(skips) = env::var_os("HEARTH_SKIPS").filter(|_| !is_made) {
        let list = fs::OpenOptions::new().append(true).create(true).open(skips);
        let _ = list.and_then(|mut list| writeln!(list, "{test}: no network namespaces; they want root"));
    }
    is_made
}

/// Whether the test runs in a network of its own, where ICMP sockets are everybody's; else it is run there, and is over.
pub fn is_inside(test: &str) -> bool {
    const INSIDE: &str = "HEARTH_INSIDE";
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    if has_namespaces(test) {
        let open = format!("ip link set lo up && echo 0 0 > {PING_GROUPS} && exec \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", &open, "sh"]).arg(env::current_exe().unwrap());
        let run = command.args([test, "--exact"]).env(INSIDE, "1").output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    }
    false
}

/// The groups that may open ICMP sockets.
pub const PING_GROUPS: &str = "/proc/sys/net/ipv4/ping_group_range";
