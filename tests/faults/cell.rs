//! A cell of the table: a store and a fault, under load.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::customer::{Customer, Own};
use crate::judge::{self, RECOVERY_MAX};
use crate::listener::News;
use crate::site::Site;
use crate::trouble::{Fault, Store};

const CUSTOMERS: u32 = 4;
/// How long everything is well before a fault, and after it.
const WELL: Duration = Duration::from_millis(400);
/// Whatever has not recovered by then never does.
const PATIENCE: Duration = Duration::from_secs(15);

/// What came of a cell.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) store: &'static str,
    pub(crate) fault: Fault,
    pub(crate) commands: usize,
    pub(crate) reads: usize,
    /// Answers that said to come back.
    pub(crate) turned_away: usize,
    pub(crate) longest: Duration,
    /// From the end of the fault to a command and a read that succeeded.
    pub(crate) recovered: Option<Duration>,
    /// How often the listener came back, and was told to read again.
    pub(crate) returns: u32,
    pub(crate) resyncs: u32,
    pub(crate) violations: Vec<String>,
}

/// Lets a fault happen to the `target`-th store, for so long.
pub(crate) async fn cell(site: &mut Site, target: usize, fault: Fault, lasts: Duration) -> Row {
    let (stop, mut load) = (CancellationToken::new(), JoinSet::new());
    for _ in 0..CUSTOMERS {
        load.spawn(site.customer().live(stop.clone()));
    }
    let before = site.news.borrow().clone();
    tokio::time::sleep(WELL).await;
    site.targets[target].strike(fault);
    tokio::time::sleep(lasts).await;
    site.targets[target].heal(fault).await;
    let mut probe = site.customer();
    let recovered = recovery(&mut probe).await;
    tokio::time::sleep(WELL).await;
    stop.cancel();
    let mut customers = vec![probe];
    while let Some(customer) = load.join_next().await {
        customers.push(customer.unwrap());
    }
    let mut violations = settle(site, &mut customers).await;
    let (notes, complaints) = site.notes.take();
    violations.extend(complaints);
    let commands: BTreeSet<_> = notes.iter().filter_map(|note| note.command).collect();
    site.truth.read(&commands).await;
    // Redis holds nothing that anybody needs.
    let steady = matches!(site.targets[target].store, Store::Redis(_));
    violations.extend(judge::answers(&notes, steady));
    violations.extend(judge::commands(&notes, &site.truth.evidence));
    violations.extend(judge::recovery(recovered));
    let news = site.news.borrow().clone();
    Row {
        store: site.targets[target].store.name(),
        fault,
        commands: commands.len(),
        reads: notes.iter().filter(|note| note.command.is_none()).count(),
        turned_away: notes.iter().filter(|note| note.status == 503).count(),
        longest: notes.iter().map(|note| note.took).max().unwrap_or_default(),
        recovered,
        returns: news.returns.saturating_sub(before.returns),
        resyncs: news.resyncs.saturating_sub(before.resyncs),
        violations,
    }
}

/// How long until a command and a read of it succeed.
async fn recovery(probe: &mut Customer) -> Option<Duration> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if probe.try_once().await {
            return Some(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}

/// Everything that is open is answered, and everything that was answered is heard of.
async fn settle(site: &mut Site, customers: &mut [Customer]) -> Vec<String> {
    let began = Instant::now();
    for customer in &mut *customers {
        while !customer.resolve().await && began.elapsed() < PATIENCE {
            // A payment whose outcome could not be noted is asked about again when its time has come.
            site.world.advance(1).await;
        }
    }
    let owns: Vec<Own> = customers.iter().flat_map(|customer| customer.owns.clone()).collect();
    let heard = |news: &News| owns.iter().all(|own| is_heard(own, news));
    let heard = tokio::time::timeout(RECOVERY_MAX, site.news.wait_for(heard)).await;
    if heard.is_ok() {
        return Vec::new();
    }
    drop(heard);
    let news = site.news.borrow().clone();
    let missed = owns.iter().filter(|own| !is_heard(own, &news));
    missed.map(|own| format!("the listener never heard of {own:?}")).collect()
}

/// Whether a listener heard how it is now, or was told afterwards to read everything again.
fn is_heard(own: &Own, news: &News) -> bool {
    news.resynced_at.is_some_and(|at| at > own.told)
        || news
            .shown
            .get(&own.id)
            .is_some_and(|shown| own.status.is_none_or(|status| status == shown))
}
