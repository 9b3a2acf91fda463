//! Topics that share one cursor. A socket has a group for each topic; a stream of server-sent
//! events, whose clients remember one id, has one group for all of its topics. A group turns what
//! was read or told into frames; it reads nothing itself.

use std::collections::BTreeMap;

use holdfast_domain::ids::{Epoch, PrincipalId};
use holdfast_domain::log::{Position, StoredEvent};
use holdfast_projections::ports::Change;
use holdfast_projections::topic::{Cursor, Topic};

use super::frames::Frame;
use super::greeting::{Greeting, greeted};
use super::join::{Join, Next};
use super::place::Place;
use super::sources::{EVENTS, Events, PROJECTIONS, Progress, event_frame, status_frame};
use super::told::Told;
use crate::http::cursor::Cursors;

/// What has to be read for a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Where one stands who has read all changes.
    Now,
    /// The changes of these topics after this place.
    Changes(Vec<Topic>, Cursor),
    /// Where the log ends.
    Head,
    /// The events after this one.
    Events(Position),
}

/// Who hears, and how cursors are written for her.
#[derive(Debug, Clone, Copy)]
pub struct Listener<'a> {
    /// Writes cursors.
    pub cursors: &'a Cursors,
    /// For whom.
    pub principal: PrincipalId,
    /// In which life of the log.
    pub epoch: Epoch,
}

/// Topics that share one cursor.
#[derive(Debug)]
pub struct Group {
    /// Its topics in one canonical text: what its cursors are bound to.
    pub name: String,
    /// The topics of the views, with the names by which the client knows them.
    pub topics: BTreeMap<Topic, String>,
    /// How it joins their changes; none when it hears of no such topic.
    pub join: Option<Join>,
    /// The topic of every event.
    pub events: Option<Events>,
    /// The topic of the views' progress.
    pub progress: Option<Progress>,
    /// What is said when it has started: that it listens, or that its client must read again.
    pub greeting: Greeting,
}

impl Group {
    /// What has to be read next, if anything.
    pub fn work(&self) -> Option<Work> {
        match self.join.map_or(Next::Nothing, |join| join.next()) {
            Next::Now => return Some(Work::Now),
            Next::After(cursor) => {
                return Some(Work::Changes(self.topics.keys().copied().collect(), cursor));
            }
            Next::Nothing => {}
        }
        let events = self.events.as_ref().filter(|events| events.hungry)?;
        Some(events.after.map_or(Work::Head, Work::Events))
    }

    /// The names of all its topics.
    pub fn names(&self) -> Vec<String> {
        let events = self.events.iter().map(|_| EVENTS.to_owned());
        let progress = self.progress.iter().map(|_| PROJECTIONS.to_owned());
        self.topics.values().cloned().chain(events).chain(progress).collect()
    }

    /// Up to where it was heard, once that is known of every part.
    fn place(&self, listener: &Listener<'_>) -> Option<Place> {
        let starting = self.join.is_some_and(|join| join.next() == Next::Now)
            || self.events.as_ref().is_some_and(|events| events.after.is_none());
        (!starting).then(|| Place {
            epoch: listener.epoch,
            changes: self.join.map(|join| join.delivered()),
            events: self.events.as_ref().and_then(|events| events.after),
        })
    }

    /// The cursor of what was heard.
    pub fn cursor(&self, listener: &Listener<'_>) -> Option<String> {
        let place = self.place(listener)?;
        place.seal(listener.cursors, listener.principal, &self.name).ok()
    }

    /// Says of the topics of the views that they are heard, or must be read again.
    fn greet(&mut self, position: Position, listener: &Listener<'_>) -> Vec<Frame> {
        let id = self.cursor(listener);
        let greeting = std::mem::replace(&mut self.greeting, Greeting::Resync);
        let names: Vec<_> = self.topics.values().collect();
        greeted(greeting, &names, position, id.as_deref())
    }

