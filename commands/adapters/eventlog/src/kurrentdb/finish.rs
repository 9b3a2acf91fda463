//! What remains of batches that broke off: found with their first write, written as it was meant,
//! by whoever looks first. Two who do it at once write the same. Also the remembered answers.

use eventstore::EventData;
use holdfast_domain::ids::CommandId;
use holdfast_domain::log::{AnsweredCommand, CommandRecord, Hash, Position, ReadError, Revision};
use sha2::{Digest, Sha256};

use super::Core;
use super::calls::Along;
use super::envelope::{Found, Piece, wire_id};
use super::link::Failure;
use super::rest::{Answer, Rest, Unreadable};
use super::write::Unwritten;

/// What a remembered answer is called in its stream.
const ANSWERED: &str = "command.answered";
/// How many of the newest events are looked at when the log is opened.
const LOOKED_AT: usize = 64;

fn stream_of(command: CommandId) -> String {
    format!("command-{command}")
}

fn unavailable(why: Failure) -> ReadError {
    ReadError::Unavailable(why.why())
}

impl Core {
    /// The remembered answer of a command.
    pub(super) async fn answered(
        &self,
        command: CommandId,
    ) -> Result<Option<AnsweredCommand>, ReadError> {
        let found = self.link.read(&stream_of(command), Revision(0), 1).await;
        let Some(found) = found.map_err(unavailable)?.pop() else { return Ok(None) };
        let place = Position(found.position.prepare);
        let malformed = |why: String| ReadError::Malformed { position: place, why };
        let answer: Answer =
            serde_json::from_slice(&found.data).map_err(|why| malformed(why.to_string()))?;
        let read = |answer: &Answer| -> Result<AnsweredCommand, Unreadable> {
            Ok(AnsweredCommand { record: answer.record()?, position: answer.position()? })
        };
        read(&answer).map(Some).map_err(|why| malformed(why.to_string()))
    }

    /// Remembers an answer; gives back the one that is remembered when there was one.
    pub(super) async fn remember(
        &self,
        record: &CommandRecord,
        position: Position,
    ) -> Result<Option<AnsweredCommand>, Failure> {
        let refused = |why: &dyn std::fmt::Display| Failure::Refused(why.to_string());
        let answer = Answer::of(record, Some(position));
        let data = EventData::json(ANSWERED, &answer).map_err(|why| refused(&why))?;
        // Said twice it is the same event; another answer to the command is another event.
        let bytes = serde_json::to_vec(&answer).map_err(|why| refused(&why))?;
        let id = wire_id(Hash(Sha256::digest(bytes).into()));
        let stream = stream_of(record.id);
        match self.link.append(&stream, None, &[data.id(id)]).await {
            Ok(_) => Ok(None),
            // Some answer stands: this one, or one that another process was faster with.
            Err(Failure::WrongRevision) => {
                let before = self.answered(record.id).await;
                before.map_err(|why| Failure::Unclear(why.to_string()))
            }
            Err(why) => Err(why),
        }
    }

    /// Finishes the batch that the last of these events begins, unless it is known to be finished.
    /// A stream that has moved on ends it: then its process finds the next step.
    pub(super) async fn finish(&self, found: &[Found]) -> Result<(), ReadError> {
        let Some(last) = found.last() else { return Ok(()) };
        // The first event of the last append carries the rest.
        let count = found.len();
        let Some((at, first)) =
            found.iter().enumerate().rev().find(|(_, found)| found.rest.is_some())
        else {
            return Ok(());
        };
        let of_last = u64::try_from(count.saturating_sub(at))
            .is_ok_and(|behind| behind == first.left.saturating_add(1));
        let Some(rest) = first.rest.as_ref().filter(|_| of_last) else { return Ok(()) };
        if self.is_settled(last.event.hash) {
            return Ok(());
        }
        self.carry_out(rest, last.event.position).await?;
        self.note_settled(last.event.hash);
        Ok(())
    }

    async fn carry_out(&self, rest: &Rest, first: Position) -> Result<(), ReadError> {
        let malformed =
            |why: Unreadable| ReadError::Malformed { position: first, why: why.to_string() };
        let (pieces, command) =
            (rest.pieces().map_err(malformed)?, rest.command().map_err(malformed)?);
        if self.is_done(&pieces, command.as_ref()).await? {
            return Ok(());
        }
        let mut position = first;
        for piece in pieces {
            match self.put(&piece, None).await {
                Ok(stands) => position = position.max(stands.position),
                Err(Unwritten::Moved(_)) => {
                    let stream = piece.stream;
                    tracing::warn!(%stream, "a batch that broke off is left to its process");
                    return Ok(());
                }
                Err(Unwritten::Failed(why)) => return Err(unavailable(why)),
            }
        }
        if let Some(record) = command {
            let _before = self.remember(&record, position).await.map_err(unavailable)?;
        }
        self.seen(position);
        Ok(())
    }

    /// Whether the last part of a rest stands: then all of it does.
    async fn is_done(
        &self,
        pieces: &[Piece],
        command: Option<&CommandRecord>,
    ) -> Result<bool, ReadError> {
        match (command, pieces.last()) {
            (Some(record), _) => Ok(self.answered(record.id).await?.is_some()),
            (None, Some(last)) => Ok(self.standing(last).await.map_err(unavailable)?.is_some()),
            (None, None) => Ok(true),
        }
    }

    /// Looks at the newest events for batches that broke off when a node died.
    pub(super) async fn finish_newest(&self) -> Result<(), ReadError> {
        let newest = self.link.read_all(Along::End, LOOKED_AT).await.map_err(unavailable)?;
        for recorded in newest {
            let found = self.link.open(recorded)?;
            if found.rest.is_some() {
                let stream = found.event.stream.clone();
                let behind = self.link.read(&stream, found.event.revision, super::PAGE).await;
                let behind: Result<Vec<_>, _> = behind
                    .map_err(unavailable)?
                    .into_iter()
                    .map(|recorded| self.link.open(recorded))
                    .collect();
                self.finish(&behind?).await?;
            }
        }
        Ok(())
    }
}
