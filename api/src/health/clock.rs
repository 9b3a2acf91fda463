//! Whether the node's clock agrees with its database's. Acceptance times come from the node's clock,
//! and within a stream time never runs back: nodes whose clocks differ would hold one another up.

use std::sync::Arc;
use std::time::Duration;

use holdfast_commands::ports::{Clock, StoreClock};
use holdfast_domain::log::Pending;
use holdfast_domain::time::Timestamp;

use super::check::Check;

/// How far the two may be apart.
const APART_MAX: Duration = Duration::from_millis(500);

/// Compares the two clocks.
#[derive(Debug)]
pub struct ClockCheck {
    /// The node's.
    pub node: Arc<dyn Clock>,
    /// The database's.
    pub store: Arc<dyn StoreClock>,
}

/// How far apart two clocks are at least, when one showed `store` at some moment between `before`
/// and `after` of the other.
fn apart(store: Timestamp, before: Timestamp, after: Timestamp) -> Duration {
    if store < before { before.since(store) } else { store.since(after) }
}

impl Check for ClockCheck {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn check(&self) -> Pending<'_, Result<String, String>> {
        Box::pin(async move {
            let before = self.node.now();
            let store = self.store.now().await.map_err(|why| why.to_string())?;
            let apart = apart(store, before, self.node.now());
            let account = format!("at least {} ms from the database's", apart.as_millis());
            if apart > APART_MAX {
                let max = APART_MAX.as_millis();
                return Err(format!("{account}, {max} ms are allowed: set the clocks by NTP"));
            }
            Ok(account)
        })
    }
}

#[cfg(test)]
mod tests {
    use holdfast_commands::ports::StoreClockUnavailable;
    use holdfast_gateways::test_clock::TestClock;

    use super::*;

    #[derive(Debug)]
    struct Shows(Result<Timestamp, StoreClockUnavailable>);

    impl StoreClock for Shows {
        fn now(&self) -> Pending<'_, Result<Timestamp, StoreClockUnavailable>> {
            Box::pin(std::future::ready(self.0.clone()))
        }
    }

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_way_to_the_store_and_back_is_no_difference() {
        let (before, after) = (instant("2026-11-02T00:00:00Z"), instant("2026-11-02T00:00:03Z"));
        let at = |text| apart(instant(text), before, after);
        assert_eq!(at("2026-11-02T00:00:02Z"), Duration::ZERO);
        assert_eq!(at("2026-11-01T23:59:59Z"), Duration::from_secs(1));
        assert_eq!(at("2026-11-02T00:00:05Z"), Duration::from_secs(2));
    }

    #[tokio::test]
    async fn clocks_that_are_too_far_apart_make_the_node_not_ready() {
        let start = instant("2026-11-02T00:00:10Z");
        for (store, ready) in [
            ("2026-11-02T00:00:09.9Z", true),
            ("2026-11-02T00:00:09.4Z", false),
            ("2026-11-02T00:00:10Z", true),
            ("2026-11-02T00:01:00Z", false),
        ] {
            let node = Arc::new(TestClock::starting_at(start));
            let check = ClockCheck { node, store: Arc::new(Shows(Ok(instant(store)))) };
            let said = check.check().await;
            assert_eq!(said.is_ok(), ready, "{store}: {said:?}");
        }
        let silent = Arc::new(Shows(Err(StoreClockUnavailable("gone".to_owned()))));
        let node = Arc::new(TestClock::starting_at(start));
        let said = ClockCheck { node, store: silent }.check().await.unwrap_err();
        assert_eq!(said, "the store's clock cannot be read: gone");
    }
}
