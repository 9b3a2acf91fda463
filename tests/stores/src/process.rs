//! Programs of servers that a test runs itself: as an ordinary user, on a free port of the loopback.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use uuid::Uuid;

/// A program run by this user, when the test itself is run by root: servers refuse to be.
pub(crate) fn run_as(user: &str, program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([&format!("--reuid={user}"), &format!("--regid={user}")])
        .args(["--clear-groups", "--"])
        .arg(program);
    command
}

pub(crate) fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

/// An empty folder that this user can write.
pub(crate) fn folder_of(user: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("holdfast-{}", Uuid::new_v4().simple()));
    fs::create_dir(&folder).unwrap();
    give(user, &folder);
    folder
}

/// Everything in the folder belongs to this user.
pub(crate) fn give(user: &str, folder: &Path) {
    if is_root() {
        let owner = format!("{user}:");
        let given = Command::new("chown").args(["-R", &owner]).arg(folder).status().unwrap();
        assert!(given.success());
    }
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Sends a signal by its name.
pub(crate) fn signal(which: &str, processes: &[String]) {
    // One that has ended meanwhile is no reason to fail.
    let _some_gone = Command::new("kill").arg(which).args(processes).stderr(Stdio::null()).status();
}
