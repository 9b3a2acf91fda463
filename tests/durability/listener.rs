//! A customer who listens while the others act: news go through the server's hub all the time.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::world::Person;

/// How long the server has to open a socket.
const PATIENCE: Duration = Duration::from_secs(10);

/// The client's end of a WebSocket that hears of everything that happens to one person.
#[derive(Debug)]
pub(crate) struct Listener(WebSocketStream<TcpStream>);

impl Listener {
    /// Opens it and subscribes; none when the server is gone before that is done.
    pub(crate) async fn open(address: SocketAddr, person: &Person) -> Option<Self> {
        let opened = tokio::time::timeout(PATIENCE, Self::subscribe(address, person)).await;
        opened.expect("the server does not open a socket").ok()
    }

    async fn subscribe(address: SocketAddr, person: &Person) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        let mut request = format!("ws://{address}/v1/ws").into_client_request()?;
        request.headers_mut().insert("authorization", person.token.parse().unwrap());
        let (mut socket, _response) = client_async(request, stream).await?;
        let ask = json!({"op": "subscribe", "topic": "me"});
        socket.send(Message::text(ask.to_string())).await?;
        loop {
            let heard = socket.next().await.unwrap_or(Err(Error::ConnectionClosed))?;
            if let Message::Text(text) = heard {
                let heard: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(heard["op"], "subscribed", "{heard}");
                return Ok(Self(socket));
            }
        }
    }

    /// Listens until the server says no more.
    pub(crate) async fn listen(mut self) {
        while let Some(Ok(_heard)) = self.0.next().await {}
    }
}
