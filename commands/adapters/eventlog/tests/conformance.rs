//! The conformance suite against the logs of this crate. Each test prints which store it ran.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::sync::Arc;

use holdfast_domain::ids::{CommandId, Epoch};
use holdfast_domain::log::{
    AnsweredCommand, AppendError, Appended, Batch, Capabilities, EventLog, Feed, Hash, LogHead,
    Pending, Position, ReadError, Recorded, Revision, StoredBatch, StoredEvent, StreamId,
};
use holdfast_eventlog::conformance::{Place, Subject};
use holdfast_eventlog::{MemoryLog, PostgresLog, SqliteLog, conformance_suite};
use holdfast_test_stores::{Schema, postgres};
use tempfile::TempDir;
use tokio::runtime::Handle;

/// A log by its ports, and how it is closed.
#[derive(Debug)]
struct Opened<L>(Arc<L>);

macro_rules! delegate {
    ($port:ident: $(fn $method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl<L: EventLog + Feed> $port for Opened<L> {$(
            fn $method(&self, $($argument: $type),*) -> $answer {
                self.0.$method($($argument),*)
            }
        )*}
    };
}

delegate! { EventLog:
    fn capabilities() -> Capabilities;
    fn append(group: Vec<Batch>) -> Pending<'_, Vec<Result<Appended, AppendError>>>;
    fn load(stream: StreamId, from: Revision) -> Pending<'_, Result<Vec<Recorded>, ReadError>>;
    fn answered(command: CommandId) -> Pending<'_, Result<Option<AnsweredCommand>, ReadError>>;
}

delegate! { Feed:
    fn head() -> Pending<'_, Result<LogHead, ReadError>>;
    fn page(after: Position, limit: usize) -> Pending<'_, Result<Vec<Recorded>, ReadError>>;
    fn changed(after: Position) -> Pending<'_, ()>;
    fn hash_at(position: Position) -> Pending<'_, Result<Option<Hash>, ReadError>>;
    fn stored(after: Position, limit: usize) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>>;
    fn stored_stream(
        stream: String, from: Revision, limit: usize
    ) -> Pending<'_, Result<Vec<StoredEvent>, ReadError>>;
    fn batches(after: u64, limit: usize) -> Pending<'_, Result<Vec<StoredBatch>, ReadError>>;
}

impl Subject for Opened<SqliteLog> {
    fn close(&self) -> Pending<'_, ()> {
        Box::pin(self.0.close())
    }
}

impl Subject for Opened<PostgresLog> {
    fn close(&self) -> Pending<'_, ()> {
        Box::pin(self.0.close())
    }
}

impl Subject for Opened<MemoryLog> {
    fn close(&self) -> Pending<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A folder of its own.
#[derive(Debug)]
struct Folder(TempDir);

impl Place for Folder {
    fn open(&self) -> Pending<'_, Arc<dyn Subject>> {
        Box::pin(async {
            let log = SqliteLog::open(self.0.path(), Handle::current()).await.unwrap();
            let log: Arc<dyn Subject> = Arc::new(Opened(log));
            log
        })
    }
}

/// A schema of its own.
#[derive(Debug)]
struct InSchema(Schema);

impl Place for InSchema {
    fn open(&self) -> Pending<'_, Arc<dyn Subject>> {
        Box::pin(async {
            let address = self.0.url().parse().unwrap();
            let log = PostgresLog::open(&address, Handle::current()).await.unwrap();
            let log: Arc<dyn Subject> = Arc::new(Opened(log));
            log
        })
    }
}

/// A log that outlives its being closed, as far as memory can.
#[derive(Debug)]
struct Memory(Arc<MemoryLog>);

impl Place for Memory {
    fn open(&self) -> Pending<'_, Arc<dyn Subject>> {
        let log: Arc<dyn Subject> = Arc::new(Opened(Arc::clone(&self.0)));
        Box::pin(std::future::ready(log))
    }
}

fn memory() -> Memory {
    let epoch: Epoch = "018f2a10-7c5e-7000-8000-0000000000ee".parse().unwrap();
    Memory(Arc::new(MemoryLog::new(epoch)))
}

conformance_suite!(sqlite, Folder(tempfile::tempdir().unwrap()));
conformance_suite!(in_postgres, maybe postgres("log conformance").await.map(InSchema));
conformance_suite!(in_memory, memory());
