//! What the handlers of a node share, and how it is opened. Routes, handlers and listening are not
//! known here: they know this.

use std::sync::Arc;

use holdfast_domain::log::ReadError;
use holdfast_projections::follower::FollowError;
use holdfast_projections::recognise::{Origin, origin};
use holdfast_redis::Limits as SharedBuckets;
use tokio::runtime::Handle;

use crate::auth::foreign::ForeignKeys;
use crate::auth::{TokenError, Verifier};
use crate::config::Config;
use crate::health;
use crate::health::check::Check;
use crate::http::cursor::Cursors;
use crate::http::limits::RateLimits;
use crate::keys::{KeyError, Keys};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::node::{Node, NodeError};
use crate::stores::Stores;
use crate::ws::Pushes;

/// Why a node's state does not open.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Its keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// Its own key is none that tokens can be checked with.
    #[error("the node's own key: {0}")]
    OwnKey(#[from] TokenError),
    /// The client that fetches a foreign issuer's keys.
    #[error("the client for the token issuer's keys: {0}")]
    Client(#[from] reqwest::Error),
    /// The parts it runs on.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The event log, when it was asked where it ends.
    #[error("the event log: {0}")]
    Unread(#[from] ReadError),
    /// One of the two, when they were compared.
    #[error("the event log and the read models: {0}")]
    Uncompared(#[from] FollowError),
    /// The read models are those of another log.
    #[error(
        "the event log ({log}) and the read models ({read}) do not belong together: {why}. If it is \
         not this log that was restored, set log-url (HOLDFAST_LOG_URL) and read-url \
         (HOLDFAST_READ_URL) to stores that belong together"
    )]
    Apart {
        /// The log as it may be shown.
        log: String,
        /// The read models as they may be shown.
        read: String,
        /// Both epochs.
        why: String,
    },
}

/// What handlers share.
#[derive(Debug)]
pub struct State {
    /// The configuration.
    pub config: Config,
    /// The node's own keys.
    pub keys: Keys,
    /// Checks tokens.
    pub verifier: Verifier,
    /// Makes and reads cursors.
    pub cursors: Cursors,
    /// Rate limits.
    pub limits: RateLimits,
    /// What is counted.
    pub metrics: Metrics,
    /// Owns the tasks.
    pub lifecycle: Lifecycle,
    /// What readiness asks.
    pub checks: Vec<Arc<dyn Check>>,
    /// What it runs on.
    pub node: Node,
    /// Tells those who listen.
    pub pushes: Pushes,
}

impl State {
    /// Refuses read models that follow another log, or another life of it.
    pub async fn recognise(&self) -> Result<(), StateError> {
        match origin(&self.node.feed, &self.node.views).await? {
            Origin::NoViews | Origin::ThisLog => Ok(()),
            Origin::AnotherLog(why) => {
                let (log, read) = (self.config.log.describe(), self.config.read.describe());
                Err(StateError::Apart { log, read, why })
            }
        }
    }

    /// Opens what a node keeps and knows, without listening; on these stores, or those that the
    /// configuration names.
    pub async fn open(
        config: Config,
        mut checks: Vec<Arc<dyn Check>>,
        stores: Option<Stores>,
        runtime: Handle,
    ) -> Result<Self, StateError> {
        let lifecycle = Lifecycle::new(runtime);
        let keys = Keys::open(&config.data)?;
        let verifier = match &config.tokens.jwks_url {
            None => Verifier::own(&keys.signing, config.tokens.clone())?,
            Some(url) => {
                let foreign = ForeignKeys::new(url.clone(), lifecycle.clone())?;
                Verifier::foreign(foreign, config.tokens.clone())
            }
        };
        let stores = match stores {
            Some(stores) => stores,
            None => Stores::open(&config, &lifecycle).await.map_err(NodeError::from)?,
        };
        let node = Node::open(&config, stores, &lifecycle)?;
        checks.extend(health::checks(&node));
        let metrics = Metrics::default();
        if node.redis.is_some() {
            metrics.register(|registry| metrics.cache.own(registry));
        }
        let pushes = Pushes::start(&config, &node, &metrics, &lifecycle).await?;
        let shared = node.redis.as_ref().map(|redis| {
            SharedBuckets::new(Arc::clone(redis), format!("holdfast:{{{}}}:rate:", pushes.epoch))
        });
        Ok(Self {
            node,
            verifier,
            cursors: Cursors::new(keys.cursor.clone(), pushes.epoch),
            pushes,
            limits: RateLimits::new(&config.limits, shared),
            metrics,
            lifecycle,
            checks,
            keys,
            config,
        })
    }
}
