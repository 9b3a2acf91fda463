//! Many at once: nobody is sold what another has, and everybody gets one of the right answers.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use holdfast_domain::time::minutes;
use holdfast_tests::answer::Answer;
use holdfast_tests::dice::Dice;
use holdfast_tests::fixtures::slot_offering;
use holdfast_tests::invariants;
use holdfast_tests::world::{World, instant, monday};

fn by_code(answers: &[Answer]) -> BTreeMap<(u16, &str), usize> {
    let mut counts = BTreeMap::<_, usize>::new();
    for answer in answers {
        let count = counts.entry((answer.status, answer.code())).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

/// Hard one 1.
#[tokio::test(flavor = "multi_thread")]
async fn of_five_hundred_for_ten_seats_ten_have_one() {
    let world = World::new().await;
    let studio = world.studio().await;
    let callers: Vec<_> = (1..=500).map(|number| world.customer(number)).collect();
    let answers = join_all(callers.iter().map(|caller| caller.reserve_seats(&studio.s1, 1))).await;
    let expected = BTreeMap::from([((201, ""), 10), ((409, "capacity_exceeded"), 490)]);
    assert_eq!(by_code(&answers), expected, "no other answer");
    assert_eq!(world.history().await.count("session.seats_held"), 10);
    world.close().await;
}

/// Hard one 2, second half.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_who_want_unequal_times_of_one_person_never_overlap() {
    let world = World::new().await;
    let mentor = world.mentor().await;
    let mut offerings = vec![mentor.o60.clone(), mentor.o30.clone()];
    for length in [10, 25, 45, 90] {
        let offering = slot_offering(&mentor.resource, length, 1_000);
        offerings.push(mentor.caller.offers(&offering).await);
    }
    let (mut dice, opens) = (Dice::new(2), instant(&monday("14:00")));
    let wishes: Vec<_> = (1..=50)
        .map(|number| {
            let after = minutes(u32::try_from(dice.below(230)).unwrap());
            let start = opens.plus(after).to_string();
            (world.customer(number), dice.one_of(&offerings).clone(), start)
        })
        .collect();
    let answers = join_all(wishes.iter().map(|(caller, what, when)| caller.reserve(what, when)));
    let answers = answers.await;
    let counts = by_code(&answers);
    let allowed = [(201, ""), (409, "slot_taken"), (409, "outside_schedule")];
    assert!(counts.keys().all(|answer| allowed.contains(answer)), "{counts:?}");
    let (got, lost) = (counts[&(201, "")], counts[&(409, "slot_taken")]);
    assert!(got >= 3 && lost >= 10, "too little happened to mean anything: {counts:?}");
    let history = world.history().await;
    assert_eq!(history.count("calendar.hold_placed"), got);
    invariants::no_seat_is_sold_twice(&history);
    world.close().await;
}
