//! Holding a time: who gets it, when it ends.

use holdfast_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_time_is_held() {
    let started = std::time::Instant::now();
    let world = World::new().await;
    eprintln!("start {:?}", started.elapsed());
    let mentor = world.mentor().await;
    let booking = world.customer(1).reserve(&mentor.o60, "2026-03-09T14:00:00+09:00").await;
    println!("{}", booking.created());
    let paid = world.customer(1).confirm(&booking.body, "sim_approve_1").await;
    println!("{}", paid.ok());
    eprintln!("confirmed {:?}", started.elapsed());
    world.clock_to("2026-03-09T12:00:00+09:00").await;
    eprintln!("clock {:?}", started.elapsed());
    world.close().await;
    eprintln!("closed {:?}", started.elapsed());
    let mut world = World::new().await;
    let started = std::time::Instant::now();
    world.stop().await;
    eprintln!("stopped {:?}", started.elapsed());
}
