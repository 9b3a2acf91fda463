//! A Redis server that a test may kill, pause and start again: its own port of the loopback, nothing
//! on the disk, gone when the test is over.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::server::signal;
use crate::{exercised, left_out};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server of its own.
#[derive(Debug)]
pub struct RedisServer {
    password: String,
    port: u16,
    process: Child,
}

/// Starts one for a suite; none where Redis is not installed.
///
/// # Panics
/// When it is installed and does not start.
pub fn redis_server(suite: &str) -> Option<RedisServer> {
    if Command::new("redis-server").arg("--version").output().is_err() {
        left_out("redis", suite, "redis-server is not installed");
        return None;
    }
    exercised("redis", suite);
    let password = Uuid::new_v4().simple().to_string();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = RedisServer { process: run(&password, port), password, port };
    server.listens();
    Some(server)
}

impl RedisServer {
    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// Ends it without a word; what it knew is gone.
    ///
    /// # Panics
    /// When it had ended before.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again after a kill, and waits until it listens.
    pub fn restart(&mut self) {
        self.process = run(&self.password, self.port);
        self.listens();
    }

    /// Lets it stand still.
    pub fn pause(&self) {
        signal("-STOP", &[self.process.id().to_string()]);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal("-CONT", &[self.process.id().to_string()]);
    }

    fn listens(&self) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "redis-server does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ended = self.process.kill();
        let _waited = self.process.wait();
    }
}

fn run(password: &str, port: u16) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--requirepass", password])
        .args(["--save", "", "--appendonly", "no"])
        .current_dir(std::env::temp_dir())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
