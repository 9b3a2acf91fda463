//! A PostgreSQL of one test's own, which it may kill, pause and start again.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{POSTGRES, address, left_out, unique};

/// A server that nobody else uses. Gone with this value.
#[derive(Debug)]
pub struct OwnPostgres {
    folder: PathBuf,
    url: String,
}

/// Starts one, for a suite; none when tests are given no PostgreSQL at all.
///
/// # Panics
/// When a server that was started says nothing of its address.
pub fn own_postgres(suite: &str) -> Option<OwnPostgres> {
    address(POSTGRES, "postgres", suite)?;
    let folder = std::env::temp_dir().join(unique("holdfast_postgres_"));
    // Redis is not wanted, and not started where an address is given.
    let started = Command::new(script())
        .arg("start")
        .arg(&folder)
        .env_remove(POSTGRES)
        .env(crate::REDIS, "redis://nowhere")
        .output()
        .unwrap();
    if !started.status.success() {
        left_out("postgres", suite, &String::from_utf8_lossy(&started.stderr));
        return None;
    }
    let env = std::fs::read_to_string(folder.join("env")).unwrap();
    let url = env.lines().find_map(|line| line.split_once('=')).unwrap().1.to_owned();
    Some(OwnPostgres { folder, url })
}

impl OwnPostgres {
    /// The address of its database, of which the test may use the schema `public`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it at once, with everything that it was doing.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&self) {
        self.signal("KILL");
        std::fs::remove_file(self.data().join("postmaster.pid")).unwrap();
    }

    /// Starts it again, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        let line = std::fs::read_to_string(self.data().join("postmaster.opts")).unwrap();
        let mut words = line.split_whitespace().map(|word| word.trim_matches('"'));
        let programs = Path::new(words.next().unwrap()).parent().unwrap();
        let port = words.skip_while(|word| *word != "-p").nth(1).unwrap();
        let mut command = as_its_user(&programs.join("pg_ctl"));
        command.args(["start", "--wait", "--silent"]).arg("--pgdata").arg(self.data());
        command.arg(format!("--options=-p {port}"));
        command.arg("--log").arg(self.folder.join("postgres/server.log"));
        assert!(command.status().unwrap().success(), "it does not start again");
    }

    /// Stops all of it where it is: connections stay, and nothing answers.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn data(&self) -> PathBuf {
        self.folder.join("postgres/data")
    }

    /// The first process first, so that it starts no others meanwhile.
    fn signal(&self, name: &str) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let first = file.lines().next().unwrap().to_owned();
        let send = |pids: &[String]| {
            if !pids.is_empty() {
                // One that ended by itself meanwhile is no matter.
                drop(Command::new("kill").arg(format!("-{name}")).args(pids).output().unwrap());
            }
        };
        let children = children_of(&first);
        send(&[first]);
        send(&children);
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            self.resume();
        }
        drop(Command::new(script()).arg("stop").arg(&self.folder).output());
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/services")
}

/// The server refuses to run as root, and so runs as its package's user.
fn as_its_user(program: &Path) -> Command {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command
}

/// The processes that a process started.
fn children_of(pid: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        // It may be gone already.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // After the name, which may hold anything: the state, then the parent.
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
        if parent == Some(pid) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}
