//! A history that could have happened: random commands, decided by the real aggregates, as a log
//! would have recorded them. The same seed gives the same history.

use std::time::Duration;

use holdfast_domain::log::Recorded;

use super::world::World;

/// At least `events` events, grown from `seed`.
pub fn history(seed: u64, events: usize) -> Vec<Recorded> {
    let mut world = World::new(seed);
    while world.log.len() < events {
        step(&mut world);
    }
    world.log
}

/// One more thing happens.
fn step(world: &mut World) {
    let pause = 1 + world.draw(90);
    world.now = world.now.plus(Duration::from_secs(pause));
    match world.draw(40) {
        0 => world.publish_schedule(),
        1 => world.schedule_class(),
        2 => world.pause_or_publish(),
        3..=15 => world.book(),
        _ => world.advance(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_history_has_every_kind_of_event() {
        let seen: BTreeSet<_> = history(1, 5_000).iter().map(|event| event.event.name()).collect();
        let missing: Vec<_> = holdfast_domain::event::Event::catalogue()
            .into_iter()
            .flat_map(|(category, events)| {
                events.iter().map(move |known| format!("{}.{}", category.name(), known.name))
            })
            .filter(|name| !seen.contains(name))
            .collect();
        assert_eq!(missing, Vec::<String>::new());
    }
}
