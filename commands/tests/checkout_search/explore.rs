//! The search itself: breadth first, so that the way to a broken promise is a shortest one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use crate::fault::Fault;
use crate::marks::marks;
use crate::moves::moves;
use crate::promises::{bad, bad_at_rest};
use crate::setting::Setting;
use crate::start::start;

/// No world is larger.
const STATES_MAX: usize = 100_000;

/// What a search came by.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    /// States in which nothing more happens of itself.
    pub(crate) at_rest: usize,
    /// How many states are interesting, and why.
    pub(crate) marks: BTreeMap<&'static str, usize>,
    /// The promise that was broken, and how it came to it.
    pub(crate) violation: Option<(String, Vec<String>)>,
}

/// How each state was first reached.
type Seen = BTreeMap<u64, Option<(u64, String)>>;

/// Looks at every state that can be reached, until a promise is broken.
pub(crate) fn search(setting: Setting, fault: Fault) -> Found {
    let first = start(setting, fault);
    let mut found = Found::default();
    let mut seen = Seen::from([(first.key(), None)]);
    let mut queue = VecDeque::from([(first.key(), first)]);
    while let Some((key, node)) = queue.pop_front() {
        found.states += 1;
        assert!(found.states < STATES_MAX, "the search does not end");
        let mut next: Vec<_> = moves(&node).into_iter().map(|it| (it.after.key(), it)).collect();
        // What changes nothing does not happen.
        next.retain(|(after, it)| *after != key || it.after.complaint.is_some());
        let at_rest = !next.iter().any(|(_, it)| it.of_itself);
        let complaint = bad(&node).or_else(|| at_rest.then(|| bad_at_rest(&node)).flatten());
        if let Some(what) = complaint {
            found.violation = Some((what, path(&seen, key)));
            return found;
        }
        found.transitions += next.len();
        found.at_rest += usize::from(at_rest);
        for mark in marks(&node) {
            *found.marks.entry(mark).or_default() += 1;
        }
        for (after, it) in next {
            if let Entry::Vacant(unseen) = seen.entry(after) {
                unseen.insert(Some((key, it.label)));
                queue.push_back((after, it.after));
            }
        }
    }
    found
}

fn path(seen: &Seen, last: u64) -> Vec<String> {
    let mut steps = Vec::new();
    let mut key = last;
    while let Some(Some((before, label))) = seen.get(&key) {
        steps.push(label.clone());
        key = *before;
    }
    steps.reverse();
    steps
}
