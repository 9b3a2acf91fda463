//! A client of WebSockets of few lines, beside the one of HTTP and for the same reason: a thousand
//! of them must cost little beside the node that is measured. It can also just not read.
//! Deliberately not a general client: it masks with zeros, and it takes whole text frames only.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// Lengths that say that the length follows in two bytes, or in eight.
const MEDIUM: u8 = 126;
const LONG: u8 = 127;
/// Nothing that is waited for comes later.
const PATIENCE: Duration = Duration::from_mins(1);

/// What comes over a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A frame of the protocol.
    Text(String),
    /// The node closed it, with this code.
    Closed(u16),
    /// The connection ended without a word.
    Cut,
}

/// What the frames of interest have in common.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Said {
    pub(crate) op: String,
    pub(crate) topic: Option<String>,
    pub(crate) position: Option<u64>,
    pub(crate) cursor: Option<String>,
}

/// The client's end of a socket.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// What was read and not taken yet.
    unread: Vec<u8>,
    from: usize,
}

impl Socket {
    /// A socket of whoever the value of the `Authorization` header speaks of.
    pub(crate) async fn open(address: SocketAddr, token: &str) -> Result<Self> {
        Self::over(TcpStream::connect(address).await?, token).await
    }

    /// The same on a connection that is there already.
    pub(crate) async fn over(mut stream: TcpStream, token: &str) -> Result<Self> {
        stream.set_nodelay(true)?;
        let head = format!(
            "GET /v1/ws HTTP/1.1\r\nhost: holdfast\r\nauthorization: {token}\r\n\
             upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        let mut socket = Self { stream, unread: Vec::new(), from: 0 };
        loop {
            let text = String::from_utf8_lossy(&socket.unread);
            if let Some((answer, _)) = text.split_once("\r\n\r\n") {
                if !answer.starts_with("HTTP/1.1 101 ") {
                    return Err(Error::new(ErrorKind::InvalidData, answer.to_owned()));
                }
                socket.from = answer.len().saturating_add(4);
                return Ok(socket);
            }
            if !socket.read().await? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Hears of a topic from now on, or from a cursor on; answers the first word about it.
    pub(crate) async fn subscribe(&mut self, topic: &str, from: Option<&str>) -> Result<Said> {
        let mut ask = json!({"op": "subscribe", "topic": topic});
        if let Some(from) = from {
            ask["from"] = json!(from);
        }
        self.say(&ask).await?;
        loop {
            let said = self.said().await?;
            if said.op != "change" && said.topic.as_deref() == Some(topic) {
                return Ok(said);
            }
        }
    }

    /// Says something to the node.
    pub(crate) async fn say(&mut self, what: &Value) -> Result<()> {
        self.send(TEXT, what.to_string().as_bytes()).await
    }

    /// The next frame of the protocol; that the socket ended is an error.
    pub(crate) async fn said(&mut self) -> Result<Said> {
        match self.next().await? {
            Heard::Text(text) => Ok(serde_json::from_str(&text)?),
            ended @ (Heard::Closed(_) | Heard::Cut) => {
                Err(Error::new(ErrorKind::UnexpectedEof, format!("{ended:?}")))
            }
        }
    }

    /// The next frame, or the end. Pings are answered.
    pub(crate) async fn next(&mut self) -> Result<Heard> {
        loop {
            while let Some((kind, payload)) = self.take() {
                match kind {
                    TEXT => return Ok(Heard::Text(String::from_utf8(payload).unwrap())),
                    CLOSE => {
                        let code =
                            payload.first_chunk().map_or(1005, |two| u16::from_be_bytes(*two));
                        return Ok(Heard::Closed(code));
                    }
                    PING => self.send(PONG, &payload).await?,
                    PONG => {}
                    other => panic!("a frame of kind {other}"),
                }
            }
            let read = tokio::time::timeout(PATIENCE, self.read()).await;
            match read.map_err(|_late| Error::from(ErrorKind::TimedOut))? {
                Ok(true) => {}
                Ok(false) => return Ok(Heard::Cut),
                Err(why) if why.kind() == ErrorKind::ConnectionReset => return Ok(Heard::Cut),
                Err(why) => return Err(why),
            }
        }
    }

    /// Reads what there is; whether there was anything before the end.
    async fn read(&mut self) -> Result<bool> {
        drop(self.unread.drain(..self.from));
        self.from = 0;
        self.unread.reserve(4_096);
        Ok(self.stream.read_buf(&mut self.unread).await? > 0)
    }

    /// A whole frame out of what was read.
    fn take(&mut self) -> Option<(u8, Vec<u8>)> {
        let bytes = self.unread.get(self.from..)?;
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let (size, length) = match second {
            MEDIUM => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
            LONG => (u64::from_be_bytes(*rest.first_chunk()?), 8_usize),
            short => (u64::from(short), 0),
        };
        let end = length.checked_add(usize::try_from(size).unwrap()).unwrap();
        let payload = rest.get(length..end)?.to_vec();
        assert_eq!(first & 0xf0, 0x80, "a whole frame without extensions");
        self.from = self.from.saturating_add(end).saturating_add(2);
        Some((first & 0x0f, payload))
    }

    async fn send(&mut self, kind: u8, payload: &[u8]) -> Result<()> {
        let mut frame = vec![0x80 | kind];
        // The first bit says that it is masked: with zeros, so that the payload stays as it is.
        if payload.len() < usize::from(MEDIUM) {
            frame.push(0x80 | u8::try_from(payload.len()).unwrap());
        } else {
            frame.push(0x80 | MEDIUM);
            frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.stream.write_all(&frame).await
    }
}
