//! A line to a server that can be held: connections stay, new ones are accepted, and nothing comes
//! through, as when a host is paused or a cable is pulled.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "a test is its own lifecycle")]

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A line.
pub(crate) struct Line {
    /// Where it begins.
    pub(crate) port: u16,
    open: watch::Sender<bool>,
}

impl Line {
    /// One to a server, `host:port`.
    pub(crate) async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, open) = (listener.local_addr().unwrap().port(), watch::Sender::new(true));
        let line = Self { port, open: open.clone() };
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(through(near, server.clone(), open.clone()));
            }
        });
        line
    }

    /// Lets nothing through any more.
    pub(crate) fn hold(&self) {
        self.open.send_replace(false);
    }

    /// Lets everything through, also what waited.
    pub(crate) fn release(&self) {
        self.open.send_replace(true);
    }
}

async fn through(near: TcpStream, server: String, open: watch::Sender<bool>) {
    drop(open.subscribe().wait_for(|open| *open).await);
    let far = TcpStream::connect(server).await.unwrap();
    let (near, far) = (near.into_split(), far.into_split());
    tokio::join!(copy(near.0, far.1, &open), copy(far.0, near.1, &open));
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, open: &watch::Sender<bool>) {
    let mut bytes = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        drop(open.subscribe().wait_for(|open| *open).await);
        if to.write_all(bytes.get(..count).unwrap()).await.is_err() {
            return;
        }
    }
}
