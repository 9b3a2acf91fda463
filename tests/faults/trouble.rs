//! What is done to a store: by its line, or to its server itself.

use std::time::Duration;

use holdfast_test_kurrentdb::Double;
use holdfast_test_stores::{Line, RedisServer, Server};

/// How late each answer of a slow store is.
const LATE: Duration = Duration::from_secs(2);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing, to compare with.
    None,
    /// Connections are reset, and new ones refused.
    Refused,
    /// The server is killed, and started again.
    Killed,
    /// The server stands still, and goes on.
    Paused,
    /// Each answer comes two seconds late.
    Slow,
    /// Connections are reset in the middle of an answer, again and again.
    Reset,
    /// Connections lead nowhere, and nobody says so; not even afterwards.
    HalfOpen,
}

impl Fault {
    pub(crate) const ALL: [Self; 7] = [
        Self::None,
        Self::Refused,
        Self::Killed,
        Self::Paused,
        Self::Slow,
        Self::Reset,
        Self::HalfOpen,
    ];

    /// As the table names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Refused => "refused",
            Self::Killed => "killed",
            Self::Paused => "paused",
            Self::Slow => "2 s late",
            Self::Reset => "reset mid-answer",
            Self::HalfOpen => "half-open",
        }
    }

    /// How long it lasts.
    pub(crate) const fn lasts(self, long: bool) -> Duration {
        match (self, long) {
            (Self::None, _) => Duration::from_secs(1),
            (_, true) => Duration::from_secs(10),
            (Self::Paused, false) => Duration::from_secs(3),
            (Self::Refused | Self::Killed | Self::Slow | Self::Reset | Self::HalfOpen, false) => {
                Duration::from_millis(2_200)
            }
        }
    }
}

/// A server of a test's own.
#[derive(Debug)]
pub(crate) enum Store {
    Postgres(Server),
    Redis(RedisServer),
    KurrentDb(Double),
}

/// A store and the line to it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) store: Store,
    pub(crate) line: Line,
    /// Its address over the line.
    pub(crate) url: String,
}

impl Target {
    pub(crate) async fn new(store: Store) -> Self {
        let (line, url) = Line::before(&store.url()).await;
        Self { store, line, url }
    }

    /// Begins a fault.
    pub(crate) fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::None => {}
            Fault::Refused => self.line.refuse(),
            Fault::Killed => self.store.kill(),
            Fault::Paused => self.store.pause(),
            Fault::Slow => self.line.delay(LATE),
            Fault::Reset => self.line.cut_after(self.store.some_bytes()),
            Fault::HalfOpen => self.line.lose(),
        }
    }

    /// Has a double acknowledge what it does not write.
    pub(crate) fn forget_appends(&self, forgets: bool) {
        match &self.store {
            Store::KurrentDb(double) => double.forget_appends(forgets),
            Store::Postgres(_) | Store::Redis(_) => {
                panic!("a real server is not that easy to bend")
            }
        }
    }

    /// Ends it.
    pub(crate) async fn heal(&mut self, fault: Fault) {
        match fault {
            Fault::Killed => self.store.restart().await,
            Fault::Paused => self.store.resume(),
            Fault::None | Fault::Refused | Fault::Slow | Fault::Reset | Fault::HalfOpen => {
                self.line.pass();
            }
        }
    }
}

impl Store {
    /// As the table names it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::Redis(_) => "Redis",
            Self::KurrentDb(_) => "KurrentDB (double)",
        }
    }

    /// Its own address, not over the line.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres(server) => server.url(),
            Self::Redis(server) => server.url(),
            Self::KurrentDb(double) => double.url(),
        }
    }

    /// Enough to connect and be answered a few times, and then the middle of an answer.
    const fn some_bytes(&self) -> usize {
        match self {
            Self::Postgres(_) => 2_500,
            Self::Redis(_) => 150,
            Self::KurrentDb(_) => 1_500,
        }
    }

    fn kill(&mut self) {
        match self {
            Self::Postgres(server) => server.kill(),
            Self::Redis(server) => server.kill(),
            Self::KurrentDb(double) => double.stop(0),
        }
    }

    async fn restart(&mut self) {
        match self {
            Self::Postgres(server) => server.restart().await,
            Self::Redis(server) => server.restart(),
            Self::KurrentDb(double) => double.restart(0),
        }
    }

    fn pause(&self) {
        match self {
            Self::Postgres(server) => server.pause(),
            Self::Redis(server) => server.pause(),
            Self::KurrentDb(double) => double.pause(),
        }
    }

    fn resume(&self) {
        match self {
            Self::Postgres(server) => server.resume(),
            Self::Redis(server) => server.resume(),
            Self::KurrentDb(double) => double.resume(),
        }
    }
}
