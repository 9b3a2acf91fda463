//! The process dies at each named place of an append, each time it comes there. Afterwards the log
//! opens, verifies, holds everything that was acknowledged, and no half of anything.
//!
//! The test starts its own binary again as the process that dies. Failpoints exist in debug builds
//! only, so in a release build there is nothing to test here.
#![cfg(debug_assertions)]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use holdfast_commands::failpoint::REGISTRY;
use holdfast_domain::actor::Actor;
use holdfast_domain::booking::reservation::ReservationEvent;
use holdfast_domain::ids::{CommandId, CorrelationId, EventId};
use holdfast_domain::log::{
    AppendError, Batch, Category, CommandRecord, EventLog, Expected, Feed, Hash, Metadata,
    NewEvent, Revision, StreamId, Write,
};
use holdfast_domain::time::Timestamp;
use holdfast_eventlog::walk::verify_feed;
use holdfast_eventlog::{PostgresLog, SqliteLog};
use holdfast_test_stores::postgres;
use tokio::runtime::Handle;
use uuid::Uuid;

const FOLDER: &str = "HOLDFAST_TEST_CRASH_FOLDER";
const DATABASE: &str = "HOLDFAST_TEST_CRASH_DATABASE";
const TWICE: &str = "HOLDFAST_TEST_CRASH_TWICE";
const APPENDS: u32 = 3;

fn stream(n: u32, which: u32) -> StreamId {
    let id = u128::from(n).wrapping_mul(10).wrapping_add(u128::from(which));
    StreamId::new(Category::Reservation, Uuid::from_u128(id))
}

fn command(n: u32) -> CommandId {
    CommandId::of_step("crash", &Uuid::from_u128(u128::from(n)), "append")
}

/// An append to two streams with an answer to remember.
fn batch(n: u32) -> Batch {
    let accepted_at = Timestamp::MIN;
    let write = |which| {
        let stream = stream(n, which);
        let metadata = Metadata {
            event_id: EventId::derive(command(n), &stream, 0),
            command_id: command(n),
            causation_id: None,
            correlation_id: CorrelationId::from_uuid(*command(n).as_uuid()),
            actor: Actor::Process { name: "test".to_owned() },
            accepted_at,
            traceparent: None,
        };
        let events = vec![NewEvent { event: ReservationEvent::Expired {}.into(), metadata }];
        Write { stream, expected: Expected::NoStream, events }
    };
    let (fingerprint, body) = (Hash::ZERO, vec![]);
    let record = CommandRecord {
        id: command(n),
        fingerprint,
        status: 201,
        body,
        revision: None,
        accepted_at,
    };
    Batch { writes: vec![write(1), write(2)], guards: vec![], command: Some(record) }
}

/// Where the log is: in a folder, or in a database.
#[derive(Debug)]
enum Place<'a> {
    Folder(&'a Path),
    Database(&'a str),
}

/// A log, and how it is closed.
#[derive(Debug)]
enum Log {
    Sqlite(Arc<SqliteLog>),
    Postgres(Arc<PostgresLog>),
}

impl Place<'_> {
    async fn open(&self) -> Log {
        match self {
            Self::Folder(folder) => {
                Log::Sqlite(SqliteLog::open(folder, Handle::current()).await.unwrap())
            }
            Self::Database(url) => {
                let address = url.parse().unwrap();
                Log::Postgres(PostgresLog::open(&address, Handle::current()).await.unwrap())
            }
        }
    }
}

impl Log {
    fn log(&self) -> &dyn EventLog {
        match self {
            Self::Sqlite(log) => &**log,
            Self::Postgres(log) => &**log,
        }
    }

    fn feed(&self) -> &dyn Feed {
        match self {
            Self::Sqlite(log) => &**log,
            Self::Postgres(log) => &**log,
        }
    }

    async fn close(&self) {
        match self {
            Self::Sqlite(log) => log.close().await,
            Self::Postgres(log) => log.close().await,
        }
    }
}

