//! Measurements with a disk, a socket or concurrency in them: fixed counts, one JSON line per case
//! on standard output, references interleaved in the same run. It checks counts and never judges
//! times; on a machine that is not quiet it says "noisy" and leaves the judgement to the reader.
//! Run it by `scripts/bench`; what the figures mean stands in `docs/performance.md`.

mod append;
mod business;
mod deaf;
mod edge;
#[path = "../support/http.rs"]
mod http;
mod measure;
#[path = "../support/node.rs"]
mod node;
mod postgres;
mod session;
#[path = "../support/socket.rs"]
mod socket;
mod sockets;
mod views;

use tokio::runtime::Builder;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Interleaved rounds against a reference.
    pub(crate) rounds: u32,
    /// Appends in a round.
    pub(crate) appends: u32,
    /// Mixed commands on one class.
    pub(crate) mixed: u32,
    /// The log that is replayed and projected has at least so many events.
    pub(crate) events: u64,
    /// Holds over HTTP under load.
    pub(crate) holds: u32,
    /// Holds over HTTP by one idle client, and searches for free times.
    pub(crate) alone: u32,
    /// Sockets on one topic.
    pub(crate) sockets: u32,
    /// Changes that they are told at a steady pace.
    pub(crate) steady: u32,
    /// Changes that they are told as fast as the node goes.
    pub(crate) flat_out: u32,
    /// Sockets that never read.
    pub(crate) deaf: u32,
    /// Changes that the views publish meanwhile.
    pub(crate) changes: u32,
}

const CI: Size = Size {
    rounds: 3,
    appends: 3_200,
    mixed: 4_000,
    events: 20_000,
    holds: 2_000,
    alone: 200,
    sockets: 100,
    steady: 120,
    flat_out: 200,
    deaf: 20,
    changes: 8_000,
};
const FULL: Size = Size {
    rounds: 5,
    appends: 32_000,
    mixed: 20_000,
    events: 100_000,
    holds: 20_000,
    alone: 1_000,
    sockets: 1_000,
    steady: 360,
    flat_out: 300,
    deaf: 500,
    changes: 100_000,
};

fn main() {
    // Cargo passes `--bench` to what it runs.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let (size, cases) = match wanted.split_first() {
        Some((size, cases)) if size == "full" => (FULL, cases),
        Some((size, cases)) if size == "ci" => (CI, cases),
        Some((other, _)) => panic!("the sizes are ci and full, not {other}"),
        None => (CI, [].as_slice()),
    };
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let is_wanted = |case: &str| cases.is_empty() || cases.iter().any(|it| it == case);
    runtime.block_on(async {
        let before = measure::flush("flush before");
        if is_wanted("append") {
            append::against_bare_inserts(size).await;
        }
        if is_wanted("postgres") {
            postgres::against_bare_inserts(size).await;
        }
        if is_wanted("session") {
            session::one_hot_class(size).await;
        }
        if is_wanted("views") {
            views::replay_and_catch_up(size).await;
        }
        if is_wanted("edge") {
            edge::over_http(size).await;
        }
        if is_wanted("sockets") {
            sockets::fan_out(size).await;
            deaf::beside_the_deaf(size).await;
        }
        let after = measure::flush("flush after");
        let noisy = measure::differ(&[before, after]);
        measure::Line::new("run", "the disk at both ends of the run").flag("noisy", noisy).print();
    });
}
