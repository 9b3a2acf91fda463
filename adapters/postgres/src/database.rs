//! A few connections to the database that can be written, each looked at before it is handed out.

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions, Postgres};
use sqlx::{Connection as _, Row as _, Transaction};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::connect::Address;
use crate::durable::NotDurable;

/// How long a connection is waited for before the database counts as unavailable: whoever asked has
/// to be told so within two seconds.
pub const PATIENCE: Duration = Duration::from_millis(1_500);

/// Why a database is not entered.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It acknowledges what a loss of power takes back.
    #[error(transparent)]
    NotDurable(#[from] NotDurable),
    /// None of its hosts can be written.
    #[error("no host of {address} can be written: {why}")]
    NoPrimary {
        /// Which database.
        address: Address,
        /// What the last host said.
        why: String,
    },
    /// Its tables would have no place.
    #[error(
        "the search_path in {address} names no schema that is there; make it first: CREATE SCHEMA \
         <name> AUTHORIZATION <role>"
    )]
    NoSchema {
        /// Which database.
        address: Address,
    },
    /// It said no.
    #[error("{}", told(.0))]
    Refused(#[from] sqlx::Error),
}

/// What a database, or the way to it, said; without the line of the server's source that says it.
pub fn told(why: &sqlx::Error) -> String {
    match why.as_database_error() {
        Some(said) => {
            let code = said.code().unwrap_or_default();
            format!("PostgreSQL says: {} ({code})", said.message())
        }
        None => why.to_string(),
    }
}

/// The database that can be written.
#[derive(Debug, Clone)]
pub struct Database {
    address: Address,
    pool: PgPool,
    /// When the hosts were looked at last, and whether one can be written.
    looked: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Database {
    /// Finds the host that can be written, and refuses it when it acknowledges what is not durable.
    pub async fn connect(address: Address, connections: u32) -> Result<Self, DatabaseError> {
        let (primary, mut connection) = address.primary().await?;
        address.judge(&mut connection).await?;
        drop(connection.close().await);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            // It asks the same, and notices more.
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(usable(connection)))
            .after_connect(|connection, _| Box::pin(writable(connection)))
            .connect_lazy_with(primary);
        Ok(Self { address, pool, looked: Arc::default() })
    }

    /// Where it is, without its password.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// A connection that is in no transaction.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let only = self.address.hosts().len() < 2;
        // With other hosts to look at, a silent one must not use up the caller's time.
        let patience = PATIENCE.checked_div(if only { 1 } else { 3 }).unwrap_or(PATIENCE);
        let acquired = tokio::time::timeout(patience, self.pool.acquire()).await;
        let acquired = match acquired.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            Ok(connection) => Ok(connection),
            Err(why) if only => Err(why),
            Err(why) => {
                // The primary may have moved to another host.
                let found = tokio::time::timeout(PATIENCE, self.look(Instant::now())).await;
                if found.unwrap_or(false) { self.pool.acquire().await } else { Err(why) }
            }
        };
        acquired.map_err(|why| self.named(why))
    }

    /// A wait in vain, or a way that ends, says which database it was about, and not which part of
    /// the client waited.
    fn named(&self, why: sqlx::Error) -> sqlx::Error {
        let address = &self.address;
        if matches!(why, sqlx::Error::PoolTimedOut) {
            return silent(address);
        }
        if let sqlx::Error::Io(why) = why {
            let why = format!("PostgreSQL at {address} cannot be reached: {why}");
            return sqlx::Error::InvalidArgument(why);
        }
        why
    }

    /// Whether there is a host that can be written; the pool knows it from now on. One looks for
    /// all who wait since `since`: a pool that is only busy must not make a crowd of sessions.
    async fn look(&self, since: Instant) -> bool {
        let mut looked = self.looked.lock().await;
        if let Some((at, found)) = *looked
            && at >= since
        {
            return found;
        }
        let found = match self.address.primary().await {
            Ok((primary, _connection)) => {
                self.pool.set_connect_options(primary);
                true
            }
            Err(_nowhere) => false,
        };
        *looked = Some((Instant::now(), found));
        found
    }

    /// A transaction; it is taken back when it is dropped.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        Transaction::begin(self.acquire().await?, None).await
    }

    /// Closes the connections, after what they are doing.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The database does not answer. Nothing was sent.
pub(crate) fn silent(address: &Address) -> sqlx::Error {
    let why = format!("PostgreSQL at {address} does not answer: no connection in time");
    sqlx::Error::InvalidArgument(why)
}

/// Whether there is a schema in which tables can be made.
pub(crate) async fn has_schema(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT current_schema() IS NOT NULL").fetch_one(connection).await
}

