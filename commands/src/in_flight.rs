//! Copies of one command do not race: the second waits until the first has its answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_domain::ids::CommandId;
use tokio::sync::watch;

use crate::patience::Waits;
use crate::request::CommandError;

type Turns = Arc<Mutex<BTreeMap<CommandId, First>>>;

/// The copy under way, as the others see it.
#[derive(Debug, Clone)]
struct First {
    /// Closes when it ends.
    ends: watch::Receiver<()>,
    /// Whether it waits for somebody else than the stores.
    elsewhere: watch::Receiver<bool>,
}

/// The commands under way in this process. Between processes the remembered answer decides.
#[derive(Debug, Clone, Default)]
pub struct InFlight {
    turns: Turns,
}

/// The right to be the one copy under way; given back on drop.
#[derive(Debug)]
pub struct Turn {
    id: CommandId,
    turns: Turns,
    /// Closes when the turn ends, which wakes those who wait.
    _ends: watch::Sender<()>,
}

impl InFlight {
    /// Waits for the turn, at most `limit`. Meanwhile `waits` says for whom the first copy waits.
    pub async fn enter(
        &self,
        id: CommandId,
        waits: &Waits,
        limit: Duration,
    ) -> Result<Turn, CommandError> {
        let turn = async {
            loop {
                match self.take(id, waits) {
                    Ok(turn) => return turn,
                    Err(first) => until_it_ends(first, waits).await,
                }
            }
        };
        tokio::time::timeout(limit, turn).await.map_err(|_too_long| CommandError::InFlight)
    }

    fn take(&self, id: CommandId, waits: &Waits) -> Result<Turn, First> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = turns.get(&id) {
            return Err(first.clone());
        }
        let (ends, ending) = watch::channel(());
        turns.insert(id, First { ends: ending, elsewhere: waits.shown() });
        Ok(Turn { id, turns: Arc::clone(&self.turns), _ends: ends })
    }
}

async fn until_it_ends(mut first: First, waits: &Waits) {
    loop {
        waits.elsewhere(*first.elsewhere.borrow_and_update());
        tokio::select! {
            // An error says that it ended.
            ended = first.ends.changed() => if ended.is_err() { break },
            Ok(()) = first.elsewhere.changed() => {}
        }
    }
    waits.elsewhere(false);
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_copy_waits_for_whom_the_first_one_waits() {
        let (flights, id) = (InFlight::default(), CommandId::from_uuid(Uuid::from_u128(1)));
        let ((first, _), (second, shown)) = (Waits::new(), Waits::new());
        let turn = flights.enter(id, &first, LIMIT).await.unwrap();
        let mut copy = std::pin::pin!(flights.enter(id, &second, LIMIT));
        for elsewhere in [false, true, false, true] {
            first.elsewhere(elsewhere);
            assert!(copy.as_mut().now_or_never().is_none(), "it is not its turn");
            assert_eq!(*shown.borrow(), elsewhere);
        }
        drop(first);
        drop(turn);
        assert!(copy.await.is_ok());
        assert!(!*shown.borrow(), "now it waits for itself");
    }
}
