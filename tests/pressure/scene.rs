//! A node and raw connections to it.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use holdfast_domain::actor::Role;
use holdfast_domain::ids::PrincipalId;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::{Asked, Connection};
use crate::node::{Node, token};

/// Nothing that is waited for comes later.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node with somebody who may use it.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) node: Node,
    pub(crate) token: String,
    _data: TempDir,
}

impl Scene {
    pub(crate) fn open(flags: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let someone: PrincipalId = "018f2a10-7c5e-7000-8000-000000000001".parse().unwrap();
        let token = token(data.path(), someone, Role::Provider);
        let node = Node::start(data.path(), flags, &[]).unwrap();
        assert!(node.started_in < PATIENCE);
        Self { node, token, _data: data }
    }

    /// The head of a command whose body is framed like this, up to the body.
    pub(crate) fn head(&self, framing: &str) -> String {
        format!(
            "POST /v1/resources HTTP/1.1\r\nhost: holdfast\r\nauthorization: {}\r\n\
             idempotency-key: pressure\r\ncontent-type: application/json\r\n{framing}\r\n\r\n",
            self.token
        )
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.node.address).await.unwrap()
    }

    /// Others are answered.
    pub(crate) async fn answers_others(&self) {
        let asked = Asked {
            method: "GET",
            path: "/health/live".to_owned(),
            token: String::new(),
            key: String::new(),
            body: String::new(),
        };
        let mut connection = Connection::open(self.node.address).await.unwrap();
        let answer = tokio::time::timeout(PATIENCE, connection.call(&asked)).await;
        assert_eq!(answer.expect("nobody is answered").unwrap().status, 200);
    }

    /// The memory that it has now, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.node.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().split(' ').next().unwrap().parse().unwrap()
    }

    pub(crate) fn close(self) {
        let (status, _, said) = self.node.terminate();
        assert!(status.success(), "{said}");
    }
}

/// Writes a piece. The node may have closed by then: whether it had not.
pub(crate) async fn offer(stream: &mut TcpStream, piece: &[u8]) -> bool {
    stream.write_all(piece).await.is_ok()
}

/// Everything that comes until the connection is closed, as it must be.
pub(crate) async fn to_the_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    match read.expect("the connection is kept") {
        Ok(_) => {}
        // What had been sent and was not read any more.
        Err(why) => assert_eq!(why.kind(), ErrorKind::ConnectionReset),
    }
    String::from_utf8(answer).unwrap()
}
