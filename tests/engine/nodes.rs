//! Two engines on one log, as two nodes have it: what one knows may be old at any moment. Whatever
//! they do at the same time has one effect, and nobody is answered by what was.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join, join_all};
use holdfast_commands::catalog::OpenOffering;
use holdfast_commands::handle::{Confirm, Confirmed};
use holdfast_commands::shares;
use holdfast_domain::ids::{CommandId, ReservationId};
use tokio::sync::watch;
use uuid::Uuid;

use crate::stage::{HOLD, Stage, calm, request, won};

/// Two nodes on a log that several may have.
async fn two(guards: bool) -> [Stage; 2] {
    let one = Stage::shared(guards).await;
    let other = one.beside();
    [one, other]
}

async fn close([one, other]: [Stage; 2]) {
    one.close().await;
    other.close().await;
}

fn key(number: u128) -> CommandId {
    CommandId::from_uuid(Uuid::from_u128(number))
}

#[tokio::test]
async fn one_key_on_two_nodes_at_once_has_one_effect_and_one_answer() {
    for guards in [true, false] {
        let nodes = two(guards).await;
        let (_, wish) = nodes[0].wish(0);
        // Both have decided before either is written.
        for node in &nodes {
            node.log.close_door();
        }
        let both = nodes.each_ref().map(|node| node.engine.execute(wish.clone(), request(key(1))));
        let open = async {
            calm().await;
            for node in &nodes {
                node.log.open_door();
            }
        };
        let (answers, ()) = join(join_all(both), open).await;
        let [one, other] = answers.try_into().unwrap();
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!((one.status, &one.body, one.position), (201, &other.body, other.position));
        assert_ne!(one.replayed, other.replayed, "one of them heard what the other had done");
        assert_eq!(nodes[0].history().await.count("reservation.requested"), 1);
        close(nodes).await;
    }
}

#[tokio::test]
async fn one_payment_on_two_nodes_at_once_is_captured_once() {
    let nodes = two(true).await;
    let booked = nodes[0].hold(0).await;
    let confirm = Confirm {
        order: booked.order,
        payment_key: "sim_approve_1".to_owned(),
        amount: won(10_000),
    };
    let both = nodes.each_ref().map(|node| node.engine.confirm(confirm.clone(), request(key(1))));
    let answers = join_all(both).await;
    // One of them may have met the other between the capture and its record; asked again, both
    // give the one answer.
    let is_captured = |answer: &Result<_, _>| matches!(answer, Ok(Confirmed::Answered(answer)) if answer.status == 200);
    assert!(answers.iter().any(is_captured), "{answers:?}");
    let again = nodes.each_ref().map(|node| node.engine.confirm(confirm.clone(), request(key(1))));
    let again = join_all(again).await;
    let bodies = again.into_iter().map(|answer| match answer.unwrap() {
        Confirmed::Answered(answer) if answer.status == 200 => answer.body,
        other @ (Confirmed::Answered(_) | Confirmed::Checking { .. }) => panic!("{other:?}"),
    });
    let bodies: Vec<_> = bodies.collect();
    assert_eq!(bodies[0], bodies[1]);
    let movements = nodes[0].provider.simulator.movements().unwrap();
    assert_eq!(movements.orders[&booked.order].captures.len(), 1);
    let history = nodes[0].history().await;
    assert_eq!(history.count("payment.captured"), 1);
    assert_eq!(history.count("reservation.confirmed"), 1);
    close(nodes).await;
}

#[tokio::test]
async fn a_payment_that_both_nodes_began_at_once_is_checked_by_the_one_that_came_late() {
    let nodes = two(true).await;
    let booked = nodes[0].hold(0).await;
    let confirm = Confirm {
        order: booked.order,
        payment_key: "sim_lost_after_capture_1".to_owned(),
        amount: won(10_000),
    };
    // Both have decided before either is written.
    for node in &nodes {
        node.log.close_door();
    }
    let both = nodes.each_ref().map(|node| node.engine.confirm(confirm.clone(), request(key(1))));
    let open = async {
        calm().await;
        for node in &nodes {
            node.log.open_door();
        }
    };
    let (answers, ()) = join(join_all(both), open).await;
    let mut replays: Vec<_> = answers
        .into_iter()
        .map(|answer| match answer.unwrap() {
            Confirmed::Checking { replayed, .. } => replayed,
            Confirmed::Answered(answer) => panic!("{answer:?}"),
        })
        .collect();
    replays.sort_unstable();
    assert_eq!(replays, [false, true]);
    assert_eq!(nodes[0].provider.captures().len(), 1);
    close(nodes).await;
}

