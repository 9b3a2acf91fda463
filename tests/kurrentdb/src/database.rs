//! What the double keeps: records in one order, streams by name. Written from the documentation of
//! the protocol and from what its clients' own tests expect; durable for as long as the test runs.

use std::collections::BTreeMap;

use bytes::Bytes;
use uuid::Uuid;

/// How much of the log a record takes beside its bytes: positions have gaps, as on a disk.
const OVERHEAD: u64 = 150;
/// How many of a stream's newest events are looked at for repetitions without an exact revision.
const RECENT: usize = 1_000;

/// An event as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) position: u64,
    pub(crate) stream: String,
    pub(crate) revision: u64,
    pub(crate) id: Uuid,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) custom_metadata: Bytes,
    pub(crate) data: Bytes,
}

impl Record {
    pub(crate) fn event_type(&self) -> &str {
        self.metadata.get("type").map_or("", String::as_str)
    }
}

/// An event that is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub(crate) id: Uuid,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) custom_metadata: Bytes,
    pub(crate) data: Bytes,
}

impl New {
    fn system(event_type: &str, data: String) -> Self {
        let metadata = BTreeMap::from([
            ("type".to_owned(), event_type.to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ]);
        Self { id: Uuid::new_v4(), metadata, custom_metadata: Bytes::new(), data: data.into() }
    }
}

/// What a caller expects of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    Any,
    Exists,
    NoStream,
    Revision(u64),
}

/// Why a stream was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Its last revision; none when it is not there.
    Wrong(Option<u64>),
    /// It was tombstoned.
    Deleted,
}

/// Where an append stands: the stream's revision after it, and its last event's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stands {
    pub(crate) revision: Option<u64>,
    pub(crate) position: Option<u64>,
}

#[derive(Debug, Default)]
struct Stream {
    /// Where its records stand in the log, by revision.
    records: Vec<usize>,
    /// Events below are not seen any more.
    truncated_before: u64,
    tombstoned: bool,
}

impl Stream {
    fn last(&self) -> Option<u64> {
        u64::try_from(self.records.len()).unwrap().checked_sub(1)
    }

    fn is_seen(&self) -> bool {
        self.last().is_some_and(|last| last >= self.truncated_before)
    }
}

/// Every record and stream.
#[derive(Debug)]
pub(crate) struct Database {
    records: Vec<Record>,
    streams: BTreeMap<String, Stream>,
    end: u64,
    /// Whether what is appended is acknowledged and not kept.
    pub(crate) forgets: bool,
}

impl Database {
    /// With what a server writes for itself when it starts.
    pub(crate) fn new() -> Self {
        let (records, streams) = (Vec::new(), BTreeMap::new());
        let mut database = Self { records, streams, end: 0, forgets: false };
        database.write("$settings", vec![New::system("$UserCreated", "{}".to_owned())]);
        database
            .write("$stats-0.0.0.0:2113", vec![New::system("$statsCollected", "{}".to_owned())]);
        database
    }

    /// The position behind the last record.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// Appends, or recognises what was appended before.
    pub(crate) fn append(
        &mut self,
        name: &str,
        expect: Expect,
        events: Vec<New>,
    ) -> Result<Stands, Refused> {
        let none = Stream::default();
        let stream = self.streams.get(name).unwrap_or(&none);
        if stream.tombstoned {
            return Err(Refused::Deleted);
        }
        let last = stream.last();
        let fits = match expect {
            Expect::Any => true,
            Expect::Exists => stream.is_seen(),
            Expect::NoStream => !stream.is_seen(),
            Expect::Revision(revision) => last == Some(revision),
        };
        if let Some(stands) = self.repeated(stream, expect, &events, fits) {
            return Ok(stands);
        }
        if !fits {
            return Err(Refused::Wrong(stream.is_seen().then_some(last).flatten()));
        }
        if events.is_empty() {
            return Ok(Stands { revision: last, position: None });
        }
        let (kept, length) = (self.records.len(), stream.records.len());
        let stands = self.write(name, events);
        if self.forgets {
            self.records.truncate(kept);
            if let Some(stream) = self.streams.get_mut(name) {
                stream.records.truncate(length);
            }
        }
        Ok(stands)
    }

