//! One subscriber: her topics, what she has heard of each, and the next frame for her. The same for
//! sockets and for server-sent events; how frames travel is theirs.

mod asking;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use holdfast_projections::reader::News;

use super::frames::Frame;
use super::greeting::Greeting;
use super::group::{Group, Listener, Work};
use super::hub::Registration;
use super::line::Line;
use super::mailbox::{Mailbox, WAITING_MAX};
use super::reading::{Found, PAGE, read};
use super::sockets::Permit;
use super::topics::{Subject, may_hear};
use crate::auth::Caller;
use crate::problems::Code;
use crate::state::State;

/// So many changes are taken from the mailbox at once: their frames are written for one who may not
/// read, so few.
const TAKEN: usize = 16;
/// The pause after a failed read.
const PAUSE: Duration = Duration::from_millis(500);
/// After so many failed reads in a row the subscription ends.
const FAILURES_MAX: u32 = 8;

pub use asking::Ask;

/// One subscriber.
#[derive(Debug)]
pub struct Subscriber {
    state: Data<State>,
    caller: Caller,
    registration: Registration,
    groups: BTreeMap<String, Group>,
    ready: VecDeque<Frame>,
    /// The group that was read for last, so that each has its turn.
    last_read: String,
    failures: u32,
    cut: bool,
    _permit: Permit,
}

impl Subscriber {
    /// Without a topic yet. `None`: the caller has as many sockets as she may have.
    pub fn new(state: &Data<State>, caller: Caller, line: Option<Arc<Line>>) -> Option<Self> {
        let permit = state.pushes.sockets.permit(caller.principal)?;
        let mailbox = Arc::new(Mailbox::new(WAITING_MAX, state.metrics.sockets.clone(), line));
        Some(Self {
            registration: state.pushes.hub.register(mailbox),
            state: Data::clone(state),
            caller,
            groups: BTreeMap::new(),
            ready: VecDeque::new(),
            last_read: String::new(),
            failures: 0,
            cut: false,
            _permit: permit,
        })
    }

