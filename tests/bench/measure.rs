//! Clocks, counters of the operating system, and the lines that come out. Whole numbers only: what
//! is measured here has no more digits than that.

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

/// One line of the report.
#[derive(Debug)]
pub(crate) struct Line(Map<String, Value>);

impl Line {
    pub(crate) fn new(case: &str, what: &str) -> Self {
        let fields = [("case", case), ("what", what)];
        Self(fields.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect())
    }

    pub(crate) fn number(mut self, name: &str, value: u64) -> Self {
        drop(self.0.insert(name.to_owned(), value.into()));
        self
    }

    pub(crate) fn text(mut self, name: &str, value: &str) -> Self {
        drop(self.0.insert(name.to_owned(), value.into()));
        self
    }

    pub(crate) fn flag(mut self, name: &str, value: bool) -> Self {
        drop(self.0.insert(name.to_owned(), value.into()));
        self
    }

    /// How many in how long, and how long one took.
    pub(crate) fn timed(self, took: Duration, latencies: &mut Latencies) -> Self {
        let count = latencies.count();
        self.number("count", count)
            .number("per_second", rate(count, took))
            .number("p50_us", latencies.at(50))
            .number("p99_us", latencies.at(99))
    }

    /// What it cost the processor, per thousand.
    pub(crate) fn cost(self, spent: Duration, count: u64) -> Self {
        self.number("cpu_us_per_1000", per_thousand(spent, count))
    }

    pub(crate) fn print(self) {
        println!("{}", Value::Object(self.0));
    }
}

/// How long things took.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap()
    }

    /// The latency that so many of a hundred did not exceed, in microseconds.
    pub(crate) fn at(&mut self, of_hundred: usize) -> u64 {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        let place = last.saturating_mul(of_hundred).div_euclid(100);
        self.0.get(place).map_or(0, |took| micros(*took))
    }
}

/// What a thousand of so many took, in microseconds.
pub(crate) fn per_thousand(span: Duration, count: u64) -> u64 {
    micros(span).saturating_mul(1_000).checked_div(count).unwrap_or(0)
}

/// So many in such a time, per second.
pub(crate) fn rate(count: u64, took: Duration) -> u64 {
    count.saturating_mul(1_000_000).checked_div(micros(took)).unwrap_or(0)
}

pub(crate) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap()
}

/// The median.
pub(crate) fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().div_euclid(2)).copied().unwrap_or(0)
}

/// Whether a reference varies so much that nothing can be judged by it.
pub(crate) fn differ(reference: &[u64]) -> bool {
    let (least, most) = (reference.iter().min(), reference.iter().max());
    least.zip(most).is_some_and(|(least, most)| *most > least.saturating_mul(2))
}

/// Processor time that a process has used, in steps of ten milliseconds.
pub(crate) fn processor(process: u32) -> Duration {
    ticks(process, 11).unwrap()
}

/// The same of a server that works in processes: its own time, that of those it waited for, and
/// that of those of `children` that live.
pub(crate) fn processors(server: u32, children: &[u32]) -> Duration {
    let own = ticks(server, 11).unwrap().saturating_add(ticks(server, 13).unwrap());
    // One that has ended since they were counted is among those that the server waited for.
    let living = children.iter().filter_map(|child| ticks(*child, 11));
    living.fold(own, Duration::saturating_add)
}

/// Two neighbouring counters of ticks; none when the process is gone.
fn ticks(process: u32, from: usize) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = fields.split(' ').skip(from).take(2).map(|it| it.parse::<u64>().unwrap());
    Some(Duration::from_millis(ticks.sum::<u64>().saturating_mul(10)))
}

/// The most memory that a process ever had, in KiB.
pub(crate) fn peak_memory(process: u32) -> u64 {
    memory(process, "VmHWM:")
}

/// The memory that a process has now, in KiB.
pub(crate) fn resident_memory(process: u32) -> u64 {
    memory(process, "VmRSS:")
}

fn memory(process: u32, kind: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(kind)).unwrap();
    line.trim().split(' ').next().unwrap().parse().unwrap()
}

/// How long the disk takes to make 4 KiB durable; answers the median in microseconds.
pub(crate) fn flush(what: &str) -> u64 {
    let mut file = tempfile::tempfile().unwrap();
    let (mut latencies, began) = (Latencies::default(), Instant::now());
    for _ in 0..300 {
        let one = Instant::now();
        file.write_all(&[7; 4_096]).unwrap();
        file.sync_data().unwrap();
        latencies.add(one.elapsed());
    }
    Line::new("flush", what).timed(began.elapsed(), &mut latencies).print();
    latencies.at(50)
}
