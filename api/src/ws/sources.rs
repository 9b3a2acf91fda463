//! The two topics that do not come from the views' changes: every event of the log, and how far the
//! views are. Each subscriber reads them herself, as fast as she can send: they never overflow.

use std::time::Duration;

use holdfast_domain::log::{Position, StoredEvent};
use holdfast_domain::time::Timestamp;
use holdfast_projections::status::Status;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::time::Instant;

use super::frames::{Frame, Written};
use super::greeting::Greeting;

/// The name of the topic of every event.
pub const EVENTS: &str = "events";
/// The name of the topic of the views' progress.
pub const PROJECTIONS: &str = "projections";
/// The views' progress is told at most this often.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// Which events are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Stored names that begin like this.
    pub kind: Option<String>,
    /// This stream.
    pub stream: Option<String>,
}

impl Filter {
    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.kind.is_none() && self.stream.is_none()
    }

    /// Whether an event is wanted.
    pub fn wants(&self, event: &StoredEvent) -> bool {
        self.kind.as_ref().is_none_or(|start| event.name.starts_with(start.as_str()))
            && self.stream.as_ref().is_none_or(|name| event.stream == *name)
    }
}

/// A subscriber's way through the log.
#[derive(Debug)]
pub struct Events {
    /// Which events are wanted.
    pub filter: Filter,
    /// After this one; none before it is known where the log ends.
    pub after: Option<Position>,
    /// Whether there may be more to read.
    pub hungry: bool,
    /// What is said when it starts.
    pub greeting: Greeting,
}

/// An event as it is stored.
#[derive(Debug, Serialize)]
struct EventShown<'a> {
    stream: &'a str,
    revision: u64,
    position: Position,
    #[serde(rename = "type")]
    kind: &'a str,
    schema: u32,
    accepted_at: Timestamp,
    metadata: &'a RawValue,
    data: &'a RawValue,
    hash: String,
}

/// The frame of an event.
pub fn event_frame(event: &StoredEvent, cursor: Option<&str>) -> Result<Frame, serde_json::Error> {
    let shown = EventShown {
        stream: &event.stream,
        revision: event.revision.0,
        position: event.position,
        kind: &event.name,
        schema: event.schema,
        accepted_at: event.accepted_at,
        metadata: serde_json::from_slice(&event.metadata)?,
        data: serde_json::from_slice(&event.payload)?,
        hash: event.hash.to_string(),
    };
    let data = serde_json::value::to_raw_value(&shown)?;
    let written = Written::new(&event.stream, event.position, Some(&data));
    Ok(Frame::change(EVENTS, cursor, &written, cursor.map(str::to_owned)))
}

/// How far the views are, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusShown {
    position: Position,
    head: Option<Position>,
    lag: Option<u64>,
    parked: u64,
    halted: Option<String>,
    trouble: Option<String>,
    building: Vec<Building>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Building {
    view: String,
    position: Position,
}

impl StatusShown {
    fn of(status: &Status) -> Self {
        let building = status
            .building
            .iter()
            .map(|(view, position)| Building { view: view.clone(), position: *position });
        Self {
            position: status.position,
            head: status.head,
            lag: status.lag(),
            parked: status.parked,
            halted: status.halted.clone(),
            trouble: status.trouble.clone(),
            building: building.collect(),
        }
    }

    /// How far the views are.
    pub const fn position(&self) -> Position {
        self.position
    }
}

/// The views' progress as one subscriber follows it.
#[derive(Debug)]
pub struct Progress {
    status: watch::Receiver<Status>,
    told: Option<StatusShown>,
    not_before: Instant,
}

impl Progress {
    /// From now on; the present state is told first.
    pub fn new(mut status: watch::Receiver<Status>) -> Self {
        status.mark_changed();
        Self { status, told: None, not_before: Instant::now() }
    }

    /// Returns when there may be something to tell, at most once a second.
    pub async fn moved(&mut self) {
        tokio::time::sleep_until(self.not_before).await;
        if self.status.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What is to be told now, if anything differs from what was told last.
    pub fn news(&mut self) -> Option<StatusShown> {
        if Instant::now() < self.not_before {
            return None;
        }
        let now = StatusShown::of(&self.status.borrow_and_update());
        if self.told.as_ref() == Some(&now) {
            return None;
        }
        self.not_before = Instant::now().checked_add(STATUS_EVERY).unwrap_or(self.not_before);
        self.told = Some(now.clone());
        Some(now)
    }
}

/// The frame of the views' progress.
pub fn status_frame(status: &StatusShown, cursor: Option<&str>) -> Option<Frame> {
    let data = serde_json::value::to_raw_value(status).ok()?;
    let written = Written::new("views", status.position, Some(&data));
    Some(Frame::change(PROJECTIONS, cursor, &written, cursor.map(str::to_owned)))
}
