//! Leases where one process has the store for itself: shared in memory between the nodes of a test,
//! or always granted to the only node that there is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_domain::log::Pending;
use holdfast_projections::leases::{Lease, Leases, LeasesUnavailable, Taken};

/// What a lease looks like inside.
#[derive(Debug, Clone)]
struct Row {
    holder: String,
    fence: u64,
    until: Duration,
}

/// Says what time it is, from any start. It may be made to stand still, jump and go back.
pub type StoreTime = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Leases in memory. Clones share them.
#[derive(Clone)]
pub struct MemoryLeases {
    rows: Arc<Mutex<BTreeMap<String, Row>>>,
    now: StoreTime,
}

impl fmt::Debug for MemoryLeases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLeases").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl MemoryLeases {
    /// None yet, judged by this clock.
    pub fn new(now: StoreTime) -> Self {
        Self { rows: Arc::default(), now }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<String, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leases for MemoryLeases {
    fn take(
        &self,
        name: String,
        holder: String,
        term: Duration,
    ) -> Pending<'_, Result<Taken, LeasesUnavailable>> {
        let now = (self.now)();
        let until = now.saturating_add(term);
        let mut rows = self.rows();
        let known = rows.get(&name).cloned();
        let stands = known.as_ref().filter(|row| row.until > now && row.until <= until);
        let fence = match stands {
            Some(row) if row.holder != holder => {
                let lease = lease(&name, row, now);
                return ready(Ok(Taken::ByAnother(lease)));
            }
            Some(row) => row.fence,
            None => known.map_or(0, |row| row.fence).saturating_add(1),
        };
        rows.insert(name, Row { holder, fence, until });
        ready(Ok(Taken::Held { fence }))
    }

    fn release(&self, name: String, holder: String) -> Pending<'_, Result<(), LeasesUnavailable>> {
        if let Some(row) = self.rows().get_mut(&name).filter(|row| row.holder == holder) {
            // The row stays for its number.
            row.until = Duration::ZERO;
        }
        ready(Ok(()))
    }

    fn forget(
        &self,
        prefix: String,
        unused: Duration,
    ) -> Pending<'_, Result<(), LeasesUnavailable>> {
        let before = (self.now)().saturating_sub(unused);
        self.rows().retain(|name, row| !name.starts_with(&prefix) || row.until >= before);
        ready(Ok(()))
    }

    fn list(&self) -> Pending<'_, Result<Vec<Lease>, LeasesUnavailable>> {
        let (now, rows) = ((self.now)(), self.rows());
        let standing = rows.iter().filter(|(_, row)| row.until > now);
        ready(Ok(standing.map(|(name, row)| lease(name, row, now)).collect()))
    }
}

fn lease(name: &str, row: &Row, now: Duration) -> Lease {
    let remaining = row.until.saturating_sub(now);
    Lease { name: name.to_owned(), holder: row.holder.clone(), fence: row.fence, remaining }
}

/// Leases of a store that only one process can open: whatever it asks for is its own.
#[derive(Debug, Clone, Default)]
pub struct OnlyNode {
    granted: Arc<Mutex<BTreeMap<String, (String, Duration)>>>,
}

impl OnlyNode {
    /// Nothing granted yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn granted(&self) -> MutexGuard<'_, BTreeMap<String, (String, Duration)>> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leases for OnlyNode {
    fn take(
        &self,
        name: String,
        holder: String,
        term: Duration,
    ) -> Pending<'_, Result<Taken, LeasesUnavailable>> {
        self.granted().insert(name, (holder, term));
        ready(Ok(Taken::Held { fence: 1 }))
    }

    fn release(&self, name: String, _holder: String) -> Pending<'_, Result<(), LeasesUnavailable>> {
        self.granted().remove(&name);
        ready(Ok(()))
    }

    fn forget(
        &self,
        _prefix: String,
        _unused: Duration,
    ) -> Pending<'_, Result<(), LeasesUnavailable>> {
        // What was given back is not here any more, and the rest ends with the process.
        ready(Ok(()))
    }

    fn list(&self) -> Pending<'_, Result<Vec<Lease>, LeasesUnavailable>> {
        let granted = self.granted();
        let all = granted.iter().map(|(name, (holder, remaining))| Lease {
            name: name.clone(),
            holder: holder.clone(),
            fence: 1,
            remaining: *remaining,
        });
        ready(Ok(all.collect()))
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> Pending<'a, T> {
    Box::pin(std::future::ready(value))
}
