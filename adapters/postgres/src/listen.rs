//! Hints from other sessions of the database: LISTEN on one channel. A hint may be lost, and with a
//! connection all of them are: whoever listens looks by itself now and then.

use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::postgres::PgListener;

use crate::connect::Address;
use crate::database::{DatabaseError, PATIENCE, silent};

/// After so long without a word the connection is asked whether it is still one.
const QUIET: Duration = Duration::from_secs(10);

/// Listens on one channel.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// Begins to listen, on a connection of its own.
    pub async fn open(address: &Address, channel: &str) -> Result<Self, DatabaseError> {
        let opened = async {
            let (primary, _connection) = address.primary().await?;
            let pool = PoolOptions::new()
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_lazy_with(primary);
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.eager_reconnect(false);
            listener.listen(channel).await?;
            Ok(Self(listener))
        };
        let late = || DatabaseError::Refused(silent(address));
        tokio::time::timeout(PATIENCE, opened).await.unwrap_or_else(|_late| Err(late()))
    }

    /// Waits for the next hint, and answers what was said with it. After an error nothing more will
    /// be heard: open another one.
    pub async fn heard(&mut self) -> Result<String, sqlx::Error> {
        loop {
            match tokio::time::timeout(QUIET, self.0.try_recv()).await {
                Ok(Ok(Some(hint))) => return Ok(hint.payload().to_owned()),
                Ok(Ok(None)) => return Err(sqlx::Error::WorkerCrashed),
                Ok(Err(why)) => return Err(why),
                Err(_quiet) => {
                    let alive = sqlx::query("SELECT 1").execute(&mut self.0);
                    let late = |_late| sqlx::Error::PoolTimedOut;
                    tokio::time::timeout(PATIENCE, alive).await.map_err(late)??;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_test_stores::postgres;

    use super::*;

    #[tokio::test]
    async fn a_hint_is_heard_and_a_lost_connection_is_told() {
        let Some(schema) = postgres("hints").await else { return };
        let address: Address = schema.url().parse().unwrap();
        let mut listener = Listener::open(&address, "holdfast_a_test").await.unwrap();
        let mut other = address.dial_for_hints(PATIENCE).await.unwrap();
        sqlx::raw_sql("NOTIFY holdfast_a_test, '7'").execute(&mut other).await.unwrap();
        assert_eq!(listener.heard().await.unwrap(), "7");
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE query LIKE 'LISTEN \"holdfast_a_test%'";
        sqlx::raw_sql(end).execute(&mut other).await.unwrap();
        assert!(listener.heard().await.is_err());
    }
}
