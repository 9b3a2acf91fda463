//! A double of KurrentDB for tests: it speaks the published protocol to the official client, keeps
//! everything in memory, and fails when it is told to. It proves what an adapter makes of the
//! protocol and of failures; it proves nothing about durability, elections, permissions,
//! certificates, limits or the speed of a real server.
#![warn(missing_docs)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::result_large_err,
    reason = "furnishing of tests fails by panicking"
)]

mod database;
mod fault;
mod node;
mod reading;
mod service;
mod wire;
mod writing;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

pub use fault::Fault;

use database::Database;
use fault::Faults;
use node::Node;

/// What the nodes of a cluster share: here they agree at once.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) database: Mutex<Database>,
    /// Where the log ends; those who follow it wait for this.
    pub(crate) end: watch::Sender<u64>,
    pub(crate) faults: Faults,
    pub(crate) leader: AtomicUsize,
    pub(crate) members: Mutex<Vec<Member>>,
}

/// A node as the others see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) address: SocketAddr,
    pub(crate) alive: bool,
}

impl Shared {
    pub(crate) fn database(&self) -> std::sync::MutexGuard<'_, Database> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn members(&self) -> std::sync::MutexGuard<'_, Vec<Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn leads(&self, node: usize) -> bool {
        self.leader.load(Ordering::SeqCst) == node
    }

    /// Has the next living node lead.
    pub(crate) fn resign(&self, node: usize) {
        let members = self.members();
        let others = (1..members.len()).map(|step| (node + step) % members.len());
        let next = others.into_iter().find(|other| members[*other].alive).unwrap_or(node);
        self.leader.store(next, Ordering::SeqCst);
    }
}

/// A server, or a cluster of them, on ports of its own.
#[derive(Debug)]
pub struct Double {
    shared: Arc<Shared>,
    nodes: Mutex<Vec<Node>>,
}

impl Double {
    /// One node.
    pub fn start() -> Self {
        Self::cluster(1)
    }

    /// So many nodes; the first one leads.
    pub fn cluster(nodes: usize) -> Self {
        let database = Database::new();
        let shared = Arc::new(Shared {
            end: watch::Sender::new(database.end()),
            database: Mutex::new(database),
            faults: Faults::new(),
            leader: AtomicUsize::new(0),
            members: Mutex::default(),
        });
        let nodes = (0..nodes).map(|number| Node::start(number, &shared)).collect();
        Self { shared, nodes: Mutex::new(nodes) }
    }

    /// What a client connects to.
    pub fn url(&self) -> String {
        let addresses: Vec<_> =
            self.shared.members().iter().map(|member| member.address.to_string()).collect();
        format!("kurrentdb://{}?tls=false", addresses.join(","))
    }

    fn nodes(&self) -> std::sync::MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans a fault for the `nth` append from now; the next one is the first.
    pub fn at_append(&self, nth: u64, fault: Fault) {
        self.shared.faults.plan(nth, fault);
    }

    /// How many appends have arrived.
    pub fn appends(&self) -> u64 {
        self.shared.faults.appends()
    }

    /// How many planned faults have not happened yet.
    pub fn faults_left(&self) -> usize {
        self.shared.faults.pending()
    }

    /// Stops a node: its connections are cut, and its port takes none. What it holds stays.
    pub fn stop(&self, node: usize) {
        self.nodes()[node].stop(&self.shared);
    }

    /// Starts a stopped node again on its port.
    pub fn restart(&self, node: usize) {
        let mut nodes = self.nodes();
        nodes[node].stop(&self.shared);
        nodes[node].run(&self.shared);
    }

    /// Has a node lead from now on.
    pub fn lead(&self, node: usize) {
        self.shared.leader.store(node, Ordering::SeqCst);
    }

    /// Which node leads.
    pub fn leader(&self) -> usize {
        self.shared.leader.load(Ordering::SeqCst)
    }

    /// Has every node hold its requests without an answer, its connections open.
    pub fn pause(&self) {
        self.shared.faults.pause(true);
    }

    /// Has the nodes answer again what they hold.
    pub fn resume(&self) {
        self.shared.faults.pause(false);
    }

    /// Has every read from now on refused, or answered again.
    pub fn deny_reads(&self, denied: bool) {
        self.shared.faults.deny_reads(denied);
    }

    /// Has every append from now on acknowledged and not kept, or kept again.
    pub fn forget_appends(&self, forgets: bool) {
        self.shared.database().forgets = forgets;
    }

    /// How many events the stream holds.
    pub fn count(&self, stream: &str) -> usize {
        self.shared.database().stream(stream).ok().flatten().map_or(0, |seen| seen.len())
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        for node in self.nodes().iter_mut() {
            node.stop(&self.shared);
        }
    }
}
