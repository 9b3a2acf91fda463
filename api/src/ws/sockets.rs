//! Who is connected: a bounded number of sockets and streams for each principal. A permit counts
//! until it is dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_domain::ids::PrincipalId;

use crate::metrics::SocketMetrics;

type Open = Arc<Mutex<BTreeMap<PrincipalId, usize>>>;

/// Counts sockets.
#[derive(Debug, Clone)]
pub struct Sockets {
    open: Open,
    each_max: usize,
    metrics: SocketMetrics,
}

/// The right to one socket.
#[derive(Debug)]
pub struct Permit {
    open: Open,
    principal: PrincipalId,
    metrics: SocketMetrics,
}

impl Sockets {
    /// At most `each_max` for one principal.
    pub fn new(each_max: usize, metrics: SocketMetrics) -> Self {
        Self { open: Arc::default(), each_max, metrics }
    }

    /// One more for a principal, if she may have it.
    pub fn permit(&self, principal: PrincipalId) -> Option<Permit> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(principal).or_default();
        if *count >= self.each_max {
            return None;
        }
        *count = count.saturating_add(1);
        self.metrics.open.inc();
        Some(Permit { open: Arc::clone(&self.open), principal, metrics: self.metrics.clone() })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let left = open.get(&self.principal).copied().unwrap_or(0).saturating_sub(1);
        if left == 0 {
            open.remove(&self.principal);
        } else {
            open.insert(self.principal, left);
        }
        self.metrics.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_has_so_many_sockets_and_gets_another_when_one_is_closed() {
        let sockets = Sockets::new(2, SocketMetrics::default());
        let who = "018f2a10-7c5e-7000-8000-000000000001".parse().unwrap();
        let other = "018f2a10-7c5e-7000-8000-000000000002".parse().unwrap();
        let (first, _second) = (sockets.permit(who).unwrap(), sockets.permit(who).unwrap());
        assert!(sockets.permit(who).is_none());
        assert!(sockets.permit(other).is_some());
        drop(first);
        let _third = sockets.permit(who).unwrap();
        assert!(sockets.permit(who).is_none());
        assert_eq!(sockets.metrics.open.get(), 2);
    }
}
