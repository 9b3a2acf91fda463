//! Nodes that share everything: one folder of keys and of the simulator, one PostgreSQL for log,
//! views and leases, one Redis; and what is known of them from outside.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_eventlog::PostgresLog;
use holdfast_eventlog::postgres::Address;
use holdfast_tests::history::History;
use holdfast_tests::invariants;
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::evidence::{Evidence, gather};
use crate::node::{Node, variable};
use crate::verdict::{assert_holds, violations};
use crate::world::{Catalogue, World};

/// Nothing that is waited for takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked where nobody calls.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// The stores that the nodes share, and the people who use them.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) world: Arc<World>,
    pub(crate) seed: u64,
    log_url: String,
    redis_url: String,
}

/// The runtime of a test's clients.
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// How many of something, unless a variable says otherwise.
pub(crate) fn count(name: &str, otherwise: u64) -> u64 {
    variable(name).map_or(otherwise, |count| count.parse().unwrap())
}

impl Cluster {
    /// On the PostgreSQL and the Redis that tests are given; none when they are given none.
    pub(crate) async fn shared(suite: &str, customers: usize) -> Option<Self> {
        let schema = holdfast_test_stores::postgres(suite).await?;
        let redis = holdfast_test_stores::redis(suite)?;
        Some(Self::on(schema.url(), &redis, customers))
    }

    /// On these stores.
    pub(crate) fn on(log_url: &str, redis_url: &str, customers: usize) -> Self {
        let seed = count("HOLDFAST_SEED", 1);
        let world = Arc::new(World::with_customers(customers));
        Self { world, seed, log_url: log_url.to_owned(), redis_url: redis_url.to_owned() }
    }

    /// Starts a node of this name and role.
    pub(crate) fn start(&self, name: &str, role: &str, flags: &[&str]) -> Node {
        let flags = [&["--node-name", name, "--role", role], flags].concat();
        let environment =
            [("HOLDFAST_LOG_URL", &*self.log_url), ("HOLDFAST_REDIS_URL", &*self.redis_url)];
        let started = Node::start(self.world.data(), &flags, &environment);
        started.unwrap_or_else(|why| panic!("{name} does not start: {}", why.0))
    }

    /// Opens the business through a node.
    pub(crate) async fn open_business(&self, node: &Node) -> Arc<Catalogue> {
        Arc::new(self.world.open_business(node.address).await)
    }

    /// The log, by connections of its own.
    pub(crate) async fn log(&self) -> Arc<PostgresLog> {
        PostgresLog::open(&self.address(), Handle::current()).await.unwrap()
    }

    /// Where the stores are.
    pub(crate) fn address(&self) -> Address {
        self.log_url.parse().unwrap()
    }

    /// Everything that the nodes left behind so far.
    pub(crate) async fn evidence(&self) -> Evidence {
        let log = self.log().await;
        let evidence = gather(&*log, self.world.data(), &self.world.history()).await;
        log.close().await;
        evidence
    }

    /// Fails when something does not hold that must, by two independent accounts. What is under way
    /// may be under way unless everything is `settled`.
    pub(crate) async fn judge(&self, occasion: &str, settled: bool) -> Evidence {
        let evidence = self.evidence().await;
        assert_holds(occasion, &violations(&self.world, &evidence, settled));
        invariants::hold(&History(evidence.events.clone()), &evidence.movements);
        evidence
    }

    /// A question to the database itself, with one number for an answer.
    pub(crate) async fn number(&self, question: &'static str) -> i64 {
        let mut connection = PgConnection::connect(&self.log_url).await.unwrap();
        let number = sqlx::query_scalar(question).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        number
    }

    /// A statement to the database itself; answers how many rows it changed.
    pub(crate) async fn execute(&self, statement: &'static str) -> u64 {
        let mut connection = PgConnection::connect(&self.log_url).await.unwrap();
        let done = sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        done.rows_affected()
    }

    /// What the worker of this name has of the work, by the database's own record.
    pub(crate) async fn shares(&self, name: &str) -> Vec<String> {
        const SHARES: &str = "SELECT name FROM leases WHERE until > clock_timestamp() \
            AND split_part(holder, '/', 1) = $1 AND (name = 'views' OR name LIKE 'processes/%')";
        let mut connection = PgConnection::connect(&self.log_url).await.unwrap();
        let shares = sqlx::query_scalar(SHARES).bind(name).fetch_all(&mut connection);
        let shares = shares.await.unwrap();
        connection.close().await.unwrap();
        shares
    }

    /// Returns when the worker of this name has what satisfies `wanted`.
    pub(crate) async fn until_shares(&self, name: &str, wanted: impl Fn(&[String]) -> bool) {
        let began = Instant::now();
        while !wanted(&self.shares(name).await) {
            assert!(began.elapsed() < PATIENCE, "{name} has {:?}", self.shares(name).await);
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Whether the views are among the shares.
pub(crate) fn views(shares: &[String]) -> bool {
    shares.iter().any(|share| share == "views")
}
