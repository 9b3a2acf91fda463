//! A PostgreSQL server that a test may kill, pause and start again: its own folder, its own port of
//! the loopback, an ordinary user, gone when the test is over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::process::{folder_of, free_port, give, run_as, signal};
use crate::{Schema, exercised, left_out};

/// Who runs it.
pub(crate) const USER: &str = "postgres";
/// How long a server may take to start, also after a crash.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server of its own.
#[derive(Debug)]
pub struct Server {
    pub(crate) programs: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) password: String,
    pub(crate) port: u16,
    pub(crate) process: Child,
}

/// Starts one for a suite; none where PostgreSQL is not installed.
///
/// # Panics
/// When it is installed and does not start.
pub async fn server(suite: &str) -> Option<Server> {
    let server = Server::start().await;
    match &server {
        Some(_) => exercised("postgres", suite),
        None => left_out("postgres", suite, "initdb is not installed"),
    }
    server
}

impl Server {
    /// Starts one, with the defaults of PostgreSQL; none where it is not installed. For what is no
    /// suite of tests; those have [`server`], which keeps the account.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub async fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = folder_of(USER);
        let password = Uuid::new_v4().simple().to_string();
        fs::write(folder.join("password"), &password).unwrap();
        give(USER, &folder);
        let made = run_as(USER, &programs.join("initdb"))
            .arg("--pgdata")
            .arg(folder.join("data"))
            .args(["--username=holdfast", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"])
            .arg("--pwfile")
            .arg(folder.join("password"))
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let process = run(&programs, &folder, port);
        let mut server = Self { programs, folder, password, port, process };
        server.answers().await;
        Some(server)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("postgres://holdfast:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// An empty schema in it.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn schema(&self) -> Schema {
        Schema::at(&self.url()).await
    }

    /// Where it writes its number for the operating system, in the first line.
    pub fn pid_file(&self) -> PathBuf {
        self.folder.join("data/postmaster.pid")
    }

    /// Ends it without a word, as a loss of power would.
    ///
    /// # Panics
    /// When it had ended before.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again after a kill, and waits until it answers.
    pub async fn restart(&mut self) {
        self.process = run(&self.programs, &self.folder, self.port);
        self.answers().await;
    }

    /// Lets it, and each of its sessions, stand still.
    pub fn pause(&self) {
        // The server first, so that it begins no session while the others are looked for.
        signal("-STOP", &[self.process.id().to_string()]);
        signal("-STOP", &self.processes());
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal("-CONT", &self.processes());
    }

    /// The numbers of the server's process, first, and of those that it started: its sessions and
    /// its workers in the background.
    ///
    /// # Panics
    /// When the operating system does not tell.
    pub fn processes(&self) -> Vec<String> {
        let server = self.process.id().to_string();
        let mut all = vec![server.clone()];
        for entry in fs::read_dir("/proc").unwrap() {
            let path = entry.unwrap().path();
            let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
            if parent == Some(server.as_str()) {
                all.extend(path.file_name().map(|pid| pid.to_string_lossy().into_owned()));
            }
        }
        all
    }

    pub(crate) async fn answers(&mut self) {
        let began = Instant::now();
        while PgConnection::connect(&self.url()).await.is_err() {
            // Sessions of a killed server may still hold its memory; then the next one ends at once.
            if self.process.try_wait().unwrap().is_some() {
                self.process = run(&self.programs, &self.folder, self.port);
            }
            let told = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "the server does not start: {}", told());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.resume();
        // It may have been killed already.
        let _ended = self.process.kill();
        let _waited = self.process.wait();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn run(programs: &Path, folder: &Path, port: u16) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    run_as(USER, &programs.join("postgres"))
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-p", &port.to_string()])
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Debian keeps them out of the path, by version; the newest counts.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let named = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(|path| named(path))?;
    Some(newest.join("bin")).filter(|programs| programs.join("initdb").exists())
}
