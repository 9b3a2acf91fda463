//! Asked to end under load (P22): it ends within ten seconds and says that all is well, nothing
//! that was acknowledged is lost, whoever's command was carried out got the answer, and whoever
//! listened was told where to go on.

use std::time::Duration;

use holdfast_domain::event::Event;

use crate::listeners::Listener;
use crate::lives::Lives;
use crate::load::{self, Dice};
use crate::node::{Node, variable};

/// How many ends, unless `HOLDFAST_STOPS` says otherwise.
const STOPS: u64 = 5;
/// How many listen.
const LISTENERS: usize = 3;
const END_MAX: Duration = Duration::from_secs(10);

#[test]
fn an_orderly_end_cuts_no_answer_and_loses_nothing() {
    let stops = variable("HOLDFAST_STOPS").map_or(STOPS, |stops| stops.parse().unwrap());
    let lives = Lives::begin("stops");
    let listener = || Listener::new(&lives.world, &lives.catalogue);
    let mut listeners: Vec<_> = std::iter::repeat_with(listener).take(LISTENERS).collect();
    let mut dice = Dice::new(lives.seed);
    let mut longest = Duration::ZERO;
    for round in 0..stops {
        let node = Node::start(lives.world.data(), &[], &[]).unwrap();
        let moment = Duration::from_millis(dice.below(400).saturating_add(100));
        let address = node.address;
        let before = lives.world.history().len();
        let (status, took, said) = lives.runtime.block_on(async {
            let mut hearing = Vec::new();
            for listener in &mut listeners {
                let socket = listener.join(address).await;
                hearing.push(listener.hear(socket));
            }
            let hearing = futures_util::future::join_all(hearing);
            let seed = lives.seed.wrapping_add(round);
            let customers = load::run(&lives.world, &lives.catalogue, address, seed, u32::MAX);
            let end = async {
                tokio::time::sleep(moment).await;
                tokio::task::spawn_blocking(move || node.terminate()).await.unwrap()
            };
            tokio::join!(customers, hearing, end).2
        });
        assert!(status.success(), "{status}: {said}");
        assert!(took < END_MAX, "it took {took:?}");
        longest = longest.max(took);
        let evidence = lives.judge(&format!("end {round} after {moment:?}"));
        for entry in lives.world.history().into_iter().skip(before) {
            // A connection may be closed before its next request is read: that was never handled.
            let command = entry.command();
            let handled = evidence.answers.contains_key(&command)
                || evidence.events.iter().any(|recorded| {
                    let refund = matches!(recorded.event, Event::Payment(_));
                    recorded.metadata.command_id == command && !refund
                });
            let cut = entry.is_unknown() && !entry.known.has_status();
            assert!(
                !(cut && handled),
                "the answer was cut: {} {:?}",
                entry.asked.path,
                entry.known
            );
        }
    }
    let node = Node::start(lives.world.data(), &[], &[]).unwrap();
    for listener in &listeners {
        let heard = lives.runtime.block_on(listener.compare(node.address));
        println!("stops: a listener heard {heard} changes over all lives");
    }
    assert!(node.terminate().0.success());
    lives.settle();
    println!("stops: {stops} ends, the longest took {longest:?}");
}
