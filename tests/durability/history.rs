//! What clients saw: each command with its key, and the answer, or that there was none. A client's
//! memory survives the server, so it is what the log is held against.

use std::time::Instant;

use holdfast_domain::ids::{CommandId, PrincipalId};
use serde_json::Value;

use crate::http::{Answer, Asked};

/// What a command does when it succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Makes something new: exactly one append.
    Creates,
    /// Changes something, or finds that it is so: at most one append.
    Changes,
    /// Pays: its own append holds the intent, the outcome comes in another.
    Pays,
}

/// What a client knows about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// It was done.
    Acknowledged(Answer),
    /// It was refused for good.
    Refused { status: u16, code: String },
    /// Nobody said.
    Unknown(String),
}

impl Known {
    /// Whether the server said anything at all.
    pub(crate) fn has_status(&self) -> bool {
        match self {
            Self::Acknowledged(_) | Self::Refused { .. } => true,
            Self::Unknown(why) => why.starts_with("status ") || NOT_DEFINITE.contains(&&**why),
        }
    }
}

/// One command.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) principal: PrincipalId,
    pub(crate) asked: Asked,
    pub(crate) began: Instant,
    /// When it was last known better.
    pub(crate) ended: Instant,
    pub(crate) known: Known,
    /// Whether the first copy had no clear answer, and a later one had to ask.
    pub(crate) was_unclear: bool,
}

impl Entry {
    /// The name under which the engine remembers it.
    pub(crate) fn command(&self) -> CommandId {
        let path = self.asked.path.split('?').next().unwrap_or_default();
        CommandId::of_request(self.principal, self.asked.method, path, &self.asked.key)
    }

    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self.known, Known::Unknown(_))
    }
}

/// Codes that promise nothing: the same command again may succeed.
const NOT_DEFINITE: [&str; 3] = ["request_in_flight", "version_conflict", "rate_limited"];

/// What an answer, or its absence, tells the client.
pub(crate) fn judge(answer: std::io::Result<Answer>) -> Known {
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return Known::Unknown(why.to_string()),
    };
    match answer.status {
        200 | 201 => Known::Acknowledged(answer),
        400..500 => {
            let code = json(&answer.body)["code"].as_str().unwrap_or_default().to_owned();
            if NOT_DEFINITE.contains(&code.as_str()) {
                Known::Unknown(code)
            } else {
                Known::Refused { status: answer.status, code }
            }
        }
        status => Known::Unknown(format!("status {status}")),
    }
}

/// A body as JSON; what is none is null.
pub(crate) fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}
