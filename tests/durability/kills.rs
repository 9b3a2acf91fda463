//! Kills at moments that nobody chose, under load: P1(d), and after each of them everything that
//! must hold of a log (P2, P3, P4, P6, P13, P14).

use std::time::Duration;

use crate::lives::Lives;
use crate::load::{self, Dice};
use crate::node::{Node, variable};

/// How many kills, unless `HOLDFAST_KILLS` says otherwise.
const KILLS: u64 = 10;
/// A start is expected to be quick, whatever the life before left behind.
const START_MAX: Duration = Duration::from_secs(10);

#[test]
fn what_was_acknowledged_survives_kills_at_any_moment() {
    let kills = variable("HOLDFAST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let lives = Lives::begin("kills");
    let mut dice = Dice::new(lives.seed);
    for round in 0..kills {
        let node = Node::start(lives.world.data(), &[], &[]).unwrap();
        assert!(node.started_in < START_MAX, "it took {:?}", node.started_in);
        let moment = Duration::from_millis(dice.below(500).saturating_add(50));
        let address = node.address;
        lives.runtime.block_on(async {
            lives.world.resolve(address).await;
            let seed = lives.seed.wrapping_add(round);
            let customers = load::run(&lives.world, &lives.catalogue, address, seed, u32::MAX);
            let killer = async {
                tokio::time::sleep(moment).await;
                drop(node);
            };
            tokio::join!(customers, killer);
        });
        lives.judge(&format!("kill {round} after {moment:?}"));
    }
    let evidence = lives.settle();
    let history = lives.world.history();
    let unclear = history.iter().filter(|entry| entry.was_unclear).count();
    assert!(evidence.events.len() > 200 && unclear > 0, "the load was too small to say anything");
}
