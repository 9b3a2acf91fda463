//! A kill at each named place (R1): in the middle of an append, between the commit and the answer,
//! between the call to the provider and its report, in the views. Every name has to be reached.

use std::collections::BTreeSet;
use std::fs;

use holdfast_commands::failpoint::REGISTRY;

use crate::lives::Lives;
use crate::load;
use crate::node::{Node, variable};

/// Each place is survived at these visits.
const VISITS: [u32; 3] = [1, 2, 3];
/// A life that ends by itself does so early.
const COMMANDS_MAX: u32 = 150;

#[test]
fn a_death_at_every_named_place_is_survived() {
    let lives = Lives::begin("failpoints");
    let visited = lives.world.file("visited.txt");
    let visits = variable("HOLDFAST_VISITS")
        .map_or(VISITS.to_vec(), |count| (1..=count.parse().unwrap()).collect());
    let mut seed = lives.seed;
    for name in REGISTRY {
        for visit in &visits {
            seed = seed.wrapping_add(1);
            let order = format!("{name}:{visit}");
            die_at(&lives, &order, visited.to_str().unwrap(), seed);
        }
        lives.judge(name);
    }
    lives.settle();
    let visited: BTreeSet<String> =
        fs::read_to_string(visited).unwrap().lines().map(str::to_owned).collect();
    let expected: BTreeSet<String> = REGISTRY.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(visited, expected);
}

/// One life that ends at the place `order` names.
fn die_at(lives: &Lives, order: &str, visited: &str, seed: u64) {
    let orders = [("HOLDFAST_CRASH_AT", order), ("HOLDFAST_CRASH_LOG", visited)];
    let Ok(node) = Node::start(lives.world.data(), &[], &orders) else {
        // What the life before left undone led here before anybody could connect.
        return;
    };
    let died = lives.runtime.block_on(async {
        lives.world.resolve(node.address).await;
        load::run(&lives.world, &lives.catalogue, node.address, seed, COMMANDS_MAX).await
    });
    assert!(died, "nobody died at {order}; it says:\n{}", node.said());
}
