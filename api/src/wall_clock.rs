//! The machine's clock, for what must follow it whatever the engine's clock says: the lifetimes of
//! tokens and cursors. Rules of the domain are judged by the engine's `Clock` port, never by this.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "token lifetimes stay on the machine's clock")]
pub fn unix_seconds() -> u64 {
    // A clock before 1970 makes every token look not yet expired by 0 seconds; nothing overflows.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
