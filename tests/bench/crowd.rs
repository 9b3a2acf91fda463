//! Callers at once, each one command after the other, and what they saw.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_commands::request::{Answer, CommandError};
use tokio::task::JoinSet;

use crate::database::{Database, Spent};
use crate::measure::{Latencies, Line, rate};

/// What callers saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) latencies: Latencies,
    pub(crate) accepted: u32,
    pub(crate) refused: u32,
    pub(crate) took: Duration,
    pub(crate) spent: Spent,
    /// How often the engines of these callers had commands said again, the highest count.
    said_again: u64,
}

impl Seen {
    /// Of what was always accepted.
    pub(crate) fn of(latencies: Latencies) -> Self {
        let accepted = u32::try_from(latencies.count()).unwrap();
        Self { latencies, accepted, ..Self::default() }
    }

    /// Counts an answer; whether it was a yes. Anything but yes and no is a failure: nobody may see a
    /// conflict.
    pub(crate) fn note(&mut self, began: Instant, answer: &Result<Answer, CommandError>) -> bool {
        let answer = answer.as_ref().unwrap();
        assert!(matches!(answer.status, 200 | 201 | 409), "status {}", answer.status);
        self.count(began, answer.status != 409)
    }

    /// The same of something that has no answer but yes and no.
    pub(crate) fn count(&mut self, began: Instant, accepted: bool) -> bool {
        self.latencies.add(began.elapsed());
        let count = if accepted { &mut self.accepted } else { &mut self.refused };
        *count = count.saturating_add(1);
        accepted
    }

    /// What was seen here and there, one after the other.
    pub(crate) fn join(&mut self, other: Self) {
        self.latencies.join(other.latencies);
        self.accepted = self.accepted.saturating_add(other.accepted);
        self.refused = self.refused.saturating_add(other.refused);
        self.took = self.took.saturating_add(other.took);
        self.spent = self.spent.plus(other.spent);
        self.said_again = self.said_again.max(other.said_again);
    }

    /// The same, with the count of their engine.
    #[must_use]
    pub(crate) fn saying_again(self, said_again: u64) -> Self {
        Self { said_again, ..self }
    }

    /// How many a second, refused ones included.
    pub(crate) fn per_second(&self) -> u64 {
        rate(self.latencies.count(), self.took)
    }

    /// Processor time of both, in microseconds per thousand.
    pub(crate) fn cost(&self) -> u64 {
        crate::measure::per_thousand(self.spent.total(), self.latencies.count())
    }

    /// Latencies and what they cost.
    pub(crate) fn on(&mut self, line: Line) -> Line {
        let (took, spent, count) = (self.took, self.spent, self.latencies.count());
        line.timed(took, &mut self.latencies)
            .cost(spent.ours, count)
            .number("database_cpu_us_per_1000", crate::measure::per_thousand(spent.database, count))
            .number("said_again", self.said_again)
    }
}

/// Lets so many callers go at once; `caller` makes what each does.
pub(crate) async fn together<F>(
    database: &Database,
    callers: u32,
    caller: impl Fn(u32) -> F,
) -> Seen
where
    F: Future<Output = Seen> + Send + 'static,
{
    let (before, began) = (database.spent(), Instant::now());
    let mut going: JoinSet<_> = (0..callers).map(caller).collect();
    let mut all = Seen::default();
    while let Some(seen) = going.join_next().await {
        all.join(seen.unwrap());
    }
    all.took = began.elapsed();
    all.spent = database.spent().since(before);
    all
}

/// So many commands, as many of each caller, one after the other.
pub(crate) async fn in_turn<F>(
    database: &Database,
    (callers, commands): (u32, u32),
    command: impl Fn(u32, u32) -> F + Send + Sync + 'static,
) -> Seen
where
    F: Future<Output = Result<Answer, CommandError>> + Send + 'static,
{
    let command = Arc::new(command);
    let each = commands.div_ceil(callers);
    together(database, callers, |caller| {
        let command = Arc::clone(&command);
        async move {
            let mut seen = Seen::default();
            for turn in 0..each {
                let began = Instant::now();
                let answer = command(caller, turn).await;
                seen.note(began, &answer);
            }
            seen
        }
    })
    .await
}
