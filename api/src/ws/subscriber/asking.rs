//! How a subscription begins: what is asked, whether it may be, and from where on. What is heard
//! afterwards is the subscriber's.

use std::collections::BTreeMap;

use holdfast_projections::topic::Topic;

use super::{Subscriber, listener};
use crate::http::problem::Problem;
use crate::problems::Code;
use crate::ws::frames::Frame;
use crate::ws::greeting::Greeting;
use crate::ws::group::Group;
use crate::ws::join::Join;
use crate::ws::place::Place;
use crate::ws::sources::{Events, Filter, PROJECTIONS, Progress};
use crate::ws::topics::{Subject, may_hear};

/// What a subscriber wants to hear.
#[derive(Debug, Default)]
pub struct Ask {
    /// These topics, under one cursor.
    pub topics: Vec<String>,
    /// From this cursor on.
    pub from: Option<String>,
    /// Of the events, only these.
    pub filter: Filter,
}

impl Subscriber {
    /// Hears of these topics from now on, or says why not.
    pub async fn subscribe(&mut self, ask: Ask) -> Result<(), Problem> {
        let mut subjects = Vec::new();
        for name in &ask.topics {
            let subject = Subject::read(name, self.caller.principal);
            subjects.push((name.clone(), subject.ok_or(Problem::new(Code::UnknownTopic))?));
        }
        let hears_events = subjects.iter().any(|(_, subject)| *subject == Subject::Events);
        if !ask.filter.is_empty() && !hears_events {
            return Err(Problem::new(Code::InvalidBody).detail("Only `events` can be filtered."));
        }
        for (_, subject) in &subjects {
            if !may_hear(&self.state, &self.caller, *subject).await? {
                return Err(Code::Forbidden.into());
            }
        }
        let name = ask.topics.join(",");
        let others = self.groups.values().filter(|group| group.name != name);
        let heard: usize = others.map(|group| group.names().len()).sum();
        let most = self.state.config.limits.subscriptions_per_socket_max;
        if heard.saturating_add(subjects.len()) > most {
            return Err(Code::TooManySubscriptions.into());
        }
        let from = match &ask.from {
            None => None,
            Some(text) => {
                let cursors = &self.state.cursors;
                Some(Place::open(cursors, self.caller.principal, &name, text)?)
            }
        };
        self.start(name, subjects, from, ask.filter).await
    }

    async fn start(
        &mut self,
        name: String,
        subjects: Vec<(String, Subject)>,
        from: Option<Place>,
        filter: Filter,
    ) -> Result<(), Problem> {
        let (from, greeting) = match from {
            None => (None, Greeting::Subscribed),
            Some(place) if self.is_of_this_log(&place).await? => {
                (Some(place), Greeting::Subscribed)
            }
            Some(_elsewhere) => (None, Greeting::SubscribedAnew),
        };
        self.unsubscribe(&name);
        let mut group = Group {
            name: name.clone(),
            topics: BTreeMap::new(),
            join: None,
            events: None,
            progress: None,
            greeting,
        };
        for (name, subject) in subjects {
            match subject {
                Subject::Changes(topic) => drop(group.topics.insert(topic, name)),
                Subject::Events => {
                    let after = from.and_then(|place| place.events);
                    let filter = filter.clone();
                    group.events = Some(Events { filter, after, hungry: true, greeting });
                }
                Subject::Projections => {
                    group.progress = Some(Progress::new(self.state.node.reader.watch_status()));
                }
            }
        }
        let topics: Vec<Topic> = group.topics.keys().copied().collect();
        // First the hub, then the store: see the join.
        self.registration.listen(&topics);
        let changes = from.map(|place| place.changes);
        group.join = match changes {
            _ if topics.is_empty() => None,
            Some(Some(cursor)) => Some(Join::after(cursor)),
            Some(None) | None => Some(Join::fresh()),
        };
        self.greet(&mut group, from.is_some());
        self.groups.insert(name, group);
        Ok(())
    }

    /// Says at once what need not be read first.
    fn greet(&mut self, group: &mut Group, resumed: bool) {
        let listener = listener(&self.state, &self.caller);
        if resumed {
            self.ready.extend(group.resumes(&listener));
            let after = group.events.as_ref().and_then(|events| events.after);
            self.ready.extend(after.into_iter().flat_map(|at| group.log_ends_at(at, &listener)));
        }
        if group.progress.is_some() {
            let (position, id) = (self.state.node.reader.position(), group.cursor(&listener));
            self.ready.push_back(Frame::subscribed(PROJECTIONS, position, id));
        }
        if resumed {
            // From now on there is nothing to greet for; what is lost later is said then.
            group.greeting = Greeting::Resync;
        }
    }

    /// A place from before a restore, or beyond what there is, cannot be gone on from.
    async fn is_of_this_log(&self, place: &Place) -> Result<bool, Problem> {
        let node = &self.state.node;
        let views = node.reader.now().await?;
        let log = node.feed.head().await.map_err(Problem::unavailable)?;
        Ok(place.epoch == self.state.pushes.epoch
            && place.changes.is_none_or(|changes| changes.position <= views.position)
            && place.events.is_none_or(|events| events <= log.position))
    }
}
