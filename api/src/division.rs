//! How the work is divided between the nodes, as this node knows it: what it has itself, who is
//! alive, and what nobody does.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_commands::shares;
use holdfast_domain::log::Pending;
use holdfast_projections::keeper::{Held, Keeper, Terms, VIEWS};
use holdfast_projections::leases::{Lease, Leases, LeasesUnavailable};
use holdfast_projections::monotonic::Steady;
use holdfast_projections::presence::workers;
use holdfast_projections::recognised::Recognised;
use holdfast_projections::status::Status;
use tokio::sync::watch;

use crate::config::role::NodeRole;
use crate::health::check::Check;
use crate::lifecycle::Lifecycle;
use crate::stores::Stores;

/// The division of the work.
#[derive(Debug, Clone)]
pub struct Division {
    leases: Arc<dyn Leases>,
    held: watch::Receiver<Held>,
}

/// The division at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Divided {
    /// How many workers are alive.
    pub workers: usize,
    /// How many shares this node has.
    pub held: usize,
    /// Whether somebody keeps the views.
    pub views: bool,
    /// How many shares of the processes nobody has.
    pub idle: usize,
}

impl Division {
    /// Begins to take part, when the role says so. `node` is a name that no other node has, and
    /// `account` what those who keep or follow the views here say of themselves. Read models of
    /// another log than the node's end the process: it has no part in their work.
    pub fn start(
        stores: &Stores,
        role: NodeRole,
        node: String,
        account: watch::Receiver<Status>,
        lifecycle: &Lifecycle,
    ) -> Self {
        let leases = Arc::clone(&stores.leases);
        if !role.works() {
            let nothing = watch::Sender::new(Held::new()).subscribe();
            return Self { leases, held: nothing };
        }
        let groups = vec![vec![VIEWS.to_owned()], shares::all()];
        let clock = Arc::new(Steady::new());
        let (feed, views) = (Arc::clone(&stores.feed), Arc::clone(&stores.views));
        let own = Arc::new(Recognised::new(Arc::clone(&leases), feed, views));
        let asked: Arc<dyn Leases> = Arc::<Recognised>::clone(&own);
        let keeper = Keeper::new(asked, clock, node, groups, Terms::default());
        let keeper = keeper.minding(account);
        let held = keeper.held();
        let stop = lifecycle.runners_stop().child_token();
        lifecycle.start("leases", async move {
            let refused = async {
                let refused = stop.run_until_cancelled(own.refused()).await;
                stop.cancel();
                refused
            };
            let ((), refused) = tokio::join!(keeper.run(stop.clone()), refused);
            refused.map_or(Ok(()), Err)
        });
        Self { leases, held }
    }

    /// This node's shares, as they change.
    pub fn held(&self) -> watch::Receiver<Held> {
        self.held.clone()
    }

    /// How the work is divided now.
    pub async fn now(&self) -> Result<Divided, LeasesUnavailable> {
        let mut standing = self.leases.list().await?;
        // What stands longer than a term is of a clock that went back.
        standing.retain(|lease| lease.remaining <= Terms::default().term);
        let held = self.held.borrow().len();
        Ok(divided(&standing, held))
    }
}

fn divided(standing: &[Lease], held: usize) -> Divided {
    let taken: BTreeSet<&str> = standing.iter().map(|lease| lease.name.as_str()).collect();
    let idle = shares::all().iter().filter(|share| !taken.contains(share.as_str())).count();
    Divided { workers: workers(standing).len(), held, views: taken.contains(VIEWS), idle }
}

impl Divided {
    /// What a person should know: an error when something lies idle.
    fn account(&self) -> Result<String, String> {
        let Self { workers, held, views, idle } = self;
        let account = format!(
            "{} alive, {} on this node",
            counted(*workers, "worker"),
            counted(*held, "share")
        );
        let idle_parts = [
            (!views).then(|| "nobody keeps the views: reads and pushes stand still".to_owned()),
            (*idle > 0).then(|| {
                let shares = counted(*idle, "share");
                format!("nobody has {shares} of the processes: what falls due there waits")
            }),
        ];
        let missing: Vec<_> = idle_parts.into_iter().flatten().collect();
        if missing.is_empty() {
            return Ok(account);
        }
        let what_to_do = "start a node with the role all or worker";
        Err(format!("{account}; {}; {what_to_do}", missing.join("; ")))
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

impl Check for Division {
    fn name(&self) -> &'static str {
        "workers"
    }

    fn check(&self) -> Pending<'_, Result<String, String>> {
        Box::pin(async move {
            match self.now().await {
                Ok(divided) => divided.account(),
                Err(why) => Err(why.to_string()),
            }
        })
    }

    /// The node itself serves as well as it can: others are missing.
    fn is_vital(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lease(name: &str) -> Lease {
        let remaining = Duration::from_secs(3);
        Lease { name: name.to_owned(), holder: "one".to_owned(), fence: 1, remaining }
    }

    #[test]
    fn what_nobody_does_is_named() {
        let mut standing: Vec<_> = shares::all().iter().map(|share| lease(share)).collect();
        standing.push(lease("worker/one"));
        standing.push(lease(VIEWS));
        let all = divided(&standing, 9);
        assert_eq!(all, Divided { workers: 1, held: 9, views: true, idle: 0 });
        assert_eq!(all.account().unwrap(), "1 worker alive, 9 shares on this node");
        standing.remove(0);
        standing.pop();
        let why = divided(&standing, 7).account().unwrap_err();
        assert!(why.contains("nobody keeps the views") && why.contains("has 1 share of"), "{why}");
        let why = divided(&[], 0).account().unwrap_err();
        assert!(why.contains("0 workers") && why.contains("8 shares"), "{why}");
    }
}
