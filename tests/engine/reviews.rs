//! A payment under review is a person's business. The paper waits for the end of its seat's pin,
//! expires with it once, and comes to rest, even while the index goes on to show it.

use std::time::Duration;

use holdfast_commands::handle::Confirmed;

use crate::stage::{HOLD, Stage, calm};

#[tokio::test]
async fn a_paper_under_review_expires_with_its_seat_and_then_rests() {
    let stage = Stage::open().await;
    let booked = stage.hold(0).await;
    let held_at = stage.now();
    let refused = stage.pay(booked, "sim_amount_differs_1").await.unwrap();
    assert!(matches!(refused, Confirmed::Answered(answer) if answer.status == 409));
    // As the view has it: due when the hold would have ended.
    stage.show(&[booked], held_at.plus(HOLD));
    stage.run();
    let before = stage.history().await.0.len();
    let mut appends = stage.log.appends();
    let mut written_at = None;
    // Four hours, half a minute at a time. The pin lasts one.
    for step in 1..=480_u64 {
        stage.clock.forward(Duration::from_secs(30));
        calm().await;
        if stage.log.appends() != appends {
            assert_eq!(written_at, None, "it is written once and never tried again");
            appends = stage.log.appends();
            written_at = Some(step);
        }
    }
    assert_eq!(written_at, Some(120), "when the pin ends");
    let history = stage.history().await;
    assert_eq!(history.count("calendar.hold_expired"), 1);
    assert_eq!(history.count("reservation.expired"), 1);
    assert_eq!(history.0.len(), before + 2);
    assert!(stage.processes.is_idle().await);
    assert_eq!(stage.provider.captures().len(), 1, "nobody asks the provider again");
    stage.close().await;
}
