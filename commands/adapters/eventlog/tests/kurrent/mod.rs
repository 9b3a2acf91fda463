//! A log in KurrentDB for the claims of the conformance suite.

use std::sync::Arc;

use holdfast_domain::ids::{CommandId, Epoch};
use holdfast_domain::log::{
    AnsweredCommand, AppendError, Appended, Batch, Capabilities, EventLog, Feed, Hash, LogHead,
    Pending, Position, ReadError, Recorded, Revision, StoredBatch, StoredEvent, StreamId,
};
use holdfast_eventlog::KurrentLog;
use holdfast_eventlog::conformance::{Place, Subject};
use holdfast_test_kurrentdb::Double;
use holdfast_test_stores::kurrentdb;
use tokio::runtime::Handle;
use uuid::Uuid;

/// A log by its ports, and how it is closed.
#[derive(Debug)]
struct Opened(Arc<KurrentLog>);

macro_rules! delegate {
    ($port:ident: $(fn $method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl $port for Opened {$(
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

impl Subject for Opened {
    fn close(&self) -> Pending<'_, ()> {
        Box::pin(self.0.close())
    }
}

/// A double of its own, or a part of a real server.
#[derive(Debug)]
pub(crate) struct Cluster {
    url: String,
    prefix: String,
    /// Ends with the test.
    _double: Option<Double>,
}

impl Cluster {
    pub(crate) fn double() -> Self {
        let double = Double::start();
        Self { url: double.url(), prefix: String::new(), _double: Some(double) }
    }

    /// The server that tests are given, if they are given one.
    #[expect(clippy::disallowed_methods, reason = "a test's part of a server is named at random")]
    pub(crate) fn given() -> Option<Self> {
        let url = kurrentdb("conformance of the event log")?;
        let prefix = format!("test_{}.", Uuid::new_v4().simple());
        Some(Self { url, prefix, _double: None })
    }
}

impl Place for Cluster {
    fn open(&self) -> Pending<'_, Arc<dyn Subject>> {
        let epoch: Epoch = "018f2a10-7c5e-7000-8000-0000000000ee".parse().unwrap();
        let (url, prefix) = (&self.url, &self.prefix);
        let log = KurrentLog::open_within(url, prefix, epoch, &Handle::current()).unwrap();
        let log: Arc<dyn Subject> = Arc::new(Opened(log));
        Box::pin(std::future::ready(log))
    }
}
