//! The real binary as a process: started on a folder, killed, asked to end; and tokens that it
//! believes, signed with the key in its folder.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use holdfast_api::auth::mint::{Grant, mint};
use holdfast_api::config::Config;
use holdfast_api::config::sources::Sources;
use holdfast_api::keys::Keys;
use holdfast_api::wall_clock::unix_seconds;
use holdfast_domain::actor::Role;
use holdfast_domain::ids::PrincipalId;

/// How long a start may take before it counts as failed.
const START_MAX: Duration = Duration::from_secs(30);
/// How many of the last lines of the log are kept to explain a failure.
const LINES_MAX: usize = 40;

/// The value of an environment variable.
#[expect(clippy::disallowed_methods, reason = "the suite is told its binary and its size this way")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The binary: named by `HOLDFAST_BIN`, or the one beside the running test.
pub(crate) fn binary() -> PathBuf {
    if let Some(named) = variable("HOLDFAST_BIN") {
        return named.into();
    }
    let running = std::env::current_exe().unwrap();
    let beside = running.parent().and_then(Path::parent).unwrap().join("holdfast");
    let hint = "build it first (cargo build -p holdfast-api) or name it in HOLDFAST_BIN";
    assert!(beside.is_file(), "there is no binary at {}: {hint}", beside.display());
    beside
}

/// A running process. Dropped, it is killed: without a word, as a loss of power would.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to the line that says where it listens.
    pub(crate) started_in: Duration,
    lines: Arc<Mutex<VecDeque<String>>>,
    reader: Option<JoinHandle<()>>,
}

/// It ended before it listened; what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DidNotStart(pub(crate) String);

impl Node {
    /// Starts it on `data` without limits of rate, and waits until it listens.
    pub(crate) fn start(
        data: &Path,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, DidNotStart> {
        Self::start_by(Command::new(binary()), data, flags, environment)
    }

    /// The same by a command that becomes the binary, with the arguments that it is given.
    pub(crate) fn start_by(
        mut command: Command,
        data: &Path,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, DidNotStart> {
        let began = Instant::now();
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data"])
            .arg(data)
            .args(["--address-rate", "1000000/1s", "--principal-rate", "1000000/1s"])
            .args(flags)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (found, address) = sync_channel(1);
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let (kept, stderr) = (Arc::clone(&lines), BufReader::new(child.stderr.take().unwrap()));
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once(" ms  http://") {
                    found.send(address.trim().parse::<SocketAddr>().unwrap()).unwrap();
                }
                let mut kept = kept.lock().unwrap();
                if kept.len() == LINES_MAX {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        let address = address.recv_timeout(START_MAX);
        let placeholder = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut node = Self {
            child,
            address: *address.as_ref().unwrap_or(&placeholder),
            started_in: began.elapsed(),
            lines,
            reader: Some(reader),
        };
        if address.is_err() {
            let status = node.end();
            return Err(DidNotStart(format!("{status}\n{}", node.said())));
        }
        Ok(node)
    }

    /// Asks it to end; answers how it ended and how long that took.
    pub(crate) fn terminate(self) -> (ExitStatus, Duration, String) {
        let began = Instant::now();
        self.signal("TERM");
        let (status, said) = self.ended();
        (status, began.elapsed(), said)
    }

    /// Waits until it ends by itself; answers how it ended and what it said last.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.end();
        (status, self.said())
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Its number for the operating system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last lines it wrote.
    pub(crate) fn said(&self) -> String {
        Vec::from(self.lines.lock().unwrap().clone()).join("\n")
    }

    fn end(&mut self) -> ExitStatus {
        // It may be gone already; then there is nothing to kill.
        let _gone = self.child.kill();
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}

/// The value of an `Authorization` header that a node on `data` believes. Makes the keys of the
/// folder when there are none yet.
pub(crate) fn token(data: &Path, principal: PrincipalId, role: Role) -> String {
    let flags = BTreeMap::from([("data", data.display().to_string())]);
    let config = Config::load(&Sources { flags, ..Sources::default() }).unwrap();
    let keys = Keys::open(data).unwrap();
    let grant = Grant {
        tokens: &config.tokens,
        principal,
        roles: &[role],
        from: unix_seconds(),
        lifetime: Duration::from_hours(12),
    };
    format!("Bearer {}", mint(&keys.signing, &grant).unwrap())
}
