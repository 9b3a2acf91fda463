//! What clients note of each answer.

use std::sync::Mutex;
use std::time::Duration;

use holdfast_domain::ids::CommandId;

/// An answer, or that there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) asked: String,
    /// None is a read.
    pub(crate) command: Option<CommandId>,
    /// 0 when there was no answer at all.
    pub(crate) status: u16,
    /// A problem's code.
    pub(crate) code: String,
    pub(crate) says_when: bool,
    pub(crate) took: Duration,
    /// What the answer names.
    pub(crate) position: Option<u64>,
    /// What the read asked for at least.
    pub(crate) wanted: Option<u64>,
}

/// Codes that promise nothing: the same command again may succeed.
const NOT_DEFINITE: [&str; 3] = ["request_in_flight", "version_conflict", "rate_limited"];

impl Note {
    /// Whether the same request again gets the same answer.
    pub(crate) fn is_definite(&self) -> bool {
        match self.status {
            200 | 201 => true,
            400..500 => !NOT_DEFINITE.contains(&self.code.as_str()),
            _ => false,
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        matches!(self.status, 200 | 201)
    }
}

/// The notes of all clients, and what they saw that cannot be.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<(Vec<Note>, Vec<String>)>);

impl Notes {
    pub(crate) fn add(&self, note: Note) {
        self.0.lock().unwrap().0.push(note);
    }

    pub(crate) fn complain(&self, why: String) {
        self.0.lock().unwrap().1.push(why);
    }

    /// Takes everything out.
    pub(crate) fn take(&self) -> (Vec<Note>, Vec<String>) {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}
