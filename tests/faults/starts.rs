//! How the binary starts when a store is away, or is not as it must be.

use std::path::Path;
use std::time::{Duration, Instant};

use holdfast_domain::actor::Role;
use holdfast_domain::ids::PrincipalId;
use holdfast_test_stores::{postgres, server};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::node::{DidNotStart, Node, token};

/// A port that nobody listens on.
const NOBODY: &str = "127.0.0.1:1";
/// Docs/operations: "a store or a service cannot be reached".
const UNAVAILABLE: &str = "exit status: 5";

fn start(data: &Path, stores: &[&str]) -> Result<Node, DidNotStart> {
    let views = ["--read-url", "memory:"];
    let flags: Vec<_> = stores.iter().copied().chain(views).collect();
    Node::start(data, &flags, &[])
}

/// Enters a resource; answers the status, and what was said.
async fn command(node: &Node, data: &Path) -> (StatusCode, Value) {
    let id: PrincipalId = "018f2a10-7c5e-7000-8000-000000000001".parse().unwrap();
    let answer = reqwest::Client::new()
        .post(format!("http://{}/v1/resources", node.address))
        .header("authorization", token(data, id, Role::Provider))
        .header("idempotency-key", "only")
        .json(&json!({"display_name": "Room", "zone": "UTC"}))
        .send()
        .await
        .unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_and_works_without_its_redis() {
    let Some(schema) = postgres("start without redis").await else { return };
    let data = tempfile::tempdir().unwrap();
    let redis = format!("redis://:none@{NOBODY}");
    let stores = ["--log-url", schema.url(), "--redis-url", &redis];
    let node = start(data.path(), &stores).unwrap();
    let (status, said) = command(&node, data.path()).await;
    assert_eq!(status, 201, "{said}");
    assert!(node.said().contains("Redis does not answer"), "{}", node.said());
}

#[test]
fn a_node_whose_postgresql_is_away_says_so_and_does_not_start() {
    let data = tempfile::tempdir().unwrap();
    let url = format!("postgres://me:secret@{NOBODY}/bookings");
    let began = Instant::now();
    let DidNotStart(said) = start(data.path(), &["--log-url", &url]).unwrap_err();
    assert!(said.starts_with(UNAVAILABLE), "{said}");
    assert!(said.contains("127.0.0.1:1/bookings"), "which one: {said}");
    assert!(said.contains("refused"), "why: {said}");
    assert!(!said.contains("secret"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_node_whose_kurrentdb_is_away_says_so_and_does_not_start() {
    let data = tempfile::tempdir().unwrap();
    let url = format!("kurrentdb://me:secret@{NOBODY}?tls=false");
    let DidNotStart(said) = start(data.path(), &["--log-url", &url]).unwrap_err();
    assert!(said.starts_with(UNAVAILABLE), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.contains("the event log at kurrentdb://***@127.0.0.1:1"), "which one: {said}");
    assert!(!said.contains("secret"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_acknowledges_what_is_not_durable_is_refused_with_what_to_set() {
    let Some(server) = server("start on synchronous_commit = off").await else { return };
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    for (setting, value) in [("synchronous_commit", "off"), ("synchronous_commit", "on")] {
        let change = format!("ALTER SYSTEM SET {setting} = {value}");
        for statement in [change.as_str(), "SELECT pg_reload_conf()"] {
            let statement = sqlx::AssertSqlSafe(statement.to_owned());
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
        let shown = async || -> String {
            let shown = sqlx::query_scalar("SELECT reset_val FROM pg_settings WHERE name = $1");
            let mut fresh = PgConnection::connect(&server.url()).await.unwrap();
            shown.bind(setting).fetch_one(&mut fresh).await.unwrap()
        };
        let began = Instant::now();
        while shown().await != value {
            assert!(began.elapsed() < Duration::from_secs(10), "{setting} is not set");
        }
        let data = tempfile::tempdir().unwrap();
        let started = start(data.path(), &["--log-url", &server.url()]);
        if value == "on" {
            started.unwrap();
            continue;
        }
        let DidNotStart(said) = started.unwrap_err();
        assert!(said.starts_with("exit status: 1"), "{said}");
        assert!(said.contains("SET synchronous_commit = on"), "{said}");
    }
}