/// A server that is a standby, or has become one, cannot be written, and what it shows may be old.
async fn writable(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let row = sqlx::raw_sql("SELECT pg_is_in_recovery()").fetch_one(connection).await?;
    let standby: bool = row.try_get(0)?;
    if standby {
        return Err(sqlx::Error::Configuration("the server is a standby".into()));
    }
    Ok(())
}

/// Whether a connection is in no transaction, and to a server that can be written. One whose `begin`
/// was cancelled is inside one without knowing it: what it acknowledges next, nobody else would ever
/// see (sqlx issue 4385).
async fn usable(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // One simple statement: outside of a transaction it begins with the statement.
    const PROBE: &str =
        "SELECT transaction_timestamp() = statement_timestamp() AND NOT pg_is_in_recovery()";
    sqlx::raw_sql(PROBE).fetch_one(connection).await?.try_get(0)
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use holdfast_test_stores::postgres;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_was_left_in_a_transaction_is_not_handed_out() {
        let Some(schema) = postgres("connections").await else { return };
        let database = Database::connect(schema.url().parse().unwrap(), 1).await.unwrap();
        let pid = async |connection: &mut PgConnection| -> i32 {
            let pid = sqlx::query_scalar("SELECT pg_backend_pid()");
            pid.fetch_one(connection).await.unwrap()
        };
        let mut left = database.acquire().await.unwrap();
        // As after a cancelled `begin`: the server is in a transaction, the client does not know.
        sqlx::raw_sql("BEGIN").execute(&mut *left).await.unwrap();
        let before = pid(&mut left).await;
        drop(left);
        let mut next = database.acquire().await.unwrap();
        assert_ne!(pid(&mut next).await, before);
        assert!(usable(&mut next).await.unwrap());
        let clean = pid(&mut next).await;
        drop(next);
        assert_eq!(pid(&mut database.acquire().await.unwrap()).await, clean);
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_named_and_its_password_is_not() {
        let Some(schema) = postgres("silence").await else { return };
        let (line, url) = holdfast_test_stores::Line::before(schema.url()).await;
        let address: Address = url.parse().unwrap();
        let database = Database::connect(address.clone(), 1).await.unwrap();
        line.refuse();
        line.reset();
        let why = database.acquire().await.unwrap_err().to_string();
        assert!(why.starts_with(&format!("PostgreSQL at {address} ")), "{why}");
        assert_eq!(
            silent(&address).to_string(),
            format!("PostgreSQL at {address} does not answer: no connection in time")
        );
        let none = sqlx::migrate::Migrator::with_migrations(vec![]);
        let why = crate::migrations::steps(&none, &address);
        let why = told(&why.await.unwrap_err());
        assert!(!why.contains("pool"), "{why}");
    }

    #[tokio::test]
    async fn a_schema_that_is_not_there_has_to_be_made_first() {
        let Some(schema) = postgres("no schema").await else { return };
        let (base, _name) = schema.url().split_once("options[search_path]=").unwrap();
        let address: Address = format!("{base}options[search_path]=nosuch").parse().unwrap();
        let why = Database::connect(address, 1).await.unwrap_err();
        assert!(matches!(why, DatabaseError::NoSchema { .. }), "{why}");
        assert!(why.to_string().contains("CREATE SCHEMA"), "{why}");
    }

    #[tokio::test]
    async fn what_the_server_says_is_told_without_a_line_of_its_source() {
        let Some(schema) = postgres("refusals").await else { return };
        let address: Address = schema.url().parse().unwrap();
        let mut connection = address.dial(PATIENCE).await.unwrap();
        let why = sqlx::raw_sql("SELECT nothing").execute(&mut connection).await.unwrap_err();
        assert_eq!(told(&why), "PostgreSQL says: column \"nothing\" does not exist (42703)");
    }

    #[tokio::test]
    async fn a_crowd_that_waits_for_a_busy_pool_looks_for_another_host_once() {
        const CROWD: usize = 20;
        let Some(schema) = postgres("crowd").await else { return };
        // It takes each look and answers none; the other host is well.
        let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = holdfast_test_stores::place(schema.url());
        let both = format!("{},{place}", deaf.local_addr().unwrap());
        let address: Address = schema.url().replace(place, &both).parse().unwrap();
        let database = Database::connect(address, 1).await.unwrap();
        let busy = database.acquire().await.unwrap();
        let crowd = join_all((0..CROWD).map(|_| database.acquire()));
        let looks = async {
            let mut looks = Vec::new();
            loop {
                looks.push(deaf.accept().await.unwrap());
                println!("look {}", looks.len());
                assert!(looks.len() < 5, "each one who waits looks for itself");
            }
        };
        tokio::select! {
            waited = crowd => assert!(waited.iter().all(Result::is_err), "the pool is busy"),
            () = looks => {}
        }
        drop(busy);
        database.acquire().await.unwrap();
    }
}
