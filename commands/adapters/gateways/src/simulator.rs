//! An embedded provider of payments, so that the engine runs and is tested without a contract with
//! one. It moves no money; it keeps its own ledger of what it would have moved, beside the data,
//! and remembers it when the engine is killed. What happens is written in the payment key
//! (`sim_approve_…`, `sim_decline_…`, `sim_lost_after_capture_…`, `sim_lost_before_capture_…`,
//! `sim_lost_before_decline_…`, `sim_slow_…`, `sim_amount_differs_…`; for refunds
//! `sim_approve_refund_lost_…` and `sim_approve_refund_refused_…`). Deliberately not here: webhooks, virtual accounts, time-outs
//! of authorisations.

mod book;
mod ledger;
mod movements;
mod script;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_commands::ports::{
    Capture, CaptureRequest, GatewayCapabilities, NoAnswer, PaymentGateway, RefundRequest, Return,
};
use holdfast_domain::ids::{PaymentId, RefundId};
use holdfast_domain::log::Pending;

pub use self::ledger::LedgerError;
pub use self::movements::{Movement, Movements, Order};

use self::book::{Arrival, Book, Ruling};
use self::ledger::Ledger;

/// The ledger's name in the directory of the data.
const FILE: &str = "simulator.jsonl";

/// How long a slow answer takes unless it is told otherwise.
const SLOW: Duration = Duration::from_secs(2);

/// The simulated provider.
#[derive(Debug)]
pub struct Simulator {
    ledger: Arc<Mutex<Ledger>>,
    slow: Duration,
    asked: AtomicU64,
}

impl Simulator {
    /// Opens the ledger in the directory `data`, or begins one. Reads the disk: not for a task.
    pub fn open(data: &Path) -> Result<Self, LedgerError> {
        ledger::make_directory(data)?;
        let ledger = Ledger::open(&data.join(FILE))?;
        Ok(Self { ledger: Arc::new(Mutex::new(ledger)), slow: SLOW, asked: AtomicU64::new(0) })
    }

    /// The same, with another delay for `sim_slow_…`.
    #[must_use]
    pub fn answering_slowly_after(self, slow: Duration) -> Self {
        Self { slow, ..self }
    }

    /// All money that was ever moved, to be compared with our log. Reads the disk: not for a task.
    pub fn movements(&self) -> Result<Movements, LedgerError> {
        locked(&self.ledger, |ledger| ledger.read(|book| book.movements().clone()))
    }

    /// How often this process asked for a capture or a refund, replays included.
    pub fn times_asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Judges a request and writes it down. The work goes on when the caller goes away, as at a
    /// real provider; it is one append to a file and ends by itself.
    async fn settle<A: Send + 'static>(
        &self,
        judge: impl FnOnce(&Book) -> Ruling<A> + Send + 'static,
    ) -> Result<A, NoAnswer> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (answer, arrival) = self
            .with_ledger(move |ledger| {
                ledger.settle(|book| {
                    let Ruling { entry, answer, arrival } = judge(book);
                    (entry, (answer, arrival))
                })
            })
            .await?;
        match arrival {
            Arrival::AtOnce => Ok(answer),
            Arrival::Late => {
                tokio::time::sleep(self.slow).await;
                Ok(answer)
            }
            Arrival::Never => Err(NoAnswer("the simulator lost it, as the key says".to_owned())),
        }
    }

    async fn with_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let ledger = Arc::clone(&self.ledger);
        tokio::task::spawn_blocking(move || locked(&ledger, work))
            .await
            .map_err(|stopped| NoAnswer(stopped.to_string()))?
            .map_err(|failed| NoAnswer(failed.to_string()))
    }
}

impl PaymentGateway for Simulator {
    fn name(&self) -> &'static str {
        "simulator"
    }

    fn capabilities(&self) -> GatewayCapabilities {
        GatewayCapabilities { partial_refunds: true, idempotent: true }
    }

    fn capture(&self, request: CaptureRequest) -> Pending<'_, Result<Capture, NoAnswer>> {
        Box::pin(self.settle(move |book| book.capture(&request)))
    }

    fn read_capture(
        &self,
        order: PaymentId,
        idempotency_key: String,
    ) -> Pending<'_, Result<Option<Capture>, NoAnswer>> {
        Box::pin(self.with_ledger(move |ledger| {
            ledger.read(|book| book.capture_of(order, &idempotency_key))
        }))
    }

    fn refund(&self, request: RefundRequest) -> Pending<'_, Result<Return, NoAnswer>> {
        Box::pin(self.settle(move |book| book.refund(&request)))
    }

    fn read_refund(
        &self,
        order: PaymentId,
        refund: RefundId,
    ) -> Pending<'_, Result<Option<Return>, NoAnswer>> {
        Box::pin(self.with_ledger(move |ledger| ledger.read(|book| book.return_of(order, refund))))
    }
}

/// Works with the ledger. An entry is taken in whole or not at all, so a panic elsewhere leaves
/// nothing half-done behind.
fn locked<T>(ledger: &Mutex<Ledger>, work: impl FnOnce(&mut Ledger) -> T) -> T {
    work(&mut ledger.lock().unwrap_or_else(PoisonError::into_inner))
}
