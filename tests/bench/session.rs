//! G3: one hot class. Everybody wants the same seats; nobody may see a conflict, and exactly as
//! many get one as there are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_commands::ports::Ids as _;
use holdfast_commands::request::{Answer, CommandError};
use holdfast_domain::ids::PrincipalId;
use holdfast_eventlog::SqliteLog;
use holdfast_gateways::system::SystemIds;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::business::{Business, Class};
use crate::measure::{Latencies, Line, processor, rate};
use crate::size::Size;

const CALLERS: u32 = 64;
const SEATS: u32 = 200;
/// Holds of each caller where all want a seat at once.
const EACH: u32 = 10;

/// What one caller saw.
#[derive(Debug, Default)]
struct Seen {
    latencies: Latencies,
    accepted: u32,
    refused: u32,
}

pub(crate) async fn one_hot_class(size: Size) {
    let folder = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(folder.path(), Handle::current()).await.unwrap();
    let business = Arc::new(Business::open(Arc::<SqliteLog>::clone(&log), folder.path()).await);
    rush(&business, size).await;
    mixed(&business, size).await;
    log.close().await;
}

/// Everybody at once, until the seats are gone and beyond.
async fn rush(business: &Arc<Business>, size: Size) {
    let (mut all, mut took) = (Latencies::default(), Duration::ZERO);
    let before = processor(std::process::id());
    for round in 1..=size.rounds {
        let class = business.class(round, SEATS).await;
        let began = Instant::now();
        let (seen, _) = callers(business, class, wants).await;
        took = took.saturating_add(began.elapsed());
        assert_eq!(seen.accepted, SEATS, "as many are accepted as there are seats");
        assert_eq!(seen.refused, CALLERS.saturating_mul(EACH).saturating_sub(SEATS));
        all.join(seen.latencies);
    }
    let spent = processor(std::process::id()).saturating_sub(before);
    let count = all.count();
    Line::new("G3", "64 callers on one class of 200 seats, exactly 200 accepted, no conflict")
        .timed(took, &mut all)
        .cost(spent, count)
        .print();
}

/// Holds, releases and refusals in turn.
async fn mixed(business: &Arc<Business>, size: Size) {
    let class = business.class(48, SEATS).await;
    let each = size.mixed.div_ceil(CALLERS);
    let before = processor(std::process::id());
    let (mut seen, took) =
        callers(business, class, move |business, class| comes_and_goes(business, class, each))
            .await;
    let spent = processor(std::process::id()).saturating_sub(before);
    let count = seen.latencies.count();
    assert!(seen.refused > 0, "nobody was ever refused: there was no contention");
    Line::new("G3", "64 callers hold and release on one class of 200 seats")
        .timed(took, &mut seen.latencies)
        .number("refused_per_second", rate(u64::from(seen.refused), took))
        .cost(spent, count)
        .print();
}

async fn callers<F>(
    business: &Arc<Business>,
    class: Class,
    caller: impl Fn(Arc<Business>, Class) -> F,
) -> (Seen, Duration)
where
    F: Future<Output = Seen> + Send + 'static,
{
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(caller(Arc::clone(business), class));
    }
    let mut all = Seen::default();
    while let Some(seen) = callers.join_next().await {
        let seen = seen.unwrap();
        all.latencies.join(seen.latencies);
        all.accepted = all.accepted.saturating_add(seen.accepted);
        all.refused = all.refused.saturating_add(seen.refused);
    }
    (all, began.elapsed())
}

async fn wants(business: Arc<Business>, class: Class) -> Seen {
    let customer = PrincipalId::from_uuid(SystemIds.fresh());
    let mut seen = Seen::default();
    for _ in 0..EACH {
        seen.note(Instant::now(), &business.hold(customer, class).await.1);
    }
    seen
}

/// Takes up to six seats, gives one back at every third command: more are wanted than there are.
async fn comes_and_goes(business: Arc<Business>, class: Class, commands: u32) -> Seen {
    let customer = PrincipalId::from_uuid(SystemIds.fresh());
    let (mut seen, mut own) = (Seen::default(), Vec::new());
    for turn in 0..commands {
        let began = Instant::now();
        let gives_back = own.len() > 5 || turn.checked_rem(3) == Some(2);
        let back = if gives_back { own.pop() } else { None };
        if let Some(reservation) = back {
            seen.note(began, &business.release(customer, reservation).await);
            continue;
        }
        let (reservation, answer) = business.hold(customer, class).await;
        if seen.note(began, &answer) {
            own.push(reservation);
        }
    }
    seen
}

impl Seen {
    /// Counts an answer; whether it was a yes. Anything but yes and no is a failure.
    fn note(&mut self, began: Instant, answer: &Result<Answer, CommandError>) -> bool {
        self.latencies.add(began.elapsed());
        let status = answer.as_ref().unwrap().status;
        assert!(matches!(status, 200 | 201 | 409), "status {status}");
        let accepted = status != 409;
        let count = if accepted { &mut self.accepted } else { &mut self.refused };
        *count = count.saturating_add(1);
        accepted
    }
}
