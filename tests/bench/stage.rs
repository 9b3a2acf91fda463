//! An engine in this process on a new log in PostgreSQL, and a log of a certain length.

use std::sync::Arc;

use holdfast_commands::ports::Ids as _;
use holdfast_domain::ids::PrincipalId;
use holdfast_domain::log::{Feed as _, Position};
use holdfast_eventlog::PostgresLog;
use holdfast_gateways::system::SystemIds;
use holdfast_test_stores::Schema;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::business::Business;
use crate::database::Database;
use crate::rooms::Room;

/// How many hold at once while the log is filled, each in rooms of its own.
const CALLERS: u32 = 64;
/// Holds in one room before the next one is opened.
const PLACES: u32 = 1_000;

/// An engine on a new log.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) business: Arc<Business>,
    pub(crate) log: Arc<PostgresLog>,
    pub(crate) schema: Schema,
    pub(crate) folder: TempDir,
}

impl Stage {
    pub(crate) async fn open(database: &Database) -> Self {
        let schema = database.schema().await;
        let log = database.log(&schema).await;
        let folder = tempfile::tempdir().unwrap();
        let business = Business::open(Arc::<PostgresLog>::clone(&log), folder.path()).await;
        Self { business: Arc::new(business), log, schema, folder }
    }

    /// Ends the engine; what was written stays, in the schema and the folder that are answered.
    pub(crate) async fn close(self) -> (Schema, TempDir) {
        drop(self.business);
        self.log.close().await;
        (self.schema, self.folder)
    }

    /// How many events there are.
    pub(crate) async fn events(&self) -> u64 {
        self.log.head().await.unwrap().position.0
    }

    /// Holds, every second one given back, until there are so many events.
    pub(crate) async fn fill(&self, events: u64) {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (business, log) = (Arc::clone(&self.business), Arc::clone(&self.log));
            callers.spawn(async move { books(&business, &log, Position(events)).await });
        }
        while let Some(ended) = callers.join_next().await {
            ended.unwrap();
        }
    }
}

async fn books(business: &Business, log: &PostgresLog, until: Position) {
    let customer = PrincipalId::from_uuid(SystemIds.fresh());
    loop {
        let rooms: Vec<Room> = business.rooms(1).await;
        let room = *rooms.first().unwrap();
        for place in 0..PLACES {
            if log.head().await.unwrap().position >= until {
                return;
            }
            let (reservation, answer) = business.hold_room(customer, room, place).await;
            assert_eq!(answer.unwrap().status, 201);
            if place.checked_rem(2) == Some(1) {
                let released = business.release(customer, reservation).await.unwrap();
                assert_eq!(released.status, 200);
            }
        }
    }
}
