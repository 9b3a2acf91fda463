//! A client of few lines: one connection, one request at a time, bytes that can be sent in part or
//! cut off. It costs little processor time, so that a measurement on two cores measures the server.
//! Deliberately not a general client: it reads what Holdfast answers, bodies of a stated length.

use std::fmt::Write as _;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) token: String,
    /// Empty for reads.
    pub(crate) key: String,
    pub(crate) body: String,
}

impl Asked {
    /// The request as it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: holdfast\r\n", self.method, self.path);
        let mut header = |name: &str, value: &str| {
            if !value.is_empty() {
                write!(head, "{name}: {value}\r\n").unwrap();
            }
        };
        header("authorization", &self.token);
        header("idempotency-key", &self.key);
        if !self.body.is_empty() {
            header("content-type", "application/json");
        }
        header("content-length", &self.body.len().to_string());
        head.push_str("\r\n");
        head.push_str(&self.body);
        head.into_bytes()
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The position of the last event that the answer knows of.
    pub(crate) position: u64,
    pub(crate) body: Vec<u8>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn call(&mut self, asked: &Asked) -> Result<Answer> {
        self.0.get_mut().write_all(&asked.bytes()).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Answer> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| malformed(&first))?;
        let (mut length, mut position) = (0, 0);
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").ok_or_else(|| malformed(&line))?;
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().map_err(|_not_a_number| malformed(&line))?;
            } else if name.eq_ignore_ascii_case("holdfast-position") {
                position = value.parse().map_err(|_not_a_number| malformed(&line))?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(malformed(&line));
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(Answer { status, position, body })
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

fn malformed(line: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("not understood: {line}"))
}
