//! The engine on a log that cannot write two streams at once and guards nothing: KurrentDB, as a
//! double of its protocol. Its node dies at every append of a use case; afterwards the same command
//! has one effect, nothing is left half done, and nobody has to help.

use std::time::Duration;

use holdfast_commands::cancel::Cancel;
use holdfast_commands::request::{Answer, CommandError, Request};
use holdfast_commands::reserve::Reserve;
use holdfast_domain::booking::reservation::CancelledBy;
use holdfast_domain::ids::Epoch;
use holdfast_eventlog::KurrentLog;
use holdfast_test_kurrentdb::{Double, Fault};
use holdfast_test_stores::exercised;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::logs::DoorLog;
use crate::stage::Stage;

async fn stage(double: &Double) -> Stage {
    let epoch = Epoch::from_uuid(Uuid::from_u128(1));
    let log = KurrentLog::open(&double.url(), epoch, &Handle::current()).unwrap();
    Stage::furnished(DoorLog::over(log)).await
}

/// Where the node dies: before and after each of so many appends.
fn deaths(appends: u64) -> impl Iterator<Item = (u64, Fault)> {
    (1..=appends).flat_map(|nth| [(nth, Fault::DiesBefore), (nth, Fault::DiesAfter)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_goes_its_way_without_guards() {
    exercised("kurrentdb double", "the engine: a booking");
    let double = Double::start();
    let stage = stage(&double).await;
    let booked = stage.buy(0, "sim_approve_1").await;
    let history = stage.history().await;
    assert_eq!(history.count("reservation.confirmed"), 1);
    // The time is taken.
    let (_, rival) = stage.wish(0);
    assert_eq!(stage.engine.execute(rival, stage.fresh()).await.unwrap().status, 409);
    let about = stage.engine.routes().reservation(booked.id).await.unwrap().unwrap();
    let by = CancelledBy::Customer;
    stage.act(Cancel { about, by, quote: None, reason: None }).await;
    let (_, next) = stage.wish(0);
    assert_eq!(stage.engine.execute(next, stage.fresh()).await.unwrap().status, 201);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_is_taken_once_wherever_the_node_died() {
    exercised("kurrentdb double", "the engine: crash points of a reservation");
    let double = Double::start();
    let stage = stage(&double).await;
    // Seat, paper, payment, answer.
    for ((nth, fault), quarter) in deaths(4).zip(1..) {
        let case = format!("{fault:?} at {nth}");
        let before = stage.history().await.count("reservation.requested");
        let request = stage.fresh();
        let (_, wish) = stage.wish(quarter);
        double.at_append(nth, fault);
        let broken = stage.engine.execute(wish, request.clone()).await;
        assert!(matches!(broken, Err(CommandError::Unavailable(_))), "{case}: {broken:?}");
        double.restart(0);
        // The caller says it again; the edge names the reservation anew.
        let (_, again) = stage.wish(quarter);
        let answer = until_there(&stage, &again, &request).await;
        assert_eq!(answer.status, 201, "{case}: {}", String::from_utf8_lossy(&answer.body));
        let begun = nth > 1 || fault == Fault::DiesAfter;
        assert_eq!(answer.replayed, begun, "{case}");
        let history = stage.history().await;
        assert_eq!(history.count("reservation.requested"), before + 1, "{case}");
        assert_eq!(history.count("calendar.hold_placed"), before + 1, "{case}");
        assert_eq!(history.count("payment.initiated"), before + 1, "{case}");
    }
    stage.close().await;
}

async fn until_there(stage: &Stage, wish: &Reserve, request: &Request) -> Answer {
    let there = async {
        loop {
            match stage.engine.execute(wish.clone(), request.clone()).await {
                Err(CommandError::Unavailable(_)) => {}
                other => return other.unwrap(),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), there).await.expect("it does not recover")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_returns_the_money_and_the_seat_wherever_the_node_died() {
    exercised("kurrentdb double", "the engine: crash points of a cancellation");
    let double = Double::start();
    let stage = stage(&double).await;
    // Paper, refund, seat, answer.
    for ((nth, fault), quarter) in deaths(4).zip(1..) {
        let case = format!("{fault:?} at {nth}");
        let booked = stage.buy(quarter, "sim_approve_1").await;
        let about = stage.engine.routes().reservation(booked.id).await.unwrap().unwrap();
        let cancel = Cancel { about, by: CancelledBy::Customer, quote: None, reason: None };
        let before = counts(&stage).await;
        double.at_append(nth, fault);
        let request = stage.fresh();
        let broken = stage.engine.execute(cancel.clone(), request.clone()).await;
        assert!(broken.is_err(), "{case}: {broken:?}");
        double.restart(0);
        let there =
            async { while stage.engine.execute(cancel.clone(), request.clone()).await.is_err() {} };
        tokio::time::timeout(Duration::from_secs(5), there).await.expect("it does not recover");
        let after = counts(&stage).await;
        assert_eq!(after, before.map(|count| count + 1), "{case}");
    }
    stage.close().await;
}

async fn counts(stage: &Stage) -> [usize; 3] {
    let history = stage.history().await;
    ["reservation.cancelled", "payment.refund_requested", "calendar.hold_released"]
        .map(|name| history.count(name))
}

/// The node dies when the paper is called off, and before anybody comes back to that another booking
/// moves the calendar on: what was decided about the seat is never written. The process lets the seat
/// go, once, and not the one of whoever has the time next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_that_a_broken_off_cancellation_left_is_let_go_by_its_process() {
    exercised("kurrentdb double", "the engine: a seat left behind");
    for paid in [true, false] {
        let double = Double::start();
        let stage = stage(&double).await;
        let booked = if paid { stage.buy(0, "sim_approve_1").await } else { stage.hold(0).await };
        let about = stage.engine.routes().reservation(booked.id).await.unwrap().unwrap();
        let cancel = Cancel { about, by: CancelledBy::Customer, quote: None, reason: None };
        let request = stage.fresh();
        double.at_append(1, Fault::DiesAfter);
        let broken = stage.engine.execute(cancel.clone(), request.clone()).await;
        assert!(broken.is_err(), "{broken:?}");
        double.restart(0);
        let (_, other) = stage.wish(1);
        until_there(&stage, &other, &stage.fresh()).await;
        // Said again it is called off, and the calendar is where somebody else has moved it.
        assert_eq!(stage.engine.execute(cancel, request).await.unwrap().status, 200);
        let (_, rival) = stage.wish(0);
        assert_eq!(stage.engine.execute(rival, stage.fresh()).await.unwrap().status, 409);
        let ended = if paid { "reservation.cancelled" } else { "reservation.abandoned" };
        let history = stage.history().await;
        assert_eq!((history.count(ended), history.count("calendar.hold_released")), (1, 0));

        stage.show(&[booked], stage.now());
        stage.run();
        stage.written("calendar.hold_released", 1).await;
        if paid {
            stage.written("payment.refund_succeeded", 1).await;
        }
        stage.hold(0).await;
        // The index goes on to show the old one; whoever has the time now keeps it.
        let appends = double.appends();
        stage.engine.driver().advance(about).await.unwrap();
        assert_eq!(double.appends(), appends, "nothing is left to do");
        let (_, rival) = stage.wish(0);
        assert_eq!(stage.engine.execute(rival, stage.fresh()).await.unwrap().status, 409);
        assert_eq!(stage.history().await.count("calendar.hold_released"), 1);
        stage.close().await;
    }
}
