//! A Redis that a test may kill and start again: its own folder, its own port of the loopback, an
//! ordinary user, nothing on the disk, gone when the test is over.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::process::{folder_of, free_port, run_as, signal};
use crate::{exercised, left_out};

const PROGRAM: &str = "redis-server";
const USER: &str = "redis";
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Redis of its own.
#[derive(Debug)]
pub struct RedisServer {
    folder: PathBuf,
    password: String,
    port: u16,
    process: Child,
}

/// Starts one for a suite; none where Redis is not installed.
///
/// # Panics
/// When it is installed and does not start.
pub fn redis_server(suite: &str) -> Option<RedisServer> {
    let version = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).status();
    if version.is_err() {
        left_out("redis", suite, "redis-server is not installed");
        return None;
    }
    exercised("redis", suite);
    let folder = folder_of(USER);
    let (password, port) = (Uuid::new_v4().simple().to_string(), free_port());
    let process = run(&folder, &password, port);
    let mut server = RedisServer { folder, password, port, process };
    server.answers();
    Some(server)
}

impl RedisServer {
    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// Ends it without a word; everything in it is gone.
    ///
    /// # Panics
    /// When it had ended before.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again on the same port after a kill, empty, and waits until it answers.
    pub fn restart(&mut self) {
        self.process = run(&self.folder, &self.password, self.port);
        self.answers();
    }

    /// Lets it stand still.
    pub fn pause(&self) {
        signal("-STOP", &[self.process.id().to_string()]);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal("-CONT", &[self.process.id().to_string()]);
    }

    fn answers(&mut self) {
        let began = Instant::now();
        while !self.answers_now() {
            let told = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "Redis does not start: {}", told());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers_now(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let asked = format!("AUTH {}\r\nPING\r\n", self.password);
        let mut said = [0; 12];
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let done = stream.write_all(asked.as_bytes()).and_then(|()| stream.read_exact(&mut said));
        done.is_ok() && said == *b"+OK\r\n+PONG\r\n"
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ended = self.process.kill();
        let _waited = self.process.wait();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

fn run(folder: &Path, password: &str, port: u16) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    run_as(USER, Path::new(PROGRAM))
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--requirepass", password])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(folder)
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
