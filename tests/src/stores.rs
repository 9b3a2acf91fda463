//! On which stores a test runs: the embedded ones, or PostgreSQL and Redis when
//! `HOLDFAST_TEST_ON=postgres` says so. The same tests hold on both.

use holdfast_api::config::Config;
use holdfast_api::config::stores::{LogStore, ReadStore, StoreUrl};
use holdfast_test_stores::{Schema, exercised, left_out, postgres, redis, required};

/// Which stores the environment asks for.
const VARIABLE: &str = "HOLDFAST_TEST_ON";

/// The stores of one test.
#[derive(Debug, Clone)]
pub enum Stores {
    /// Files in the test's own folder.
    Embedded,
    /// A schema of its own in a PostgreSQL, and a Redis.
    Shared {
        /// Log and read models.
        schema: Schema,
        /// Cache, hints and rate limits.
        redis: String,
    },
    /// Wherever these addresses lead.
    Named {
        /// The log.
        log: LogStore,
        /// The read models; in the test's own folder when it is not said.
        read: Option<ReadStore>,
        /// Cache, hints and rate limits.
        redis: Option<String>,
    },
}

/// Whether the tests of this process run on PostgreSQL and Redis.
pub fn on_postgres() -> bool {
    match std::env::var_os(VARIABLE) {
        None => false,
        Some(asked) => {
            assert_eq!(asked, "postgres", "{VARIABLE} is postgres, or is not set");
            true
        }
    }
}

impl Stores {
    /// Those that the environment asks for.
    ///
    /// # Panics
    /// When they are asked for, and no address is given.
    pub async fn of_this_run() -> Self {
        if !on_postgres() {
            return Self::Embedded;
        }
        Self::shared("acceptance").await.expect("their addresses are given; see scripts/services")
    }

    /// A schema and a Redis for a suite, when their addresses are given.
    pub async fn shared(suite: &str) -> Option<Self> {
        let schema = postgres(suite).await?;
        Some(Self::Shared { schema, redis: redis(suite)? })
    }

    /// Lets a node run on them.
    pub fn put_into(&self, config: &mut Config) {
        match self {
            Self::Embedded => {}
            Self::Shared { schema, redis } => {
                config.log = LogStore::Postgres(StoreUrl::new(schema.url()));
                config.read = ReadStore::Postgres(StoreUrl::new(schema.url()));
                config.redis = Some(StoreUrl::new(redis));
            }
            Self::Named { log, read, redis } => {
                config.log = log.clone();
                config.read = read.clone().unwrap_or_else(|| config.read.clone());
                config.redis = redis.as_ref().map(|redis| StoreUrl::new(redis));
            }
        }
    }
}

/// Notes for the summary what a suite runs on, and what it does not.
pub fn note(suite: &str) {
    if on_postgres() {
        return;
    }
    exercised("sqlite", suite);
    // Where they are required, the suite runs a second time, and that run is asked for.
    if !required() {
        left_out("postgres", suite, "this run is on the embedded stores (see scripts/test)");
    }
}
