//! How a socket ends: the reasons, what of them the peer is told, and how long that may take. The
//! order of things on a socket is [`super::session`].

use std::io::ErrorKind;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_ws::{CloseCode, ProtocolError};
use tokio::time::timeout;

/// How long a frame may take to leave.
const SEND_MAX: Duration = Duration::from_secs(5);
/// How long a farewell may take to leave when the node stops, or the peer is expected to read it.
pub(super) const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// The same for a peer that was too slow: long enough for one that wakes up, short enough that one
/// that does not is gone within ten seconds.
const FAREWELL_TO_THE_SLOW_MAX: Duration = Duration::from_secs(3);

/// Why a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The peer is gone or said so.
    Gone,
    /// For a reason that the peer is told.
    Closed(CloseCode, &'static str),
    /// The peer does not read.
    Slow,
    /// The hub has found that out, and has cut the line already.
    GivenUp,
    /// The node stops.
    Stopping,
}

impl End {
    /// How long the last words may take.
    pub(super) fn patience(self) -> Duration {
        if self == Self::Slow { FAREWELL_TO_THE_SLOW_MAX } else { FAREWELL_MAX }
    }
}

/// Sending waits while the peer does not read: not for ever.
pub(super) async fn in_time(
    sending: impl Future<Output = Result<(), actix_ws::Closed>>,
) -> Result<(), End> {
    match timeout(SEND_MAX, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_closed)) => Err(End::Gone),
        Err(_late) => Err(End::Slow),
    }
}

/// How a socket ends whose peer broke the rules of RFC 6455, or the limits.
pub(super) fn broken(why: &ProtocolError) -> End {
    match why {
        ProtocolError::Io(why) if why.kind() == ErrorKind::InvalidData => {
            End::Closed(CloseCode::Invalid, "text is UTF-8")
        }
        ProtocolError::Io(why) if of_the_connection(why) => End::Gone,
        // A frame that is too large, or the only other failure of its kind: fragments that are too
        // large together.
        ProtocolError::Overflow | ProtocolError::Io(_) => End::Closed(CloseCode::Size, "too large"),
        ProtocolError::UnmaskedFrame
        | ProtocolError::MaskedFrame
        | ProtocolError::InvalidOpcode(_)
        | ProtocolError::InvalidLength(_)
        | ProtocolError::BadOpCode
        | ProtocolError::ContinuationNotStarted
        | ProtocolError::ContinuationStarted
        | ProtocolError::ContinuationFragment(_) => {
            End::Closed(CloseCode::Protocol, "against the protocol")
        }
    }
}

fn of_the_connection(why: &std::io::Error) -> bool {
    why.get_ref().and_then(|why| why.downcast_ref::<PayloadError>()).is_some()
}
