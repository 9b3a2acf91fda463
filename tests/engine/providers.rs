//! The simulated provider of payments behind an observer: who calls it at the same time, and calls
//! that never arrive.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use holdfast_commands::ports::{
    Capture, CaptureRequest, GatewayCapabilities, NoAnswer, PaymentGateway, RefundRequest, Return,
};
use holdfast_domain::ids::{PaymentId, RefundId};
use holdfast_domain::log::Pending;
use holdfast_gateways::Simulator;
use tokio::sync::Semaphore;

/// The provider, observed.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) simulator: Simulator,
    /// So many of the next captures never arrive.
    lost: AtomicUsize,
    /// The next call panics.
    panics: AtomicBool,
    /// The keys of captures that were asked for, in order.
    captures: Mutex<Vec<String>>,
    /// How many refunds of an order are under way now, and were at most.
    refunds: Mutex<BTreeMap<PaymentId, (usize, usize)>>,
    /// Refunds wait here.
    door: Semaphore,
}

impl Watched {
    pub(crate) fn over(simulator: Simulator) -> Self {
        Self {
            simulator,
            lost: AtomicUsize::new(0),
            panics: AtomicBool::new(false),
            captures: Mutex::default(),
            refunds: Mutex::default(),
            door: Semaphore::new(Semaphore::MAX_PERMITS),
        }
    }

    /// So many captures never arrive.
    pub(crate) fn lose_captures(&self, count: usize) {
        self.lost.store(count, Ordering::SeqCst);
    }

    /// The next call panics.
    pub(crate) fn panic_once(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }

    /// The keys of captures that were asked for, in order.
    pub(crate) fn captures(&self) -> Vec<String> {
        self.captures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many refunds of an order are under way now, and were at most.
    pub(crate) fn refunds(&self, order: PaymentId) -> (usize, usize) {
        let refunds = self.refunds.lock().unwrap_or_else(PoisonError::into_inner);
        refunds.get(&order).copied().unwrap_or_default()
    }

    /// Refunds wait from now on.
    pub(crate) fn close_door(&self) {
        self.door.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// They go on.
    pub(crate) fn open_door(&self) {
        self.door.add_permits(Semaphore::MAX_PERMITS);
    }

    fn count(&self, order: PaymentId, begins: bool) {
        let mut refunds = self.refunds.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, most) = refunds.entry(order).or_default();
        *now = if begins { now.saturating_add(1) } else { now.saturating_sub(1) };
        *most = (*most).max(*now);
    }
}

impl PaymentGateway for Watched {
    fn name(&self) -> &'static str {
        self.simulator.name()
    }

    fn capabilities(&self) -> GatewayCapabilities {
        self.simulator.capabilities()
    }

    fn capture(&self, request: CaptureRequest) -> Pending<'_, Result<Capture, NoAnswer>> {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "planted");
        let key = request.idempotency_key.clone();
        self.captures.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        let lost =
            self.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if lost.is_ok() {
            return Box::pin(async { Err(NoAnswer("it never arrived".to_owned())) });
        }
        self.simulator.capture(request)
    }

    fn read_capture(
        &self,
        order: PaymentId,
        idempotency_key: String,
    ) -> Pending<'_, Result<Option<Capture>, NoAnswer>> {
        self.simulator.read_capture(order, idempotency_key)
    }

    fn refund(&self, request: RefundRequest) -> Pending<'_, Result<Return, NoAnswer>> {
        Box::pin(async move {
            let order = request.order;
            self.count(order, true);
            drop(self.door.acquire().await.unwrap());
            let answer = self.simulator.refund(request).await;
            self.count(order, false);
            answer
        })
    }

    fn read_refund(
        &self,
        order: PaymentId,
        refund: RefundId,
    ) -> Pending<'_, Result<Option<Return>, NoAnswer>> {
        self.simulator.read_refund(order, refund)
    }
}
