//! Time that passes when a test says so, and a piece of work that can be stopped like a process
//! that gets no time from its machine.
#![expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
#![allow(dead_code, clippy::allow_attributes, reason = "no test uses all of it")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use holdfast_domain::log::Pending;
use holdfast_projections::monotonic::Monotonic;
use tokio::sync::{Notify, watch};

/// Set by hand.
#[derive(Debug, Clone)]
pub(crate) struct HandTime(watch::Sender<Duration>);

impl HandTime {
    /// Some time after its start, so that it can go back.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Duration::from_secs(10_000)))
    }

    pub(crate) fn forward(&self, step: Duration) {
        self.0.send_modify(|now| *now += step);
    }

    pub(crate) fn back(&self, step: Duration) {
        self.0.send_modify(|now| *now -= step);
    }

    /// The same for a store.
    pub(crate) fn of_store(&self) -> holdfast_readmodel::leases::StoreTime {
        let this = self.clone();
        Arc::new(move || this.now())
    }
}

impl Monotonic for HandTime {
    fn now(&self) -> Duration {
        *self.0.borrow()
    }

    fn sleep_until(&self, instant: Duration) -> Pending<'_, ()> {
        let mut now = self.0.subscribe();
        Box::pin(async move { drop(now.wait_for(|now| *now >= instant).await) })
    }
}

/// Stops work without telling it, and lets it go on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Brake(Arc<(AtomicBool, Notify)>);

impl Brake {
    pub(crate) fn stop(&self) {
        self.0.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn release(&self) {
        self.0.0.store(false, Ordering::SeqCst);
        self.0.1.notify_one();
    }

    /// The work, under this brake.
    pub(crate) fn over<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        let brake = self.clone();
        async move {
            let mut work = Box::pin(work);
            loop {
                let step = Step { work: work.as_mut(), brake: &brake };
                if let Some(output) = step.await {
                    return output;
                }
                brake.0.1.notified().await;
            }
        }
    }
}

/// Goes on until the work ends or the brake stops it.
struct Step<'a, F> {
    work: Pin<&'a mut F>,
    brake: &'a Brake,
}

impl<F: Future> Future for Step<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.brake.0.0.load(Ordering::SeqCst) {
            return Poll::Ready(None);
        }
        self.work.as_mut().poll(context).map(Some)
    }
}

/// Lets every task of this one-threaded runtime go on until all of them wait for something else.
pub(crate) async fn calm() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
