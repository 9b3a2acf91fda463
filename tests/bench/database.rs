//! The PostgreSQL of a case: a server of its own with the defaults, so that its processor time can be
//! told from everybody else's, and a new schema for each log.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use holdfast_eventlog::PostgresLog;
use holdfast_test_stores::{Schema, Server};
use tokio::runtime::Handle;

use crate::measure::{Line, processor, processors};

/// A server.
#[derive(Debug)]
pub(crate) struct Database(Server);

/// Processor time: of this process, which also makes the load, and of the database.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) ours: Duration,
    pub(crate) database: Duration,
}

impl Database {
    /// Starts one for a case; says so when there is none.
    pub(crate) async fn start(case: &str) -> Option<Self> {
        let server = Server::start().await;
        if server.is_none() {
            eprintln!("bench: {case} is left out: PostgreSQL is not installed");
            Line::new(case, "left out").text("verdict", "PostgreSQL is absent").print();
        }
        server.map(Self)
    }

    /// The file whose first line is its number for the operating system.
    pub(crate) fn pid_file(&self) -> PathBuf {
        self.0.pid_file()
    }

    /// An empty schema.
    pub(crate) async fn schema(&self) -> Schema {
        self.0.schema().await
    }

    /// A log in this schema.
    pub(crate) async fn log(&self, schema: &Schema) -> Arc<PostgresLog> {
        PostgresLog::open(&schema.url().parse().unwrap(), Handle::current()).await.unwrap()
    }

    /// What was spent until now.
    pub(crate) fn spent(&self) -> Spent {
        Spent { ours: processor(std::process::id()), database: self.processor() }
    }

    /// What the database alone has spent until now.
    pub(crate) fn processor(&self) -> Duration {
        let all: Vec<u32> = self.0.processes().iter().map(|it| it.parse().unwrap()).collect();
        let (server, others) = all.split_first().unwrap();
        processors(*server, others)
    }
}

impl Spent {
    /// What was spent since `before`.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            ours: self.ours.saturating_sub(before.ours),
            database: self.database.saturating_sub(before.database),
        }
    }

    /// Both together.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            ours: self.ours.saturating_add(other.ours),
            database: self.database.saturating_add(other.database),
        }
    }

    /// All of it.
    pub(crate) const fn total(self) -> Duration {
        self.ours.saturating_add(self.database)
    }
}
