//! A peer beside us: a harness of its own, built from published packages by `scripts/bench --peer`,
//! that runs the same command on the same PostgreSQL and prints JSON lines. Nothing of it is here.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::database::Database;
use crate::node::variable;

/// Names the folder in which the script built the harnesses.
const FOLDER: &str = "HOLDFAST_BENCH_PEERS";

/// A harness.
#[derive(Debug)]
pub(crate) struct Peer(PathBuf);

/// What it is asked to do.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    /// Callers at once.
    pub(crate) callers: u32,
    /// Commands on distinct slots.
    pub(crate) commands: u32,
    /// How often 320 commands want one slot of capacity 200.
    pub(crate) contended: u32,
    /// The events that are replayed are at least so many.
    pub(crate) replayed: u64,
}

/// The lines that it printed.
#[derive(Debug)]
pub(crate) struct Printed(Vec<Value>);

impl Peer {
    /// The harness of this name; says so when it is absent.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let program = variable(FOLDER).map(|folder| PathBuf::from(folder).join(name));
        let program = program.filter(|program| program.is_file());
        if program.is_none() {
            eprintln!("bench: {name} is absent, so goals that name it get no verdict (--peer)");
        }
        program.map(Self)
    }

    /// Runs it once, in a schema of its own.
    pub(crate) async fn run(&self, database: &Database, load: Load) -> Printed {
        let schema = database.schema().await;
        let done = Command::new(&self.0)
            .env("DATABASE_URL", schema.url())
            .env("PG_PIDFILE", database.pid_file())
            .env("RUNS", "1")
            .env("CLIENTS", load.callers.to_string())
            .env("N", load.commands.to_string())
            .env("CRUNS", load.contended.to_string())
            .env("REPLAY", load.replayed.to_string())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(done.status.success(), "{} ended with {}", self.0.display(), done.status);
        let lines = String::from_utf8(done.stdout).unwrap();
        let lines = lines.lines().filter(|line| line.starts_with('{'));
        Printed(lines.map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

impl Printed {
    /// How many a second in a case.
    pub(crate) fn per_second(&self, case: &str) -> u64 {
        self.case(case)["per_s"].as_u64().unwrap()
    }

    /// Processor time of it and of the database, in microseconds per thousand.
    pub(crate) fn cost(&self, case: &str) -> u64 {
        let line = self.case(case);
        let micros = |name: &str| thousandths(&line[name]).saturating_mul(1_000);
        micros("cpu_s_per_1000").saturating_add(micros("pg_cpu_s_per_1000"))
    }

    /// The line of a case. Each was run once.
    fn case(&self, case: &str) -> &Value {
        self.0.iter().find(|line| line["case"] == case).unwrap()
    }
}

/// A number with decimals, in thousandths.
fn thousandths(number: &Value) -> u64 {
    format!("{:.3}", number.as_f64().unwrap()).replace('.', "").parse().unwrap()
}
