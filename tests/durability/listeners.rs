//! Those who listen through all lives of a server. Each of them ends with a word about where to go
//! on, and the next one goes on there: nothing is missing and nothing comes twice (P11, P22).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::socket::{Heard, Said, Socket};
use crate::world::{Catalogue, Person, World};

/// Somebody who watches the free times of the room.
#[derive(Debug)]
pub(crate) struct Listener {
    person: Person,
    topic: String,
    /// Where to go on.
    cursor: Option<String>,
    /// Every change: its position and its cursor.
    heard: Vec<(u64, String)>,
}

impl Listener {
    pub(crate) fn new(world: &World, catalogue: &Catalogue) -> Self {
        let topic = format!("offering:{}:slots", catalogue.slots);
        Self { person: world.provider.clone(), topic, cursor: None, heard: Vec::new() }
    }

    /// Comes back to where she was.
    pub(crate) async fn join(&self, address: SocketAddr) -> Socket {
        self.come_back(address, self.cursor.as_deref()).await
    }

    async fn come_back(&self, address: SocketAddr, from: Option<&str>) -> Socket {
        let mut socket = Socket::open(address, &self.person.token).await.unwrap();
        let said = socket.subscribe(&self.topic, from).await.unwrap();
        assert_eq!(said.op, "subscribed");
        socket
    }

    /// Hears what there is until the server says goodbye, as it must.
    pub(crate) async fn hear(&mut self, mut socket: Socket) {
        let mut goodbye = None;
        loop {
            match socket.next().await.unwrap() {
                Heard::Text(text) => {
                    let said: Said = serde_json::from_str(&text).unwrap();
                    let cursor = said.cursor.unwrap();
                    if said.op == "closing" {
                        goodbye = Some(cursor);
                    } else {
                        assert_eq!((said.op.as_str(), &goodbye), ("change", &None));
                        self.heard.push((said.position.unwrap(), cursor));
                    }
                }
                Heard::Closed(code) => {
                    assert_eq!(code, 1001);
                    assert!(goodbye.is_some(), "closed without where to go on");
                    self.cursor = goodbye;
                    return;
                }
                Heard::Cut => panic!("cut off without a word"),
            }
        }
    }

    /// Holds what was heard over all lives against what one hears who comes back once, from the
    /// first change on. Answers how many changes that were.
    pub(crate) async fn compare(&self, address: SocketAddr) -> usize {
        let cursors: BTreeSet<_> = self.heard.iter().map(|(_, cursor)| cursor).collect();
        assert_eq!(cursors.len(), self.heard.len(), "a change came twice");
        let (_, first) = self.heard.first().expect("nothing was heard");
        let mut socket = self.come_back(address, Some(first)).await;
        for (position, cursor) in self.heard.iter().skip(1) {
            let said = socket.said().await.unwrap();
            assert_eq!((said.position, said.cursor.as_ref()), (Some(*position), Some(cursor)));
        }
        self.heard.len()
    }
}