/// The other node knows the calendar from a booking of its own, and nothing else of this one: an answer
/// that writes nothing stands on both what is known and what has to be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_is_asked_for_on_another_busy_node_is_answered_there() {
    let nodes = two(true).await;
    let booked = nodes[0].hold(0).await;
    let confirm = Confirm {
        order: booked.order,
        payment_key: "sim_lost_after_capture_1".to_owned(),
        amount: won(10_000),
    };
    let first = nodes[0].engine.confirm(confirm.clone(), request(key(1))).await;
    assert!(matches!(first, Ok(Confirmed::Checking { .. })), "{first:?}");
    let later = nodes[1].hold(1).await;
    assert_ne!(later.order, booked.order);
    let again = nodes[1].engine.confirm(confirm, request(key(1)));
    let again = tokio::time::timeout(Duration::from_secs(10), again).await;
    let again = again.expect("it is decided again and again");
    assert!(matches!(again, Ok(Confirmed::Checking { .. })), "{again:?}");
    close(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_rivals_on_two_nodes_one_gets_each_seat() {
    const SEATS: u64 = 24;
    let nodes = two(true).await;
    let rivals = (0..SEATS * 4).map(|number| {
        let node = &nodes[usize::try_from(number % 2).unwrap()];
        let (_, wish) = node.wish(number / 4);
        node.engine.execute(wish, node.fresh())
    });
    let answers = join_all(rivals).await;
    let statuses: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().status).collect();
    for (seat, rivals) in statuses.chunks(4).enumerate() {
        let mut rivals = rivals.to_vec();
        rivals.sort_unstable();
        assert_eq!(rivals, [201, 409, 409, 409], "seat {seat}");
    }
    assert_eq!(nodes[0].history().await.count("calendar.hold_placed"), 24);
    close(nodes).await;
}

#[tokio::test]
async fn what_another_node_has_changed_counts_at_once() {
    for guards in [true, false] {
        let nodes = two(guards).await;
        let [one, other] = &nodes;
        // Warm: this node knows the calendar and the offering.
        one.hold(0).await;
        other.act(OpenOffering { open: false, ..other.opening() }).await;
        let (_, wish) = one.wish(1);
        let paused = one.engine.execute(wish, one.fresh()).await.unwrap();
        assert_eq!(paused.status, 409, "{}", String::from_utf8_lossy(&paused.body));
        other.act(other.opening()).await;
        one.hold(1).await;
        // A refusal, too: the seat was let go of on the other node.
        let booked = one.hold(2).await;
        other.clock.forward(HOLD);
        other.show(&[booked], other.now());
        other.run();
        other.written("reservation.expired", 1).await;
        one.hold(2).await;
        close(nodes).await;
    }
}

#[tokio::test]
async fn a_revision_that_another_node_has_written_is_believed() {
    let nodes = two(true).await;
    let [one, other] = &nodes;
    // What this node knows of the offering is warm, and older than what the caller has seen.
    let known = one.act(one.opening()).await.revision.unwrap();
    let seen = other.act(OpenOffering { open: false, ..other.opening() }).await.revision.unwrap();
    assert!(seen > known);
    let mut asked = one.fresh();
    asked.if_match = Some(seen);
    let answer = one.engine.execute(one.opening(), asked).await.unwrap();
    assert_eq!(answer.status, 200);
    let mut late = one.fresh();
    late.if_match = Some(seen);
    assert!(other.engine.execute(other.opening(), late).await.is_err(), "it has moved on");
    close(nodes).await;
}

