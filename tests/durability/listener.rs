//! A customer who listens while the others act: news go through the server's hub all the time.

use std::io::Result;
use std::net::SocketAddr;

use crate::socket::{Heard, Socket};
use crate::world::Person;

/// The client's end of a WebSocket that hears of everything that happens to one person.
#[derive(Debug)]
pub(crate) struct Listener(Socket);

impl Listener {
    /// Opens it and subscribes; none when the server is gone before that is done.
    pub(crate) async fn open(address: SocketAddr, person: &Person) -> Option<Self> {
        Self::subscribe(address, person).await.ok()
    }

    async fn subscribe(address: SocketAddr, person: &Person) -> Result<Self> {
        let mut socket = Socket::open(address, &person.token).await?;
        let first = socket.subscribe("me", None).await?;
        assert_eq!(first.op, "subscribed", "{first:?}");
        Ok(Self(socket))
    }

    /// Listens until the server says no more.
    pub(crate) async fn listen(mut self) {
        while let Ok(Heard::Text(_)) = self.0.next().await {}
    }
}