    /// Who listens.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    fn listener(&self) -> Listener<'_> {
        listener(&self.state, &self.caller)
    }

    /// Hears no more of a topic.
    pub fn unsubscribe(&mut self, name: &str) {
        if let Some(group) = self.groups.remove(name) {
            let topics: Vec<_> = group.topics.keys().copied().collect();
            self.registration.ignore(&topics);
        }
    }

    /// Takes a fresh token of the same principal.
    pub fn renew(&mut self, caller: Caller) -> bool {
        let same = caller.principal == self.caller.principal;
        if same {
            self.caller = caller;
        }
        same
    }

    /// Looks whether the caller may still hear what she hears; a right that is lost ends its group.
    pub async fn review(&mut self) {
        let names: BTreeSet<_> = self.groups.keys().cloned().collect();
        for group in names {
            let Some(topics) = self.groups.get(&group).map(Group::names) else { continue };
            for name in topics {
                let Some(subject) = Subject::read(&name, self.caller.principal) else { continue };
                // What cannot be judged now is judged at the next review.
                if let Ok(false) = may_hear(&self.state, &self.caller, subject).await {
                    self.ready.push_back(Frame::error(Code::Forbidden, Some(&name)));
                    self.unsubscribe(&group);
                }
            }
        }
    }

    /// Where to go on with each topic, for one who is about to be cut off.
    pub fn bookmarks(&self) -> Vec<Frame> {
        let listener = self.listener();
        self.groups.values().flat_map(|group| group.bookmarks(&listener)).collect()
    }

    /// Whether nothing is heard at all.
    pub fn is_idle(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether there are frames that need not be waited for.
    pub fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }

    /// A frame that need not be waited for.
    pub fn ready(&mut self) -> Option<Frame> {
        let frame = self.ready.pop_front()?;
        self.state.metrics.sockets.frames.inc();
        Some(frame)
    }

    /// Ends the connection at once, whatever is still on its way.
    pub fn cut_line(&self) {
        self.registration.mailbox().cut_line();
    }

    /// The next frame; `None` when the hub has given this subscriber up. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.ready() {
                return Some(frame);
            }
            if self.cut {
                return None;
            }
            let heard = self.hear();
            let read = self.read_some().await;
            if !heard && !read && self.ready.is_empty() && !self.cut {
                self.wait().await;
            }
        }
    }

    /// Takes in what the hub has told. Answers whether it told anything.
    fn hear(&mut self) -> bool {
        let taken = self.registration.mailbox().take(TAKEN, Instant::now());
        self.cut = taken.cut;
        let listener = listener(&self.state, &self.caller);
        if !taken.lost.is_empty() {
            for group in self.groups.values_mut() {
                if group.topics.keys().any(|topic| taken.lost.contains(topic)) {
                    self.state.metrics.sockets.resyncs.inc();
                    group.lost();
                }
            }
        }
        for change in &taken.changes {
            for group in self.groups.values_mut() {
                self.ready.extend(group.told(change, &listener));
            }
        }
        for group in self.groups.values_mut() {
            self.ready.extend(group.progressed(&listener));
        }
        !taken.is_empty()
    }

    /// The next group in turn that has something to read.
    fn turn(&self) -> Option<(String, Work)> {
        let work = |(name, group): (&String, &Group)| Some((name.clone(), group.work()?));
        let later = self.groups.range::<str, _>((
            std::ops::Bound::Excluded(self.last_read.as_str()),
            std::ops::Bound::Unbounded,
        ));
        later.chain(self.groups.iter()).find_map(work)
    }

    /// Reads a page for one group. Answers whether there was anything to read.
    async fn read_some(&mut self) -> bool {
        let Some((name, work)) = self.turn() else { return false };
        let found = read(&self.state.node, &work).await;
        match found {
            Ok(found) => {
                self.failures = 0;
                self.take_in(&name, found);
            }
            Err(why) => {
                tracing::warn!(%why, "pushes cannot be read now; trying again");
                if self.failures < FAILURES_MAX {
                    tokio::time::sleep(PAUSE).await;
                    self.failures = self.failures.saturating_add(1);
                } else {
                    self.give_up(&name, Code::Unavailable);
                }
            }
        }
        self.last_read = name;
        true
    }

    fn take_in(&mut self, name: &str, found: Found) {
        let listener = listener(&self.state, &self.caller);
        let Some(group) = self.groups.get_mut(name) else { return };
        let frames = match found {
            Found::Now(now) => group.starts_at(now, &listener),
            Found::Changes(News::Changes(page)) => {
                let complete = (page.changes.len() < PAGE).then_some(page.now);
                group.read(page.changes, complete, &listener)
            }
            Found::Changes(News::Resync { now }) => {
                self.state.metrics.sockets.resyncs.inc();
                group.greeting = Greeting::Resync;
                group.starts_at(now, &listener)
            }
            Found::Head(head) => group.log_ends_at(head, &listener),
            Found::Events(page) => match group.events_read(&page, &listener) {
                Ok(frames) => frames,
                Err(why) => {
                    tracing::error!(%why, "a stored event is no JSON");
                    self.give_up(name, Code::Internal);
                    return;
                }
            },
        };
        self.ready.extend(frames);
    }

    fn give_up(&mut self, name: &str, code: Code) {
        let names = self.groups.get(name).map(Group::names).unwrap_or_default();
        self.ready.extend(names.iter().map(|topic| Frame::error(code, Some(topic))));
        self.unsubscribe(name);
    }

    /// Waits until there may be something new.
    async fn wait(&mut self) {
        let (mut events, mut progress) = (None, None);
        for group in self.groups.values_mut() {
            events = events.or(group.events.as_mut());
            progress = progress.or(group.progress.as_mut());
        }
        let feed = &self.state.node.feed;
        let appended = async {
            match events {
                Some(events) => {
                    feed.changed(events.after.unwrap_or_default()).await;
                    events.hungry = true;
                }
                None => std::future::pending().await,
            }
        };
        let progressed = async {
            match progress {
                Some(progress) => progress.moved().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.registration.mailbox().filled() => {}
            () = appended => {}
            () = progressed => {}
        }
    }
}

fn listener<'a>(state: &'a State, caller: &Caller) -> Listener<'a> {
    Listener { cursors: &state.cursors, principal: caller.principal, epoch: state.pushes.epoch }
}
