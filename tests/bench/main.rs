//! Measurements with a disk, a socket or concurrency in them: fixed counts, one JSON line per case
//! on standard output, references interleaved in the same run. It fails by counts and never by
//! times: what it says of a goal stands in the line, and where the machine is not quiet it says
//! "noisy" and leaves the judgement to the reader.
//! Run it by `scripts/bench`; what the figures mean stands in `docs/performance.md`.

mod append;
mod business;
mod bytes;
mod catch_up;
mod claim;
mod commands;
mod crowd;
mod database;
mod deaf;
mod edge;
mod history;
#[path = "../support/http.rs"]
mod http;
mod lag;
mod measure;
mod mixed;
#[path = "../support/node.rs"]
mod node;
mod operator;
mod peer;
mod postgres;
mod rebuild;
mod replay;
mod restart;
mod rooms;
mod rounds;
mod served;
mod service;
mod session;
mod size;
#[path = "../support/socket.rs"]
mod socket;
mod sockets;
mod stage;
mod views;

use tokio::runtime::Builder;

use crate::size::{CI, FULL, Size};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The cases, in the order in which they run.
const CASES: [&str; 14] = [
    "append", "session", "views", "edge", "sockets", "commands", "mixed", "postgres", "replay",
    "catchup", "service", "lag", "rebuild", "restart",
];

fn main() {
    // Cargo passes `--bench` to what it runs.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let (size, cases) = match wanted.split_first() {
        Some((size, cases)) if size == "full" => (FULL, cases),
        Some((size, cases)) if size == "ci" => (CI, cases),
        Some((other, _)) => panic!("the sizes are ci and full, not {other}"),
        None => (CI, [].as_slice()),
    };
    let unknown = cases.iter().find(|case| !CASES.contains(&case.as_str()));
    assert!(unknown.is_none(), "there is no case {unknown:?}; there are {CASES:?}");
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let before = measure::flush("flush before");
        for case in CASES {
            if cases.is_empty() || cases.iter().any(|it| it == case) {
                measured(case, size).await;
            }
        }
        let after = measure::flush("flush after");
        let noisy = measure::differ(&[before, after]);
        measure::Line::new("run", "the disk at both ends of the run").flag("noisy", noisy).print();
    });
}

/// A case on the embedded stores.
async fn measured(case: &str, size: Size) {
    match case {
        "append" => append::against_bare_inserts(size).await,
        "session" => session::one_hot_class(size).await,
        "views" => views::replay_and_catch_up(size).await,
        "edge" => edge::over_http(size).await,
        "sockets" => {
            sockets::fan_out(size).await;
            deaf::beside_the_deaf(size).await;
        }
        other => measured_on_postgres(other, size).await,
    }
}

/// A case on PostgreSQL.
async fn measured_on_postgres(case: &str, size: Size) {
    match case {
        "commands" => commands::beside_a_peer(size).await,
        "mixed" => mixed::one_hot_slot(size).await,
        "postgres" => postgres::against_bare_inserts(size).await,
        "replay" => history::read_again(size).await,
        "catchup" => history::catch_up(size).await,
        "service" => service::over_http(size).await,
        "lag" => lag::at_half_load(size).await,
        "rebuild" => rebuild::while_serving(size).await,
        "restart" => restart::on_a_long_log(size).await,
        other => panic!("{other} is named and not measured"),
    }
}
