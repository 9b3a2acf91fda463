//! The runner of processes with an index that shows more than it can do something about: entries
//! that rest, fail or panic keep no other from its turn, and are looked at ever more rarely.

use std::time::Duration;

use holdfast_commands::ports::Due;
use holdfast_commands::processes::ProcessStats;
use holdfast_domain::booking::reservation_stream;
use holdfast_domain::ids::ReservationId;
use uuid::Uuid;

use crate::logs::Reading;
use crate::stage::{HOLD, Stage, calm};

/// Reservations that nobody ever asked for.
fn strangers(count: u128) -> Vec<ReservationId> {
    (1..=count).map(|number| ReservationId::from_uuid(Uuid::from_u128(number))).collect()
}

/// Passes so many seconds, one by one; answers at which of them `reservation` was read.
async fn looks(stage: &Stage, reservation: ReservationId, seconds: u64) -> Vec<u64> {
    let stream = reservation_stream(reservation);
    let mut looks = Vec::new();
    let mut known = 0;
    for second in 0..=seconds {
        if second > 0 {
            stage.clock.forward(Duration::from_secs(1));
        }
        calm().await;
        let reads = stage.log.reads(stream);
        assert!(reads.abs_diff(known) <= 1, "{reads} looks by second {second}");
        if reads > known {
            looks.push(second);
            known = reads;
        }
    }
    looks
}

#[tokio::test]
async fn entries_that_rest_do_not_hide_those_behind_them() {
    let stage = Stage::open().await;
    let booked = stage.hold(0).await;
    let ends_at = stage.now().plus(HOLD);
    // Two pages and a half of entries about which there is nothing to do, all of them older.
    let mut entries: Vec<_> = strangers(640)
        .into_iter()
        .map(|reservation| Due { reservation, at: stage.now() })
        .collect();
    entries.push(Due { reservation: booked.id, at: ends_at });
    stage.index.show(entries);
    stage.run();
    calm().await;
    assert_eq!(stage.history().await.count("reservation.expired"), 0);
    stage.clock.set(ends_at);
    stage.written("reservation.expired", 1).await;
    stage.close().await;
}

#[tokio::test]
async fn an_entry_without_a_step_is_looked_at_ever_more_rarely() {
    let stage = Stage::open().await;
    let stranger = strangers(1)[0];
    stage.index.show(vec![Due { reservation: stranger, at: stage.now() }]);
    stage.run();
    let looks = looks(&stage, stranger, 1_300).await;
    assert_eq!(looks, [0, 5, 15, 35, 75, 155, 315, 615, 915, 1_215]);
    assert_eq!(stage.processes.stats(), ProcessStats::default(), "nothing failed");
    stage.close().await;
}

#[tokio::test]
async fn a_step_that_fails_is_tried_ever_more_rarely_and_holds_up_nobody() {
    let stage = Stage::open().await;
    let booked = stage.hold(0).await;
    let broken = strangers(1)[0];
    let now = stage.now();
    stage.log.reading(reservation_stream(broken), Some(Reading::Fails));
    stage.index.show(vec![
        Due { reservation: broken, at: now },
        Due { reservation: booked.id, at: now.plus(HOLD) },
    ]);
    stage.run();
    let looks = looks(&stage, broken, 600).await;
    assert_eq!(looks, [0, 5, 15, 35, 75, 155, 315]);
    let failed = u64::try_from(looks.len()).unwrap();
    assert_eq!(stage.processes.stats(), ProcessStats { failed, panicked: 0 });
    let history = stage.history().await;
    let expired = history.0.iter().find(|event| event.event.name() == "reservation.expired");
    assert_eq!(expired.unwrap().metadata.accepted_at, now.plus(HOLD), "on time");
    stage.close().await;
}

#[tokio::test]
async fn a_step_that_panics_is_counted_and_tried_again_after_a_pause() {
    let stage = Stage::open().await;
    let (booked, wish) = stage.wish(0);
    stage.act(wish).await;
    let stream = reservation_stream(booked.id);
    stage.log.reading(stream, Some(Reading::Panics));
    stage.clock.forward(HOLD);
    stage.show(&[booked], stage.now());
    stage.run();
    calm().await;
    assert_eq!(stage.processes.stats(), ProcessStats { failed: 1, panicked: 1 });
    assert!(stage.processes.is_idle().await, "it rests, and nothing is under way");
    stage.log.reading(stream, None);
    calm().await;
    assert_eq!(stage.history().await.count("reservation.expired"), 0, "not before the pause ends");
    stage.clock.forward(Duration::from_secs(5));
    stage.written("reservation.expired", 1).await;
    assert_eq!(stage.processes.stats(), ProcessStats { failed: 1, panicked: 1 });
    stage.close().await;
}

#[tokio::test]
async fn a_call_to_the_provider_that_panics_is_not_under_way_for_ever() {
    let stage = Stage::open().await;
    let booked = stage.hold(0).await;
    stage.provider.lose_captures(1);
    stage.pay(booked, "sim_approve_1").await.unwrap();
    stage.provider.panic_once();
    stage.clock.forward(Duration::from_secs(2));
    stage.show(&[booked], stage.now());
    stage.run();
    calm().await;
    assert_eq!(stage.processes.stats().panicked, 1);
    assert_eq!(stage.engine.driver().calls(), 0);
    stage.clock.forward(Duration::from_secs(5));
    stage.written("reservation.confirmed", 1).await;
    stage.close().await;
}

#[tokio::test]
async fn a_provider_that_hangs_holds_up_only_what_needs_it() {
    const REFUNDS: u64 = 40;
    let stage = Stage::open().await;
    let mut owed = Vec::new();
    for quarter in 0..REFUNDS {
        let booked = stage.buy(quarter, "sim_approve_1").await;
        stage.act(stage.part(booked, 1_000).await).await;
        owed.push(booked);
    }
    let held = stage.hold(REFUNDS).await;
    stage.provider.close_door();
    stage.show(&owed, stage.now());
    stage.run();
    calm().await;
    // Every turn at the provider is taken when the hold falls due.
    stage.clock.forward(HOLD);
    let all: Vec<_> = owed.iter().copied().chain([held]).collect();
    stage.show(&all, stage.now());
    // The provider is given up after ten seconds; the hold does not wait for that.
    let expired = stage.written("reservation.expired", 1);
    tokio::time::timeout(Duration::from_secs(5), expired).await.expect("it waits for the provider");
    let at_provider = || owed.iter().map(|booked| stage.provider.refunds(booked.order).0).sum();
    calm().await;
    let waiting: usize = at_provider();
    assert_eq!(waiting, 32, "and nobody calls it without bound");
    assert!(!stage.processes.is_idle().await);
    assert_eq!(stage.processes.overdue(Duration::ZERO).await.unwrap(), None, "all are taken up");
    stage.provider.open_door();
    stage.written("payment.refund_succeeded", owed.len()).await;
    stage.close().await;
}
