//! How a subscriber joins the live changes without a gap and without hearing a change twice. Pure:
//! it says what to read next and judges what arrives; reading and sending are the subscriber's.
//!
//! The order that makes it right: the subscriber is registered with the hub *first*, and reads the
//! store afterwards. What the hub tells while the store is still being read is ignored, because a
//! read that begins later finds it there. The read that finds nothing more says up to where it is
//! complete; what the hub tells after that place is delivered, and what it tells up to it is not.

use holdfast_projections::topic::Cursor;

/// Where a subscriber stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It does not know where it starts.
    Starting,
    /// It reads what it missed.
    CatchingUp,
    /// It hears what the hub tells.
    Live,
}

/// What has to be read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Where one stands who has read everything.
    Now,
    /// The changes after this place.
    After(Cursor),
    /// Nothing: the hub tells.
    Nothing,
}

/// One subscriber's way from the store to the live changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Join {
    delivered: Cursor,
    stage: Stage,
}

impl Join {
    /// For one who wants what comes from now on. Make it after the registration.
    pub const fn fresh() -> Self {
        Self { delivered: Cursor::START, stage: Stage::Starting }
    }

    /// For one who has heard everything up to `delivered`. Make it after the registration.
    pub const fn after(delivered: Cursor) -> Self {
        Self { delivered, stage: Stage::CatchingUp }
    }

    /// What has to be read next. Begin the read after what was heard so far was judged.
    pub const fn next(&self) -> Next {
        match self.stage {
            Stage::Starting => Next::Now,
            Stage::CatchingUp => Next::After(self.delivered),
            Stage::Live => Next::Nothing,
        }
    }

    /// Up to where the subscriber has heard everything.
    pub const fn delivered(&self) -> Cursor {
        self.delivered
    }

    /// Everything up to `now` is known to the subscriber, or it reads it again itself.
    pub fn starts_at(&mut self, now: Cursor) {
        self.delivered = now;
        self.stage = Stage::Live;
    }

    /// A change was read that the subscriber missed: it is delivered.
    pub fn caught(&mut self, cursor: Cursor) {
        self.delivered = self.delivered.max(cursor);
    }

    /// A read found nothing more up to `now`.
    pub fn complete(&mut self, now: Cursor) {
        self.delivered = self.delivered.max(now);
        self.stage = Stage::Live;
    }

    /// The hub tells of a change. Answers whether it is to be delivered now.
    pub fn told(&mut self, cursor: Cursor) -> bool {
        let deliver = self.stage == Stage::Live && cursor > self.delivered;
        if deliver {
            self.delivered = cursor;
        }
        deliver
    }

    /// Something that the hub told was lost on the way. Answers whether the subscriber has to be
    /// told to read again, which happens when it has started anew; one who still reads the store
    /// will find it there.
    pub fn lost(&mut self) -> bool {
        let heard = self.stage == Stage::Live;
        if heard {
            self.stage = Stage::Starting;
        }
        heard
    }
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
