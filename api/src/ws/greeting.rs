//! What a subscriber is told of her topics when they start, or when some of what they had to tell
//! was lost.

use holdfast_domain::log::Position;

use super::frames::Frame;

/// What is said when a group has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// It listens.
    Subscribed,
    /// It listens, and what was missed cannot be told.
    SubscribedAnew,
    /// What was missed cannot be told.
    Resync,
}

/// The frames that say it, topic by topic; with `id`, a client of a stream comes back to here.
pub fn greeted(
    greeting: Greeting,
    names: &[&String],
    position: Position,
    id: Option<&str>,
) -> Vec<Frame> {
    let (subscribed, resync) = match greeting {
        Greeting::Subscribed => (true, false),
        Greeting::SubscribedAnew => (true, true),
        Greeting::Resync => (false, true),
    };
    let id = id.map(str::to_owned);
    let mut frames = Vec::new();
    for name in names {
        if subscribed {
            frames.push(Frame::subscribed(name, position, id.clone()));
        }
        if resync {
            frames.push(Frame::resync(name, id.clone()));
        }
    }
    frames
}
