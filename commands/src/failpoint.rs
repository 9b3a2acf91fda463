//! Named places at which a test lets the process die, to prove that what was acknowledged
//! survives and what was not is absent. In a release build they are nothing.
//!
//! `HOLDFAST_CRASH_AT=name:nth` aborts at the nth hit of that name. `HOLDFAST_CRASH_LOG=file`
//! writes down each name once when it is hit, so that a test can compare this registry with the
//! places that were really reached. Deliberately not here: faults that return errors; those are
//! planted behind the ports.

/// Every name there is.
pub const REGISTRY: &[&str] = &[
    "cmd.decided",
    "store.before_begin",
    "store.after_insert_event",
    "store.after_insert_idem",
    "store.before_commit",
    "store.after_commit",
    "reply.before_write",
    "proj.apply",
    "proj.before_commit",
    "proj.after_commit",
    "hub.enqueue",
    "saga.before_call",
    "saga.after_call",
    "saga.recorded",
];

/// Passes the place `name`, or dies there when the environment says so.
#[cfg(debug_assertions)]
pub fn hit(name: &'static str) {
    armed::hit(name);
}

/// Passes the place `name`.
#[cfg(not(debug_assertions))]
#[inline(always)]
#[expect(clippy::inline_always, reason = "a release build has no failpoints at all")]
pub fn hit(_name: &'static str) {}

#[cfg(debug_assertions)]
mod armed {
    //! What the environment asked for, read once.

    use std::collections::BTreeSet;
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Mutex, OnceLock, PoisonError};

    #[derive(Debug)]
    struct Orders {
        crash_at: Option<(String, u64)>,
        hits: AtomicU64,
        log: Option<Mutex<(File, BTreeSet<&'static str>)>>,
    }

    static ORDERS: OnceLock<Orders> = OnceLock::new();

    #[expect(
        clippy::disallowed_methods,
        reason = "an order to crash is no configuration: it exists in debug builds only"
    )]
    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn orders() -> Orders {
        let crash_at = variable("HOLDFAST_CRASH_AT").and_then(|order| {
            let (name, nth) = order.rsplit_once(':')?;
            Some((name.to_owned(), nth.parse().ok()?))
        });
        let log = variable("HOLDFAST_CRASH_LOG")
            .and_then(|path| OpenOptions::new().append(true).create(true).open(path).ok())
            .map(|file| Mutex::new((file, BTreeSet::new())));
        Orders { crash_at, hits: AtomicU64::new(0), log }
    }

    pub(super) fn hit(name: &'static str) {
        let orders = ORDERS.get_or_init(orders);
        if let Some(log) = &orders.log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            if log.1.insert(name) {
                // A log that cannot be written shows as a name that was not reached.
                let _unwritten = writeln!(log.0, "{name}");
            }
        }
        if let Some((wanted, nth)) = &orders.crash_at
            && wanted == name
            && orders.hits.fetch_add(1, Ordering::SeqCst).saturating_add(1) == *nth
        {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_an_unarmed_place_is_passed() {
        let unique: std::collections::BTreeSet<_> = REGISTRY.iter().collect();
        assert_eq!(unique.len(), REGISTRY.len());
        for name in REGISTRY {
            hit(name);
        }
    }
}