/// Not a claim of its own: what the process does that is to die.
#[tokio::test]
async fn append_until_death() {
    let folder = std::env::var_os(FOLDER);
    let url = std::env::var_os(DATABASE).map(|url| url.into_string().unwrap());
    let place = match (&folder, &url) {
        (Some(folder), _) => Place::Folder(Path::new(folder)),
        (_, Some(url)) => Place::Database(url),
        (None, None) => return,
    };
    let log = place.open().await;
    for n in 1..=APPENDS {
        // Said twice in one group, it cannot be written before it was looked at: every place of the
        // long way is passed.
        let twice = std::env::var_os(TWICE).map(|_| batch(n));
        let mut answers = log.log().append([batch(n)].into_iter().chain(twice).collect()).await;
        let again = answers.split_off(1);
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert!(again.iter().all(|it| matches!(it, Err(AppendError::Answered(_)))), "{again:?}");
        // Straight to the pipe: what the test harness holds back dies with the process.
        writeln!(std::io::stderr(), "acknowledged {n}").unwrap();
    }
    log.close().await;
}

fn run(place: &Place<'_>, hits: &Path, crash_at: &str, twice: bool) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "append_until_death", "--nocapture"]);
    match place {
        Place::Folder(folder) => command.env(FOLDER, folder),
        Place::Database(url) => command.env(DATABASE, url),
    };
    if twice {
        command.env(TWICE, "1");
    }
    command.env("HOLDFAST_CRASH_AT", crash_at).env("HOLDFAST_CRASH_LOG", hits).output().unwrap()
}

/// How much stands after a crash: everything that was acknowledged, and only whole appends.
async fn standing(place: &Place<'_>) -> u32 {
    let log = place.open().await;
    let mut whole = 0;
    for n in 1..=APPENDS {
        let one = log.log().load(stream(n, 1), Revision(0)).await.unwrap().len();
        let other = log.log().load(stream(n, 2), Revision(0)).await.unwrap().len();
        let answered = log.log().answered(command(n)).await.unwrap().is_some();
        assert_eq!((one, other), (usize::from(answered), usize::from(answered)), "half of {n}");
        whole = u32::from(answered).saturating_add(whole);
    }
    assert_eq!(verify_feed(log.feed(), None).await.unwrap().failure, None);
    log.close().await;
    whole
}

/// Dies at the nth time at that place; a process that comes to its end has been at all that are
/// expected.
async fn dies_at(place: &Place<'_>, name: &str, nth: u32, twice: bool, expected: &BTreeSet<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let hits = folder.path().join("hits");
    let output = run(place, &hits, &format!("{name}:{nth}"), twice);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let acknowledged =
        u32::try_from(told.lines().filter(|line| line.starts_with("ackn")).count()).unwrap();
    let stand = standing(place).await;
    assert_eq!(output.status.success(), nth > APPENDS, "{name}:{nth} {told}");
    assert!(acknowledged <= stand, "{name}:{nth} lost an acknowledged append");
    let unheard = u32::from(name == "store.after_commit" && nth <= APPENDS);
    let before = nth.saturating_sub(1);
    let told_and_untold = (before, before.saturating_add(unheard));
    assert_eq!((acknowledged, stand), told_and_untold, "{name}:{nth}");
    if nth > APPENDS {
        let hits = std::fs::read_to_string(hits).unwrap();
        assert_eq!(hits.lines().collect::<BTreeSet<_>>(), *expected, "places never reached");
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_death_at_every_place() {
    let store: BTreeSet<_> =
        REGISTRY.iter().copied().filter(|name| name.starts_with("store.")).collect();
    for name in &store {
        for nth in 1..=APPENDS + 1 {
            let folder = tempfile::tempdir().unwrap();
            dies_at(&Place::Folder(folder.path()), name, nth, false, &store).await;
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_death_beside_a_server() {
    let store: BTreeSet<_> =
        REGISTRY.iter().copied().filter(|name| name.starts_with("store.")).collect();
    let at_once = BTreeSet::from(["store.before_begin", "store.after_commit"]);
    for (twice, places) in [(false, &at_once), (true, &store)] {
        for name in places {
            for nth in 1..=APPENDS + 1 {
                let Some(schema) = postgres("log crash").await else { return };
                dies_at(&Place::Database(schema.url()), name, nth, twice, places).await;
            }
        }
    }
}
