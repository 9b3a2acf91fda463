//! Planted faults, one in each store: what its cell promises is broken behind the node's back, and
//! the table finds it. And one for each rule that no store can be made to break so easily.

use std::collections::BTreeSet;
use std::time::Duration;

use holdfast_domain::ids::CommandId;
use holdfast_redis::{Redis, script};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::ALONE;
use crate::customer::Customer;
use crate::judge;
use crate::notes::Note;
use crate::site::Site;
use crate::trouble::Fault;
use crate::truth::Evidence;

/// Somebody who was given a few seats.
async fn served(site: &mut Site) -> Customer {
    let mut customer = site.customer();
    for _ in 0..3 {
        assert!(customer.try_once().await);
    }
    customer
}

/// What the table says of what was noted so far.
async fn judged(site: &mut Site) -> Vec<String> {
    let (notes, mut found) = site.notes.take();
    let commands: BTreeSet<_> = notes.iter().filter_map(|note| note.command).collect();
    site.truth.evidence = Evidence::default();
    site.truth.read(&commands).await;
    found.extend(judge::answers(&notes, false));
    found.extend(judge::commands(&notes, &site.truth.evidence));
    found
}

#[track_caller]
fn assert_found(found: &[String], word: &str) {
    assert!(found.iter().any(|one| one.contains(word)), "{word}: {found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_postgresql_lost_and_an_old_answer_of_redis_are_found() {
    let _alone = ALONE.lock().await;
    let Some(mut site) = Site::on_postgres_and_redis("faults, controls").await else { return };
    let mut customer = served(&mut site).await;
    assert_eq!(judged(&mut site).await, Vec::<String>::new());

    // An answer is said to be of long after everything that follows.
    customer.look_at_slots().await;
    let redis = Redis::open(&site.targets[1].store.url()).await.unwrap();
    let age = "local kept = 0
        for _, key in ipairs(redis.call('KEYS', '*:list:*')) do
            local entry = redis.call('GET', key)
            local life, value = string.match(entry, '^(%d+) %d+( .*)$')
            redis.call('SET', key, life .. ' 900000000' .. value)
            kept = kept + 1
        end
        return kept";
    let kept: u32 = redis.call(&script(age).prepare_invoke()).await.unwrap();
    assert!(kept > 0, "no list was kept");
    assert!(customer.try_once().await);
    customer.look_at_slots().await;
    assert_found(&judged(&mut site).await, "is shown as free");

    // What was acknowledged is gone, as after a loss of power with `fsync` off.
    assert!(customer.try_once().await);
    let lost = "SET session_replication_role = replica;
        DELETE FROM event WHERE position = (SELECT max(position) FROM event)";
    let mut connection = PgConnection::connect(&site.targets[0].store.url()).await.unwrap();
    sqlx::raw_sql(lost).execute(&mut connection).await.unwrap();
    assert_found(&judged(&mut site).await, "there is no event at its position");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_kurrentdb_forgot_is_found() {
    let _alone = ALONE.lock().await;
    let mut site = Site::on_kurrentdb().await;
    let mut customer = served(&mut site).await;
    assert_eq!(judged(&mut site).await, Vec::<String>::new());
    site.targets[0].forget_appends(true);
    customer.try_once().await;
    site.targets[0].forget_appends(false);
    assert_found(&judged(&mut site).await, "not in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stays_away_is_found() {
    let _alone = ALONE.lock().await;
    let mut site = Site::on_kurrentdb().await;
    let mut customer = served(&mut site).await;
    site.targets[0].strike(Fault::HalfOpen);
    let late =
        tokio::time::timeout(judge::RECOVERY_MAX, async { while !customer.try_once().await {} });
    assert!(late.await.is_err());
    assert_found(&judged(&mut site).await, "its fate stays unknown");
    site.targets[0].heal(Fault::HalfOpen).await;
    while !customer.resolve().await {}
    site.close().await;
}

fn note(status: u16) -> Note {
    Note {
        asked: "GET /".to_owned(),
        command: None,
        status,
        code: String::new(),
        says_when: true,
        took: Duration::from_millis(1),
        position: Some(7),
        wanted: None,
    }
}

#[test]
fn each_answer_that_may_not_be_is_found() {
    let found = |note: Note, steady| judge::answers(&[note], steady).len();
    assert_eq!(found(note(200), true), 0);
    assert_eq!(found(note(404), true), 0);
    assert_eq!(found(note(503), false), 0);
    assert_eq!(found(note(503), true), 1);
    assert_eq!(found(note(500), false), 1);
    assert_eq!(found(note(504), false), 1);
    assert_eq!(found(note(0), false), 1);
    assert_eq!(found(Note { says_when: false, ..note(503) }, false), 1);
    assert_eq!(found(Note { took: Duration::from_secs(3), ..note(200) }, false), 1);
    assert_eq!(found(Note { wanted: Some(8), ..note(200) }, false), 1);
    assert_eq!(found(Note { wanted: Some(7), ..note(200) }, false), 0);
    assert!(judge::recovery(None).is_some());
    assert!(judge::recovery(Some(Duration::from_secs(6))).is_some());
    assert!(judge::recovery(Some(Duration::from_secs(4))).is_none());
}

#[test]
fn each_command_that_does_not_fit_the_log_is_found() {
    let command = CommandId::from_uuid(Uuid::from_u128(1));
    let of = |status| Note { command: Some(command), ..note(status) };
    let found = |notes: &[Note], evidence: &Evidence| judge::commands(notes, evidence);
    let nothing = Evidence::default();
    assert_found(&found(&[of(201)], &nothing), "acknowledged, and not in the log");
    assert_found(&found(&[of(503)], &nothing), "its fate stays unknown");
    assert_found(&found(&[of(409), of(201)], &nothing), "answered in two ways");
    assert!(found(&[of(503), of(409)], &nothing).is_empty());
    let mut evidence = Evidence::default();
    let stream = holdfast_domain::booking::reservation_stream;
    let stream = stream(holdfast_domain::ids::ReservationId::from_uuid(Uuid::from_u128(2)));
    let append = |end| (stream, holdfast_domain::log::Position(end));
    evidence.appends.insert(command, BTreeSet::from([append(1)]));
    assert_found(&found(&[of(409)], &evidence), "it was refused, and had an effect");
    evidence.appends.insert(command, BTreeSet::from([append(1), append(2)]));
    assert_found(&found(&[of(503)], &evidence), "it had two effects");
}
