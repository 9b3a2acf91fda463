//! Clients that reset their connection in the middle of a command: the work goes on or was never
//! begun, and the key tells which (P3). Never half of it, never twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::history::Entry;
use crate::lives::Lives;
use crate::load::{Dice, hold};
use crate::node::{Node, variable};
use crate::world::CUSTOMERS;

/// How many commands, unless `HOLDFAST_RESETS` says otherwise.
const RESETS: u64 = 300;

#[test]
fn a_reset_connection_leaves_one_effect_or_none() {
    let resets = variable("HOLDFAST_RESETS").map_or(RESETS, |resets| resets.parse().unwrap());
    let lives = Lives::begin("resets");
    let node = Node::start(lives.world.data(), &[], &[]).unwrap();
    let address = node.address;
    let each = resets.div_ceil(u64::try_from(CUSTOMERS).unwrap());
    lives.runtime.block_on(async {
        let mut clients = JoinSet::new();
        for (person, number) in lives.world.customers.clone().into_iter().zip(1_u64..) {
            let (world, catalogue) = (Arc::clone(&lives.world), Arc::clone(&lives.catalogue));
            let mut dice = Dice::new(lives.seed.wrapping_add(number));
            clients.spawn(async move {
                for _ in 0..each {
                    let entry = hold(&world, &catalogue, &person, &mut dice);
                    let patience = Duration::from_millis(dice.below(61));
                    let entry = send_and_reset(entry, address, patience, &mut dice).await;
                    world.remember(entry);
                }
            });
        }
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
        }
    });
    // Nobody waits for anything: whatever was begun is in the log now or will never be.
    let (status, _, said) = node.terminate();
    assert!(status.success(), "{said}");
    let evidence = lives.judge("after the resets");
    let commands: BTreeSet<_> = lives.world.history().iter().map(Entry::command).collect();
    let effective: BTreeSet<_> = evidence
        .events
        .iter()
        .map(|recorded| recorded.metadata.command_id)
        .filter(|command| commands.contains(command))
        .collect();
    let before = commands.difference(&effective).count();
    println!("resets: {} commands, {} had an effect", commands.len(), effective.len());
    assert!(before > 0 && effective.len() > 40, "the resets came all too early or all too late");
    let settled = lives.settle();
    // What had its effect before the key was asked for has no second one, and answers as it did.
    for entry in lives.world.history() {
        if effective.contains(&entry.command()) {
            let old = evidence.answers.get(&entry.command());
            assert_eq!(old, settled.answers.get(&entry.command()), "{}", entry.asked.path);
        }
    }
}

/// Sends a command, sometimes not all of it, and resets the connection a little later.
async fn send_and_reset(
    mut entry: Entry,
    address: std::net::SocketAddr,
    patience: Duration,
    dice: &mut Dice,
) -> Entry {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let bytes = entry.asked.bytes();
    let whole = dice.below(10) > 0;
    let part = bytes.len().checked_div(if whole { 1 } else { 2 }).unwrap();
    stream.write_all(&bytes[..part]).await.unwrap();
    tokio::time::sleep(patience).await;
    stream.set_zero_linger().unwrap();
    drop(stream);
    entry.was_unclear = true;
    entry
}
