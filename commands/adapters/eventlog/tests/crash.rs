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

use holdfast_commands::failpoint::REGISTRY;
use holdfast_domain::actor::Actor;
use holdfast_domain::booking::reservation::ReservationEvent;
use holdfast_domain::ids::{CommandId, CorrelationId, EventId};
use holdfast_domain::log::{
    Batch, Category, CommandRecord, EventLog, Expected, Hash, Metadata, NewEvent, Revision,
    StreamId, Write,
};
use holdfast_domain::time::Timestamp;
use holdfast_eventlog::SqliteLog;
use holdfast_eventlog::walk::verify_feed;
use tokio::runtime::Handle;
use uuid::Uuid;

const FOLDER: &str = "HOLDFAST_TEST_CRASH_FOLDER";
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

/// Not a claim of its own: what the process does that is to die.
#[tokio::test]
async fn append_until_death() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let log = SqliteLog::open(Path::new(&folder), Handle::current()).await.unwrap();
    for n in 1..=APPENDS {
        let answer = log.append(vec![batch(n)]).await.pop().unwrap();
        assert!(answer.is_ok(), "{answer:?}");
        // Straight to the pipe: what the test harness holds back dies with the process.
        writeln!(std::io::stderr(), "acknowledged {n}").unwrap();
    }
    log.close().await;
}

fn run(folder: &Path, crash_at: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "append_until_death", "--nocapture"])
        .env(FOLDER, folder)
        .env("HOLDFAST_CRASH_AT", crash_at)
        .env("HOLDFAST_CRASH_LOG", folder.join("hits"))
        .output()
        .unwrap()
}

/// How much stands after a crash: everything that was acknowledged, and only whole appends.
async fn standing(folder: &Path) -> u32 {
    let log = SqliteLog::open(folder, Handle::current()).await.unwrap();
    let mut whole = 0;
    for n in 1..=APPENDS {
        let one = log.load(stream(n, 1), Revision(0)).await.unwrap().len();
        let other = log.load(stream(n, 2), Revision(0)).await.unwrap().len();
        let answered = log.answered(command(n)).await.unwrap().is_some();
        assert_eq!((one, other), (usize::from(answered), usize::from(answered)), "half of {n}");
        whole = u32::from(answered).saturating_add(whole);
    }
    assert_eq!(verify_feed(&*log, None).await.unwrap().failure, None);
    log.close().await;
    whole
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_death_at_every_place() {
    let store = REGISTRY.iter().filter(|name| name.starts_with("store."));
    for name in store.clone() {
        for nth in 1..=APPENDS + 1 {
            let folder = tempfile::tempdir().unwrap();
            let output = run(folder.path(), &format!("{name}:{nth}"));
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            let acknowledged =
                u32::try_from(told.lines().filter(|line| line.starts_with("ackn")).count())
                    .unwrap();
            let stand = standing(folder.path()).await;
            assert_eq!(output.status.success(), nth > APPENDS, "{name}:{nth} {told}");
            assert!(acknowledged <= stand, "{name}:{nth} lost an acknowledged append");
            let unheard = u32::from(*name == "store.after_commit" && nth <= APPENDS);
            assert_eq!((acknowledged, stand), (nth - 1, nth - 1 + unheard), "{name}:{nth}");
            if nth > APPENDS {
                let hits = std::fs::read_to_string(folder.path().join("hits")).unwrap();
                let hits: BTreeSet<_> = hits.lines().collect();
                assert_eq!(hits, store.clone().copied().collect(), "places never reached");
            }
        }
    }
}
