//! Leases only for those whose log the read models follow. A node of another log would hold shares
//! whose work it can never do, and the nodes of the right log would do without them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use holdfast_domain::log::{Feed, Pending};
use tokio::sync::watch;

use crate::leases::{Lease, Leases, LeasesUnavailable, Taken};
use crate::ports::ReadStore;
use crate::recognise::{Origin, origin};

/// Leases of a node, none of which it takes while the read models follow another log.
#[derive(Debug)]
pub struct Recognised {
    leases: Arc<dyn Leases>,
    feed: Arc<dyn Feed>,
    store: Arc<dyn ReadStore>,
    /// Read models of this log stay its own while a node runs.
    known: AtomicBool,
    refused: watch::Sender<Option<String>>,
}

impl Recognised {
    /// Over the leases that stand beside these read models.
    pub fn new(leases: Arc<dyn Leases>, feed: Arc<dyn Feed>, store: Arc<dyn ReadStore>) -> Self {
        let (known, refused) = (AtomicBool::new(false), watch::Sender::new(None));
        Self { leases, feed, store, known, refused }
    }

    /// Returns when the read models turn out to follow another log, with both epochs. The node has
    /// no work here, and never will.
    pub async fn refused(&self) -> String {
        let mut refused = self.refused.subscribe();
        let why = refused.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        match why {
            Some(why) => why,
            // The sender lives as long as this does.
            None => std::future::pending().await,
        }
    }

    async fn recognise(&self) -> Result<(), LeasesUnavailable> {
        if self.known.load(Ordering::Relaxed) {
            return Ok(());
        }
        let origin = origin(&self.feed, &self.store).await;
        match origin.map_err(|why| LeasesUnavailable(why.to_string()))? {
            Origin::NoViews => Ok(()),
            Origin::ThisLog => {
                self.known.store(true, Ordering::Relaxed);
                Ok(())
            }
            Origin::AnotherLog(why) => {
                self.refused.send_replace(Some(why.clone()));
                Err(LeasesUnavailable(why))
            }
        }
    }
}

impl Leases for Recognised {
    fn take(
        &self,
        name: String,
        holder: String,
        term: Duration,
    ) -> Pending<'_, Result<Taken, LeasesUnavailable>> {
        Box::pin(async move {
            self.recognise().await?;
            self.leases.take(name, holder, term).await
        })
    }

    fn release(&self, name: String, holder: String) -> Pending<'_, Result<(), LeasesUnavailable>> {
        self.leases.release(name, holder)
    }

    fn forget(
        &self,
        prefix: String,
        unused: Duration,
    ) -> Pending<'_, Result<(), LeasesUnavailable>> {
        self.leases.forget(prefix, unused)
    }

    fn list(&self) -> Pending<'_, Result<Vec<Lease>, LeasesUnavailable>> {
        self.leases.list()
    }
}
