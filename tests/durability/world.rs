//! A folder with something to book in it, and the clients of it: who they are, what they asked, and
//! what they were told, across all lives of the server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use holdfast_commands::ports::{Clock as _, Ids as _};
use holdfast_domain::actor::Role;
use holdfast_domain::ids::PrincipalId;
use holdfast_domain::time::Timestamp;
use holdfast_gateways::system::{SystemClock, SystemIds};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::history::{Entry, Kind, Known, judge};
use crate::http::{Asked, Connection};
use crate::node::token;

/// How many customers there are; each has one command under way at a time.
pub(crate) const CUSTOMERS: usize = 6;
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody with a token.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: PrincipalId,
    pub(crate) token: String,
}

/// What can be booked.
#[derive(Debug, Clone)]
pub(crate) struct Catalogue {
    pub(crate) slots: String,
    pub(crate) class: String,
    pub(crate) sessions: Vec<String>,
    /// The first start that can be booked; the others follow by the hour.
    pub(crate) first: Timestamp,
}

/// The folder, the people and their memory.
#[derive(Debug)]
pub(crate) struct World {
    folder: TempDir,
    pub(crate) provider: Person,
    pub(crate) customers: Vec<Person>,
    keys: AtomicU64,
    history: Mutex<Vec<Entry>>,
}

impl World {
    /// An empty folder and people whom a node on it will believe.
    pub(crate) fn new() -> Self {
        Self::with_customers(CUSTOMERS)
    }

    /// The same with so many customers.
    pub(crate) fn with_customers(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let person = |role| {
            let id = PrincipalId::from_uuid(SystemIds.fresh());
            Person { id, token: token(folder.path(), id, role) }
        };
        let provider = person(Role::Provider);
        let customers = (0..count).map(|_| person(Role::Customer)).collect();
        let (keys, history) = (AtomicU64::new(0), Mutex::default());
        Self { folder, provider, customers, keys, history }
    }

    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    /// A file beside the data.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command that was never asked before.
    pub(crate) fn command(
        &self,
        kind: Kind,
        person: &Person,
        (method, path): (&'static str, String),
        body: &Value,
    ) -> Entry {
        let key = format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let now = Instant::now();
        Entry {
            kind,
            principal: person.id,
            asked: Asked { method, path, token: person.token.clone(), key, body },
            began: now,
            ended: now,
            known: Known::Unknown("never sent".to_owned()),
            was_unclear: false,
        }
    }

    /// Sends a command and remembers what came of it.
    pub(crate) async fn send(&self, connection: &mut Connection, mut entry: Entry) -> Known {
        entry.began = Instant::now();
        entry.known = ask(connection, &entry.asked).await;
        entry.ended = Instant::now();
        entry.was_unclear = entry.is_unknown();
        let known = entry.known.clone();
        self.remember(entry);
        known
    }

    pub(crate) fn remember(&self, entry: Entry) {
        self.history.lock().unwrap().push(entry);
    }

    pub(crate) fn history(&self) -> Vec<Entry> {
        self.history.lock().unwrap().clone()
    }

    /// Asks again, with the same keys, what is not known yet. Answers how many are still open.
    pub(crate) async fn resolve(&self, address: SocketAddr) -> usize {
        let Ok(mut connection) = Connection::open(address).await else { return usize::MAX };
        let open: Vec<usize> = {
            let history = self.history.lock().unwrap();
            let open = history.iter().enumerate().filter(|(_, entry)| entry.is_unknown());
            open.map(|(index, _)| index).collect()
        };
        let mut left = open.len();
        for index in open {
            let asked = self.history.lock().unwrap()[index].asked.clone();
            let known = ask(&mut connection, &asked).await;
            if !matches!(known, Known::Unknown(_)) {
                left = left.saturating_sub(1);
            }
            let mut history = self.history.lock().unwrap();
            history[index].known = known;
            history[index].ended = Instant::now();
        }
        left
    }

    /// Opens a business: one room by the hour, one hall with classes of five seats.
    pub(crate) async fn open_business(&self, address: SocketAddr) -> Catalogue {
        let mut connection = Connection::open(address).await.unwrap();
        let first = first_start();
        let room = self.resource(&mut connection, "Room").await;
        let hall = self.resource(&mut connection, "Hall").await;
        let slots = self.offering(&mut connection, &room, "slot").await;
        let class = self.offering(&mut connection, &hall, "class").await;
        let mut sessions = Vec::new();
        for hour in (0..12).step_by(2) {
            let starts_at = first.plus(Duration::from_hours(hour)).to_string();
            let body = json!({"starts_at": starts_at, "zone": "UTC"});
            let path = format!("/v1/offerings/{class}/sessions");
            sessions.push(self.provide(&mut connection, ("POST", path), &body).await);
        }
        Catalogue { slots, class, sessions, first }
    }

    pub(crate) async fn resource(&self, connection: &mut Connection, name: &str) -> String {
        let body = json!({"display_name": name, "zone": "UTC"});
        let id = self.provide(connection, ("POST", "/v1/resources".to_owned()), &body).await;
        let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let hours = days.iter().flat_map(|day| {
            let from_to = [("00:00", "12:00"), ("12:00", "00:00")];
            from_to.map(|(from, to)| json!({"day": day, "from": from, "to": to}))
        });
        let body = json!({"weekly": hours.collect::<Vec<_>>()});
        self.provide(connection, ("PUT", format!("/v1/resources/{id}/schedule")), &body).await;
        id
    }

    pub(crate) async fn offering(
        &self,
        connection: &mut Connection,
        resource: &str,
        kind: &str,
    ) -> String {
        let body = json!({
            "resource_id": resource,
            "title": "Something",
            "kind": kind,
            "duration_minutes": 60,
            "capacity": if kind == "class" { Some(5) } else { None },
            "price": {"amount": 10_000, "currency": "KRW"},
        });
        let id = self.provide(connection, ("POST", "/v1/offerings".to_owned()), &body).await;
        let path = format!("/v1/offerings/{id}/publish");
        self.provide(connection, ("POST", path), &Value::Null).await;
        id
    }

    pub(crate) async fn provide(
        &self,
        connection: &mut Connection,
        route: (&'static str, String),
        body: &Value,
    ) -> String {
        let kind = if route.1.ends_with("publish") { Kind::Changes } else { Kind::Creates };
        let entry = self.command(kind, &self.provider, route, body);
        match self.send(connection, entry).await {
            Known::Acknowledged(answer) => {
                crate::history::json(&answer.body)["id"].as_str().unwrap().to_owned()
            }
            other @ (Known::Refused { .. } | Known::Unknown(_)) => {
                panic!("the business does not open: {other:?}")
            }
        }
    }
}

/// Sends a request and waits for its answer, not for ever.
pub(crate) async fn ask(connection: &mut Connection, asked: &Asked) -> Known {
    let answer = tokio::time::timeout(PATIENCE, connection.call(asked)).await;
    judge(answer.unwrap_or_else(|_too_long| Err(std::io::ErrorKind::TimedOut.into())))
}

/// The whole hour after next.
fn first_start() -> Timestamp {
    let hour = Duration::from_hours(1).as_micros();
    let hour = i64::try_from(hour).unwrap();
    let hours = SystemClock.now().micros().div_euclid(hour).saturating_add(2);
    Timestamp::from_micros(hours.saturating_mul(hour))
}
