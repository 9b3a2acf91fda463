//! Measurements with a disk, a socket or concurrency in them: fixed counts, one JSON line per case
//! on standard output, references interleaved in the same run. It checks counts and never judges
//! times; on a machine that is not quiet it says "noisy" and leaves the judgement to the reader.
//! Run it by `scripts/bench`; what the figures mean stands in `docs/performance.md`.

mod append;
mod business;
mod claim;
mod commands;
mod crowd;
mod database;
mod deaf;
mod edge;
#[path = "../support/http.rs"]
mod http;
mod measure;
mod mixed;
#[path = "../support/node.rs"]
mod node;
mod peer;
mod postgres;
mod rooms;
mod rounds;
mod session;
mod size;
#[path = "../support/socket.rs"]
mod socket;
mod sockets;
mod views;

use tokio::runtime::Builder;

use crate::size::{CI, FULL};

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
        if is_wanted("commands") {
            commands::beside_a_peer(size).await;
        }
        if is_wanted("mixed") {
            mixed::one_hot_slot(size).await;
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
