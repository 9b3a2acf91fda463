//! The lives of one folder: a server starts on it, customers use it, something ends it, and the
//! disk is judged. What all the suites here share.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::checker;
use crate::disk::read;
use crate::evidence::Evidence;
use crate::http::{Asked, Connection};
use crate::node::{Node, variable};
use crate::verdict::{assert_holds, violations};
use crate::world::{Catalogue, World};

/// A folder with an open business, and the runtime of its customers.
#[derive(Debug)]
pub(crate) struct Lives {
    pub(crate) world: Arc<World>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) runtime: Runtime,
    pub(crate) seed: u64,
}

impl Lives {
    /// Opens a business in a first, peaceful life.
    pub(crate) fn begin(suite: &str) -> Self {
        let seed = variable("HOLDFAST_SEED").map_or(1, |seed| seed.parse().unwrap());
        println!("{suite}: HOLDFAST_SEED={seed}");
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let world = Arc::new(World::new());
        let node = Node::start(world.data(), &[], &[]).unwrap();
        let catalogue = runtime.block_on(world.open_business(node.address));
        drop(node);
        Self { world, catalogue: Arc::new(catalogue), runtime, seed }
    }

    /// What is on the disk now.
    pub(crate) fn evidence(&self) -> Evidence {
        self.runtime.block_on(read(self.world.data(), &self.world.history()))
    }

    /// Judges the disk after a life that was cut off: what is under way may be under way.
    #[track_caller]
    pub(crate) fn judge(&self, occasion: &str) -> Evidence {
        let evidence = self.evidence();
        assert_holds(occasion, &violations(&self.world, &evidence, false));
        evidence
    }

    /// A last life in peace, in which time passes until nothing is under way. Then every unclear
    /// command has its answer, and the money agrees.
    #[track_caller]
    pub(crate) fn settle(&self) -> Evidence {
        let node = Node::start(self.world.data(), &["--test-clock", "now"], &[]).unwrap();
        self.runtime.block_on(async {
            // The customer's own time is over, the provider is asked again, pins lapse, and the
            // provider is read for the last time.
            for seconds in [0, 25, 30, 60, 300, 900, 3_600, 3_600] {
                put_forward(&node, seconds).await;
                self.world.resolve(node.address).await;
            }
            let open = self.world.resolve(node.address).await;
            assert_eq!(open, 0, "unclear commands that found no answer: {:?}", self.unknown());
            put_forward(&node, 3_700).await;
        });
        let (status, _, said) = node.terminate();
        assert!(status.success(), "{said}");
        let evidence = self.evidence();
        assert_holds("settled", &violations(&self.world, &evidence, true));
        assert_holds("settled", &checker::stranded(&evidence.events));
        let history = self.world.history();
        println!(
            "settled: {} commands, {} unclear at first, {} events, {} movements of money",
            history.len(),
            history.iter().filter(|entry| entry.was_unclear).count(),
            evidence.events.len(),
            evidence.movements.count(),
        );
        evidence
    }

    fn unknown(&self) -> Vec<String> {
        let history = self.world.history();
        let open = history.iter().filter(|entry| entry.is_unknown());
        open.map(|entry| format!("{} {:?}", entry.asked.path, entry.known)).collect()
    }
}

/// Lets time pass, and waits until everything that follows has happened.
async fn put_forward(node: &Node, seconds: u32) {
    let asked = Asked {
        method: "POST",
        path: "/test/clock".to_owned(),
        token: String::new(),
        key: String::new(),
        body: json!({"advance_seconds": seconds}).to_string(),
    };
    for _ in 0..3 {
        let mut connection = Connection::open(node.address).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(20), connection.call(&asked)).await;
        let answer = answer.unwrap().unwrap();
        if answer.status == 200 {
            return;
        }
        // 503: the engine had much to do and did not come to rest in the time of one call.
        assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body));
    }
    panic!("the engine does not come to rest; it says:\n{}", node.said());
}
