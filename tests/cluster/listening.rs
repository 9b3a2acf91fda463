//! Somebody who listens to everything that happens at a provider's, and can say afterwards what was
//! heard: each thing once, in the order of the log.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::PATIENCE;
use crate::socket::{Heard, Socket};
use crate::world::Person;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) position: u64,
    pub(crate) key: String,
    pub(crate) cursor: String,
}

/// The client's end of a socket, and everything that came over it.
#[derive(Debug)]
pub(crate) struct Listening {
    socket: Socket,
    pub(crate) heard: Vec<Change>,
}

impl Listening {
    /// Listens from now on, or from behind a change.
    pub(crate) async fn open(address: SocketAddr, person: &Person, from: Option<&str>) -> Self {
        let mut socket = Socket::open(address, &person.token).await.unwrap();
        assert_eq!(socket.subscribe("me", from).await.unwrap().op, "subscribed");
        Self { socket, heard: Vec::new() }
    }

    /// Returns when each of these reservations was heard of.
    pub(crate) async fn hear(&mut self, wanted: &[String]) {
        let missing = |heard: &[Change]| {
            let known: BTreeSet<_> = heard.iter().map(|change| &change.key).collect();
            wanted.iter().any(|key| !known.contains(key))
        };
        while missing(&self.heard) {
            self.next(PATIENCE).await;
        }
    }

    /// Hears one more change.
    async fn next(&mut self, patience: Duration) {
        let next = tokio::time::timeout(patience, self.socket.next()).await;
        let next = next.unwrap_or_else(|_late| panic!("nothing more is told"));
        let Heard::Text(frame) = next.unwrap() else { panic!("the socket ended") };
        let said: Value = serde_json::from_str(&frame).unwrap();
        assert_ne!(said["op"], "resync", "nothing was lost that had to be read again");
        if said["op"] == "change" {
            let text = |field: &str| said[field].as_str().unwrap().to_owned();
            let position = said["position"].as_u64().unwrap();
            self.heard.push(Change { position, key: text("key"), cursor: text("cursor") });
        }
    }

    /// Holds what was heard against what another node tells to one who comes back there, to go on
    /// behind the first change.
    pub(crate) async fn compare(&self, address: SocketAddr, person: &Person) {
        let [first, rest @ ..] = &self.heard[..] else { panic!("nothing was heard") };
        let mut again = Self::open(address, person, Some(&first.cursor)).await;
        while again.heard.len() < rest.len() {
            again.next(PATIENCE).await;
        }
        assert_eq!(again.heard, rest);
    }
}

/// What is wrong with the order of what was heard, and with what should have been: these
/// reservations were made one after the other.
pub(crate) fn faults(heard: &[Change], booked: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for pair in heard.windows(2) {
        if pair[0].position > pair[1].position {
            found.push(format!("{} came after {}", pair[1].position, pair[0].position));
        }
    }
    let cursors: BTreeSet<_> = heard.iter().map(|change| &change.cursor).collect();
    if cursors.len() < heard.len() {
        found.push("a change came twice".to_owned());
    }
    let mut order: Vec<&String> = Vec::new();
    for change in heard.iter().filter(|change| booked.contains(&change.key)) {
        if !order.contains(&&change.key) {
            order.push(&change.key);
        }
    }
    if order.iter().copied().ne(booked) {
        found.push(format!("booked were {booked:?}, heard {order:?}"));
    }
    found
}

#[test]
fn what_is_missing_doubled_or_out_of_order_is_found() {
    let change = |position: u64, key: &str| {
        let cursor = format!("{position}{key}");
        Change { position, key: key.to_owned(), cursor }
    };
    let booked = ["a".to_owned(), "b".to_owned()];
    let right = [change(1, "a"), change(1, "c"), change(2, "b"), change(3, "a")];
    assert!(faults(&right, &booked).is_empty());
    assert!(!faults(&right[..2], &booked).is_empty());
    assert!(!faults(&[change(1, "a"), change(1, "a"), change(2, "b")], &booked).is_empty());
    assert!(!faults(&[change(2, "a"), change(1, "b")], &booked).is_empty());
    assert!(!faults(&[change(1, "b"), change(2, "a")], &booked).is_empty());
}
