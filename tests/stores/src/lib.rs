//! The databases that tests run on, each test in a part of its own, and the account of which were
//! there. `scripts/services` starts both databases; without their addresses a test that needs one
//! says so and is left out, unless `HOLDFAST_TEST_STORES_REQUIRED` is set, as in the pipeline.
#![warn(missing_docs)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "furnishing of tests fails by panicking, and says what it runs on"
)]

mod line;
mod process;
mod redis_server;
mod server;
mod standby;

use std::fs::OpenOptions;
use std::io::Write as _;

use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

pub use line::{Line, place};
pub use redis_server::{RedisServer, redis_server};
pub use server::{Server, server};

const POSTGRES: &str = "HOLDFAST_TEST_POSTGRES_URL";
const REDIS: &str = "HOLDFAST_TEST_REDIS_URL";
const KURRENTDB: &str = "HOLDFAST_TEST_KURRENTDB_URL";
const REQUIRED: &str = "HOLDFAST_TEST_STORES_REQUIRED";
const EXERCISED: &str = "HOLDFAST_EXERCISED";

/// Notes that a suite ran on a store, for the summary of `scripts/test`.
pub fn exercised(store: &str, suite: &str) {
    note(&format!("exercised: {store} {suite}"));
}

/// Notes that a suite did not run on a store, and why.
///
/// # Panics
/// When every store is required to be there.
pub fn left_out(store: &str, suite: &str, why: &str) {
    assert!(!required(), "{suite} needs {store}: {why}");
    note(&format!("left out: {store} {suite}: {why}"));
}

/// Whether it is a failure when a store is not there.
pub fn required() -> bool {
    std::env::var_os(REQUIRED).is_some()
}

/// An id that nothing else has.
pub fn unique_id() -> Uuid {
    Uuid::new_v4()
}

/// A name that nothing else has.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}{}", unique_id().simple())
}

fn note(line: &str) {
    println!("{line}");
    if let Some(path) = std::env::var_os(EXERCISED) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        // In one write: many tests append to it at the same time.
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

fn address(variable: &str, store: &str, suite: &str) -> Option<String> {
    let address = std::env::var(variable).ok().filter(|address| !address.is_empty());
    match &address {
        Some(_) => exercised(store, suite),
        None => left_out(store, suite, &format!("{variable} is not set")),
    }
    address
}

/// A schema of its own in the PostgreSQL that tests are given; none when they are given none. It is
/// left behind: the database is a throwaway one.
#[derive(Debug, Clone)]
pub struct Schema {
    url: String,
    name: String,
}

impl Schema {
    /// A new one in the database at this address.
    async fn at(address: &str) -> Self {
        let name = unique("test_");
        let mut connection =
            PgConnection::connect(address).await.unwrap_or_else(|why| panic!("postgres: {why}"));
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        let joint = if address.contains('?') { '&' } else { '?' };
        Self { url: format!("{address}{joint}options[search_path]={name}"), name }
    }

    /// The address of a database in which this is the only schema that is seen.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Does what stands in these statements.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn execute(&self, statements: &str) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        let statements = sqlx::AssertSqlSafe(statements.to_owned());
        sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Asks for one number.
    ///
    /// # Panics
    /// When the answer is none.
    pub async fn number(&self, question: &str) -> i64 {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        let question = sqlx::AssertSqlSafe(question.to_owned());
        let number = sqlx::query_scalar(question).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        number
    }

    /// Puts what stands in the tables of this schema into `other`, in place of what stands there:
    /// a back-up, or what it is restored to. Tables that are missing there are made.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn copy_to(&self, other: &Self) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = $1";
        let tables: Vec<String> =
            sqlx::query_scalar(tables).bind(&self.name).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let copies = tables.iter().map(|table| {
            let (from, to) = (format!("{}.{table}", self.name), format!("{}.{table}", other.name));
            format!(
                "CREATE TABLE IF NOT EXISTS {to} (LIKE {from}); DELETE FROM {to}; \
                 INSERT INTO {to} OVERRIDING SYSTEM VALUE SELECT * FROM {from};"
            )
        });
        let copies: String = copies.collect();
        // Without triggers, in one transaction.
        let replica = "SET LOCAL session_replication_role = replica";
        self.execute(&format!("BEGIN; {replica}; {copies} COMMIT")).await;
    }
}

/// An empty schema, for a suite.
///
/// # Panics
/// When the database that was named does not answer.
pub async fn postgres(suite: &str) -> Option<Schema> {
    let address = address(POSTGRES, "postgres", suite)?;
    Some(Schema::at(&address).await)
}

/// The address of the Redis that tests are given, for a suite. It is shared: each test begins its
/// keys with a [`unique`] name, or with the epoch of its own log.
pub fn redis(suite: &str) -> Option<String> {
    address(REDIS, "redis", suite)
}

/// The address of a real KurrentDB, when tests are given one. There is none to start here, so it is
/// never required.
pub fn kurrentdb(suite: &str) -> Option<String> {
    let address = std::env::var(KURRENTDB).ok().filter(|address| !address.is_empty());
    match &address {
        Some(_) => exercised("kurrentdb", suite),
        None => note(&format!("left out: kurrentdb {suite}: {KURRENTDB} is not set")),
    }
    address
}
