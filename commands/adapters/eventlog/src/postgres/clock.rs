//! The database's clock, for nodes that compare theirs with it.

use holdfast_commands::ports::{StoreClock, StoreClockUnavailable};
use holdfast_domain::log::Pending;
use holdfast_domain::time::Timestamp;

use super::{PostgresLog, read};

impl StoreClock for PostgresLog {
    fn now(&self) -> Pending<'_, Result<Timestamp, StoreClockUnavailable>> {
        Box::pin(async move {
            let shows = read::clock(&self.reader.database).await;
            shows.map_err(|why| StoreClockUnavailable(why.to_string()))
        })
    }
}