    /// It starts here.
    pub fn starts_at(&mut self, now: Cursor, listener: &Listener<'_>) -> Vec<Frame> {
        if let Some(join) = &mut self.join {
            join.starts_at(now);
        }
        self.greet(now.position, listener)
    }

    /// It goes on from where it was heard: nothing is missing.
    pub fn resumes(&mut self, listener: &Listener<'_>) -> Vec<Frame> {
        let Some(join) = self.join else { return vec![] };
        self.greet(join.delivered().position, listener)
    }

    /// Changes that were missed; all of them up to `complete`, when that is known.
    pub fn read(
        &mut self,
        changes: Vec<Change>,
        complete: Option<Cursor>,
        listener: &Listener<'_>,
    ) -> Vec<Frame> {
        let mut frames = Vec::new();
        for change in changes {
            if let Some(join) = &mut self.join {
                join.caught(change.cursor);
            }
            frames.extend(self.frames(&change.into(), listener));
        }
        if let (Some(join), Some(now)) = (&mut self.join, complete) {
            join.complete(now);
        }
        frames
    }

    /// A change that the hub told.
    pub fn told(&mut self, told: &Told, listener: &Listener<'_>) -> Vec<Frame> {
        let concerned = told.topics.iter().any(|topic| self.topics.contains_key(topic));
        let deliver = concerned && self.join.as_mut().is_some_and(|join| join.told(told.cursor));
        if deliver { self.frames(told, listener) } else { vec![] }
    }

    /// Some of its topics lost changes on the way.
    pub fn lost(&mut self) {
        if let Some(join) = &mut self.join
            && join.lost()
        {
            self.greeting = Greeting::Resync;
        }
    }

    /// One frame for each of its topics that the change belongs to. Only the last carries the id:
    /// whoever has heard the first only must hear both again.
    fn frames(&self, told: &Told, listener: &Listener<'_>) -> Vec<Frame> {
        let cursor = self.cursor(listener);
        let names: Vec<_> = told.topics.iter().filter_map(|topic| self.topics.get(topic)).collect();
        let last = names.len().saturating_sub(1);
        let frames = names.iter().enumerate().map(|(index, topic)| {
            let id = cursor.clone().filter(|_| index == last);
            Frame::change(topic, cursor.as_deref(), &told.written, id)
        });
        frames.collect()
    }

    /// The log ends here: events are heard from now on.
    pub fn log_ends_at(&mut self, head: Position, listener: &Listener<'_>) -> Vec<Frame> {
        let Some(events) = &mut self.events else { return vec![] };
        events.after = Some(head);
        let greeting = events.greeting;
        let id = self.cursor(listener);
        greeted(greeting, &[&EVENTS.to_owned()], head, id.as_deref())
    }

    /// Events of the log; none when there are no more now.
    pub fn events_read(
        &mut self,
        page: &[StoredEvent],
        listener: &Listener<'_>,
    ) -> Result<Vec<Frame>, serde_json::Error> {
        let mut frames = Vec::new();
        for event in page {
            let Some(events) = &mut self.events else { break };
            events.after = Some(event.position);
            if events.filter.wants(event) {
                frames.push(event_frame(event, self.cursor(listener).as_deref())?);
            }
        }
        if let Some(events) = self.events.as_mut().filter(|_| page.is_empty()) {
            events.hungry = false;
        }
        Ok(frames)
    }

    /// How far the views are, if that is news.
    pub fn progressed(&mut self, listener: &Listener<'_>) -> Option<Frame> {
        let news = self.progress.as_mut()?.news()?;
        status_frame(&news, self.cursor(listener).as_deref())
    }

    /// Where to go on with each topic, for one who is about to be cut off.
    pub fn bookmarks(&self, listener: &Listener<'_>) -> Vec<Frame> {
        let Some((cursor, place)) = self.cursor(listener).zip(self.place(listener)) else {
            return vec![];
        };
        let position = place.changes.map(|changes| changes.position).or(place.events);
        let position = position.unwrap_or_default();
        self.names().iter().map(|name| Frame::closing(name, position, &cursor)).collect()
    }
}
