//! A booking of a generated history, as far as it went.

use holdfast_domain::booking::Authority;
use holdfast_domain::booking::reservation::Reservation;
use holdfast_domain::ids::{HoldId, PaymentId, ReservationId};
use holdfast_domain::payment::Payment;
use holdfast_domain::time::Interval;

/// What the history knows of one booking.
#[derive(Debug, Clone)]
pub(super) struct Booked {
    pub(super) id: ReservationId,
    pub(super) payment: PaymentId,
    pub(super) authority: Authority,
    /// Its newest claim, and how many it had.
    pub(super) hold: HoldId,
    pub(super) holds: u32,
    pub(super) time: Interval,
    pub(super) reservation: Reservation,
    pub(super) account: Payment,
}
