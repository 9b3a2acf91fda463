//! The shares into which the work on reservations is divided between workers. A reservation always
//! falls into the same one. The division only avoids double work: what a step may do is decided by
//! the streams, whoever takes it.

use std::collections::BTreeMap;

use holdfast_domain::ids::ReservationId;
use tokio::sync::watch;

/// So many. The same on all nodes: it must not change while nodes of two releases run.
const COUNT: u128 = 8;

/// The share of a number.
fn name(number: u128) -> String {
    format!("processes/{number}")
}

/// All of them.
pub fn all() -> Vec<String> {
    (0..COUNT).map(name).collect()
}

/// The share that a reservation falls into. Ids end in random bits, so shares are of one size.
pub fn of(reservation: ReservationId) -> String {
    name(reservation.as_uuid().as_u128().checked_rem(COUNT).unwrap_or_default())
}

/// This worker's shares, by name, as they change.
#[derive(Debug, Clone, Default)]
pub struct Shares(Option<watch::Receiver<BTreeMap<String, u64>>>);

impl Shares {
    /// Every reservation, for ever: there is no other worker.
    pub const fn everything() -> Self {
        Self(None)
    }

    /// Those that the worker holds.
    pub const fn held(shares: watch::Receiver<BTreeMap<String, u64>>) -> Self {
        Self(Some(shares))
    }

    /// Whether a reservation is this worker's to advance.
    pub fn has(&self, reservation: ReservationId) -> bool {
        self.0.as_ref().is_none_or(|held| held.borrow().contains_key(&of(reservation)))
    }

    /// Returns when they have changed since the last call.
    pub async fn changed(&mut self) {
        let changed = match &mut self.0 {
            Some(held) => held.changed().await.is_ok(),
            None => false,
        };
        if !changed {
            // They never will.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_reservation_falls_into_one_of_the_shares_and_stays_there() {
        let shares = all();
        for number in 0..64_u128 {
            let id = ReservationId::from_uuid(Uuid::from_u128(0x018f_2a10 << 96 | number));
            assert!(shares.contains(&of(id)));
            assert_eq!(of(id), of(id));
        }
        // Written down: nodes of two releases must agree.
        let known = "018f2a10-7c5e-7000-8000-00000000000d".parse().unwrap();
        assert_eq!(of(known), "processes/5");
    }

    #[test]
    fn a_worker_has_what_it_holds() {
        let id = ReservationId::from_uuid(Uuid::from_u128(13));
        let held = watch::Sender::new(BTreeMap::new());
        let shares = Shares::held(held.subscribe());
        assert!(!shares.has(id));
        held.send_replace([("processes/5".to_owned(), 1)].into());
        assert!(shares.has(id));
        assert!(!shares.has(ReservationId::from_uuid(Uuid::from_u128(14))));
        assert!(Shares::everything().has(id));
    }
}
