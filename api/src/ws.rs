//! Pushes: what the views and the log have to tell, to those who may hear it, over WebSockets and
//! as server-sent events. Deliberately not here: what a change is (projections), and the way of an
//! HTTP request (http).

mod ending;
pub mod frames;
pub mod greeting;
pub mod group;
pub mod hub;
pub mod join;
pub mod line;
pub mod mailbox;
pub mod pace;
pub mod place;
mod reading;
pub mod session;
pub mod sockets;
pub mod sources;
pub mod subscriber;
pub mod told;
pub mod topics;
pub mod upgrade;

use std::sync::Arc;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::ReadError;

use self::hub::Hub;
use self::sockets::Sockets;
use crate::config::Config;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::node::Node;

/// What all pushes of a node share.
#[derive(Debug)]
pub struct Pushes {
    /// Tells subscribers what has changed.
    pub hub: Arc<Hub>,
    /// Counts who is connected.
    pub sockets: Sockets,
    /// The life of the log that cursors speak of.
    pub epoch: Epoch,
}

impl Pushes {
    /// Starts the hub of a node.
    pub async fn start(
        config: &Config,
        node: &Node,
        metrics: &Metrics,
        lifecycle: &Lifecycle,
    ) -> Result<Self, ReadError> {
        let epoch = node.feed.head().await?.epoch;
        let each_max = config.limits.sockets_per_principal_max;
        let sockets = Sockets::new(each_max, metrics.sockets.clone());
        let hub = Arc::new(Hub::default());
        let (told, reader) = (Arc::clone(&hub), node.reader.clone());
        let stop = lifecycle.runners_stop().clone();
        if !config.role.serves() {
            // Nobody can ever listen here.
            return Ok(Self { hub, sockets, epoch });
        }
        // Nobody listens yet. Views that cannot be read now may be read later.
        let from = reader.now().await.ok();
        lifecycle.start("pushes", async move {
            told.run(reader, from, stop).await;
            Ok(())
        });
        Ok(Self { hub, sockets, epoch })
    }
}
