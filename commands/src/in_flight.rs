//! Copies of one command do not race: the second waits until the first has its answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_domain::ids::CommandId;
use tokio::sync::watch;

use crate::request::CommandError;

type Turns = Arc<Mutex<BTreeMap<CommandId, watch::Receiver<()>>>>;

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
    /// Waits for the turn, at most `limit`.
    pub async fn enter(&self, id: CommandId, limit: Duration) -> Result<Turn, CommandError> {
        let turn = async {
            loop {
                let mut other = match self.take(id) {
                    Ok(turn) => return turn,
                    Err(other) => other,
                };
                // An error says that the other copy ended, which is what is waited for.
                while other.changed().await.is_ok() {}
            }
        };
        tokio::time::timeout(limit, turn).await.map_err(|_too_long| CommandError::InFlight)
    }

    fn take(&self, id: CommandId) -> Result<Turn, watch::Receiver<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = turns.get(&id) {
            return Err(other.clone());
        }
        let (ends, waits) = watch::channel(());
        turns.insert(id, waits);
        Ok(Turn { id, turns: Arc::clone(&self.turns), _ends: ends })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.remove(&self.id);
    }
}