    /// Where these very events stand already: right behind the revision that is expected, or, when
    /// none is, among the newest.
    fn repeated(
        &self,
        stream: &Stream,
        expect: Expect,
        events: &[New],
        fits: bool,
    ) -> Option<Stands> {
        let from = match expect {
            Expect::Any | Expect::Exists => {
                let first = events.first()?.id;
                let skipped = stream.records.len().saturating_sub(RECENT);
                let recent = stream.records.iter().enumerate().skip(skipped);
                let mut found = recent.filter(|(_, at)| self.records[**at].id == first);
                found.next()?.0
            }
            Expect::NoStream | Expect::Revision(_) if fits => return None,
            Expect::NoStream => 0,
            Expect::Revision(revision) => usize::try_from(revision).unwrap().checked_add(1)?,
        };
        let standing = stream.records.get(from..from.checked_add(events.len())?)?;
        let same = standing.iter().zip(events).all(|(at, new)| self.records[*at].id == new.id);
        let last = standing.last().filter(|_| same)?;
        let record = &self.records[*last];
        Some(Stands { revision: Some(record.revision), position: Some(record.position) })
    }

    fn write(&mut self, name: &str, events: Vec<New>) -> Stands {
        let stream = self.streams.entry(name.to_owned()).or_default();
        if !stream.is_seen() {
            // What was deleted stays away; the numbers go on.
            stream.truncated_before = u64::try_from(stream.records.len()).unwrap();
        }
        let mut stands = Stands { revision: None, position: None };
        for New { id, metadata, custom_metadata, data } in events {
            let revision = u64::try_from(stream.records.len()).unwrap();
            let position = self.end;
            let bytes = name.len() + data.len() + custom_metadata.len();
            self.end += OVERHEAD + u64::try_from(bytes).unwrap();
            stream.records.push(self.records.len());
            let stream = name.to_owned();
            self.records.push(Record {
                position,
                stream,
                revision,
                id,
                metadata,
                custom_metadata,
                data,
            });
            stands = Stands { revision: Some(revision), position: Some(position) };
        }
        stands
    }

    /// Deletes a stream for now, or for ever.
    pub(crate) fn remove(
        &mut self,
        name: &str,
        expect: Expect,
        for_ever: bool,
    ) -> Result<u64, Refused> {
        let none = Stream::default();
        let stream = self.streams.get(name).unwrap_or(&none);
        if stream.tombstoned {
            return Err(Refused::Deleted);
        }
        let current = stream.is_seen().then(|| stream.last()).flatten();
        let fits = match expect {
            Expect::Any => for_ever || current.is_some(),
            Expect::Exists => current.is_some(),
            Expect::NoStream => current.is_none(),
            Expect::Revision(revision) => current == Some(revision),
        };
        if !fits {
            return Err(Refused::Wrong(current));
        }
        let stands = if for_ever {
            let stands = self.write(name, vec![New::system("$streamDeleted", "{}".to_owned())]);
            self.streams.get_mut(name).unwrap().tombstoned = true;
            stands
        } else {
            let all = "{\"$tb\":9223372036854775807}".to_owned();
            let stands = self.write(&format!("$${name}"), vec![New::system("$metadata", all)]);
            self.streams.entry(name.to_owned()).or_default().truncated_before = u64::MAX;
            stands
        };
        Ok(stands.position.unwrap())
    }

    /// The records of a stream that are seen, oldest first; none when there is no such stream.
    pub(crate) fn stream(&self, name: &str) -> Result<Option<Vec<&Record>>, Refused> {
        let Some(stream) = self.streams.get(name) else { return Ok(None) };
        if stream.tombstoned {
            return Err(Refused::Deleted);
        }
        let from = usize::try_from(stream.truncated_before).unwrap_or(usize::MAX);
        let seen = stream.records.get(from..).filter(|seen| !seen.is_empty());
        Ok(seen.map(|seen| seen.iter().map(|at| &self.records[*at]).collect()))
    }

    /// Every record at or behind a position.
    pub(crate) fn from(&self, position: u64) -> &[Record] {
        let at = self.records.partition_point(|record| record.position < position);
        &self.records[at..]
    }

    /// Every record before a position.
    pub(crate) fn before(&self, position: u64) -> &[Record] {
        let at = self.records.partition_point(|record| record.position < position);
        &self.records[..at]
    }
}
