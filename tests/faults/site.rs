//! A node whose stores lie behind lines, a shop on it, and a provider who listens.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use holdfast_api::config::stores::{LogStore, ReadStore, StoreUrl};
use holdfast_domain::ids::Epoch;
use holdfast_eventlog::{KurrentLog, PostgresLog};
use holdfast_test_kurrentdb::Double;
use holdfast_test_stores::{redis_server, server};
use holdfast_tests::fixtures::{hours, slot_offering};
use holdfast_tests::stores::Stores;
use holdfast_tests::world::{MONDAY_NINE, World, instant};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::customer::{Customer, Shop};
use crate::listener::{News, listen};
use crate::notes::Notes;
use crate::trouble::{Store, Target};
use crate::truth::Truth;

/// The first start that can be booked: midnight, so that a day is easy to name.
const FIRST: &str = "2026-03-10T00:00:00Z";

/// How many calendars there are: customers of one wait for each other, and what is measured is how
/// long they wait for the stores.
const SHOPS: usize = 5;

/// Everything that a cell needs.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) world: World,
    /// What can be spoilt, log first.
    pub(crate) targets: Vec<Target>,
    pub(crate) truth: Truth,
    pub(crate) news: watch::Receiver<News>,
    pub(crate) notes: Arc<Notes>,
    shops: Vec<Arc<Shop>>,
    customers: u32,
    stop: CancellationToken,
    listening: JoinHandle<()>,
}

impl Site {
    /// Log and views in PostgreSQL, and Redis; none where one of them is not installed.
    pub(crate) async fn on_postgres_and_redis(suite: &str) -> Option<Self> {
        let postgres = server(suite).await?;
        let redis = Target::new(Store::Redis(redis_server(suite)?)).await;
        let direct = postgres.url();
        let postgres = Target::new(Store::Postgres(postgres)).await;
        let stores = Stores::Named {
            log: LogStore::Postgres(StoreUrl::new(&postgres.url)),
            read: Some(ReadStore::Postgres(StoreUrl::new(&postgres.url))),
            redis: Some(redis.url.clone()),
        };
        let world = World::on(stores, MONDAY_NINE).await;
        let log = PostgresLog::open(&direct.parse().unwrap(), Handle::current()).await.unwrap();
        Some(Self::open(world, vec![postgres, redis], Truth::new(log)).await)
    }

    /// The log in a double of KurrentDB.
    pub(crate) async fn on_kurrentdb() -> Self {
        let double = Double::start();
        let direct = double.url();
        let kurrentdb = Target::new(Store::KurrentDb(double)).await;
        let log = LogStore::KurrentDb(StoreUrl::new(&kurrentdb.url));
        let world = World::on(Stores::Named { log, read: None, redis: None }, MONDAY_NINE).await;
        let never = Epoch::from_uuid(Uuid::from_u128(1));
        let log = KurrentLog::open(&direct, never, &Handle::current()).unwrap();
        Self::open(world, vec![kurrentdb], Truth::new(log)).await
    }

    async fn open(world: World, targets: Vec<Target>, truth: Truth) -> Self {
        let provider = world.provider(1);
        let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let week: Vec<_> = days.iter().map(|day| hours(day, "00:00", "24:00")).collect();
        let mut shops = Vec::new();
        for _ in 0..SHOPS {
            let resource = provider.opens("UTC", &week).await;
            let offering = provider.offers(&slot_offering(&resource, 30, 30_000)).await;
            // Until its first reader waited for it, it may not be shown yet.
            provider.see(&format!("/v1/offerings/{offering}")).await.ok();
            let (next, taken) = (AtomicU32::new(0), std::sync::Mutex::default());
            shops.push(Arc::new(Shop { offering, first: instant(FIRST), next, taken }));
        }
        let (news, heard) = watch::channel(News::default());
        let (notes, stop) = (Arc::new(Notes::default()), CancellationToken::new());
        let token = format!("Bearer {}", provider.token().unwrap());
        let address = world.node().address();
        let listening = listen(address, token, news, Arc::clone(&notes), stop.clone());
        let listening = Handle::current().spawn(listening);
        Self { world, targets, truth, news: heard, notes, shops, customers: 0, stop, listening }
    }

    /// Somebody new.
    pub(crate) fn customer(&mut self) -> Customer {
        self.customers = self.customers.saturating_add(1);
        let caller = self.world.customer(self.customers);
        let number = usize::try_from(self.customers).unwrap();
        let shop = Arc::clone(&self.shops[number.checked_rem(SHOPS).unwrap()]);
        let notes = Arc::clone(&self.notes);
        Customer::new(caller, shop, notes, u64::from(self.customers))
    }

    /// Ends; what holds after each scenario holds.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        self.listening.await.unwrap();
        self.world.close().await;
    }
}