#[tokio::test]
async fn a_step_that_slept_while_another_node_took_it_changes_nothing() {
    let nodes = two(true).await;
    let [sleeper, other] = &nodes;
    let booked = sleeper.hold(0).await;
    sleeper.clock.forward(HOLD);
    for node in &nodes {
        node.show(&[booked], node.now());
    }
    // It has decided, and sleeps before its append.
    sleeper.log.close_door();
    let before = sleeper.log.appends();
    sleeper.run();
    while sleeper.log.appends() == before {
        tokio::task::yield_now().await;
    }
    other.run();
    other.written("reservation.expired", 1).await;
    sleeper.log.open_door();
    calm().await;
    assert!(sleeper.processes.is_idle().await);
    let history = other.history().await;
    assert_eq!(history.count("reservation.expired"), 1);
    assert_eq!(history.count("calendar.hold_expired"), 1);
    assert_eq!(sleeper.processes.stats().failed, 0);
    close(nodes).await;
}

#[tokio::test]
async fn two_nodes_that_ask_the_provider_about_one_payment_use_the_same_keys() {
    let nodes = two(true).await;
    let booked = nodes[0].hold(0).await;
    nodes[0].provider.lose_captures(1);
    nodes[0].pay(booked, "sim_approve_1").await.unwrap();
    for node in &nodes {
        node.show(&[booked], node.now());
        node.run();
    }
    calm().await;
    nodes[0].clock.forward(Duration::from_secs(2));
    nodes[0].written("reservation.confirmed", 1).await;
    calm().await;
    let mut keys: Vec<_> = nodes.iter().flat_map(|node| node.provider.captures()).collect();
    assert!(keys.len() >= 2, "lost once, and sent again");
    keys.dedup();
    assert_eq!(keys, [format!("{}-1", booked.order)]);
    let movements = nodes[0].provider.simulator.movements().unwrap();
    assert_eq!(movements.orders[&booked.order].captures.len(), 1);
    let history = nodes[0].history().await;
    assert_eq!(history.count("payment.captured"), 1);
    assert_eq!(history.count("reservation.confirmed"), 1);
    close(nodes).await;
}

/// A share of one reservation.
fn share(reservation: ReservationId) -> BTreeMap<String, u64> {
    [(shares::of(reservation), 1)].into()
}

#[tokio::test]
async fn a_worker_advances_what_falls_into_its_shares_and_takes_over_at_once() {
    let nodes = two(true).await;
    let [one, other] = &nodes;
    let mine = one.hold(0).await;
    let mut theirs = one.hold(1).await;
    for quarter in 2..64 {
        if shares::of(theirs.id) != shares::of(mine.id) {
            break;
        }
        theirs = one.hold(quarter).await;
    }
    one.clock.forward(HOLD);
    let held = [watch::Sender::new(share(mine.id)), watch::Sender::new(share(theirs.id))];
    for node in &nodes {
        node.show(&[mine, theirs], node.now());
    }
    one.run_shares(held[0].subscribe());
    one.written("reservation.expired", 1).await;
    calm().await;
    let history = one.history().await;
    let expired = history.0.iter().find(|event| event.event.name() == "reservation.expired");
    assert_eq!(expired.unwrap().stream.id(), *mine.id.as_uuid());
    assert_eq!(history.count("reservation.expired"), 1, "the other one waits for its worker");
    // The worker of the other share never came; its share comes to this one.
    held[0].send_replace([share(mine.id), share(theirs.id)].into_iter().flatten().collect());
    one.written("reservation.expired", 2).await;
    // Both believe to have it: nothing more happens.
    other.run_shares(held[1].subscribe());
    calm().await;
    assert_eq!(one.history().await.count("reservation.expired"), 2);
    close(nodes).await;
}

#[tokio::test]
async fn a_worker_that_has_no_shares_yet_is_not_idle_while_something_is_due() {
    let stage = Stage::open().await;
    let booked = stage.hold(0).await;
    stage.clock.forward(HOLD);
    stage.show(&[booked], stage.now());
    let held = watch::Sender::new(BTreeMap::new());
    let worker = stage.run_shares(held.subscribe());
    calm().await;
    assert!(!worker.is_idle().await, "nobody has taken it up");
    assert_eq!(worker.overdue(Duration::ZERO).await.unwrap(), None, "and it is not its own");
    held.send_replace(share(booked.id));
    stage.written("reservation.expired", 1).await;
    calm().await;
    assert!(worker.is_idle().await);
    stage.close().await;
}
