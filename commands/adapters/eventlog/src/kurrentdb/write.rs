//! Appends. The first write of a batch is its commit: it carries the rest, which is then written
//! stream by stream in the declared order, the answer last. What was written before is recognised
//! and passed over, so a batch that broke off is finished by saying it again.

use futures_util::future::{join, join_all};
use holdfast_domain::log::{
    AnsweredCommand, AppendError, Appended, Expected, Head, Position, Revision, StreamId,
};

use super::Core;
use super::calls::Along;
use super::envelope::{Found, Piece};
use super::link::Failure;
use super::rest::Rest;
use crate::batch::{Outcome, Prepared, PreparedWrite, Written, base};

/// The most bytes that may follow a first write, which carries them.
const REST_MAX: usize = 1 << 20;

/// A write that stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stands {
    pub(super) head: Head,
    pub(super) position: Position,
}

/// How the look before the first write found a stream.
#[derive(Debug, Clone, Copy)]
enum Looked {
    AsExpected,
    Stands(Stands),
    Otherwise(Option<Head>),
}

/// What a write came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unwritten {
    /// The stream is elsewhere.
    Moved(Option<Head>),
    /// The cluster failed.
    Failed(Failure),
}

impl Core {
    /// Appends the batches of a group in order. Once the cluster cannot be reached the others are
    /// not tried: each would wait as long.
    pub(super) async fn append(&self, group: Vec<Prepared>) -> Vec<Outcome> {
        let mut written = Written::new();
        let mut outcomes = Vec::with_capacity(group.len());
        let mut gone = None;
        for batch in group {
            let outcome = match &gone {
                None => self.append_one(&batch, &mut written).await,
                Some(why) => Err(AppendError::Unavailable(String::clone(why))),
            };
            if let Err(AppendError::Unavailable(why) | AppendError::Ambiguous(why)) = &outcome {
                gone.get_or_insert_with(|| why.clone());
            }
            let events = if outcome.is_ok() { batch.events } else { 0 };
            self.counters.committed(1, events, usize::from(is_conflict(&outcome)));
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn append_one(&self, batch: &Prepared, written: &mut Written) -> Outcome {
        if let Some(fault) = &batch.fault {
            return Err(AppendError::Unsupported(fault.clone()));
        }
        if !batch.guards.is_empty() {
            let why = "streams that are only read cannot be guarded on KurrentDB";
            return Err(AppendError::Unsupported(why.to_owned()));
        }
        let mut pieces = Vec::with_capacity(batch.writes.len());
        for write in &batch.writes {
            match base(write.stream, write.expected, written) {
                Ok(base) => pieces.push(piece(write, base)),
                Err(_unmet) => return Err(self.unmet(write).await),
            }
        }
        let (answered, looked) = join(self.answer_before(batch), self.look(batch, &pieces)).await;
        if let Some(answered) = answered? {
            return Err(AppendError::Answered(Box::new(answered)));
        }
        let looked = looked?;
        let stand = self.write_all(batch, &pieces, &looked).await?;
        let position = match stand.iter().map(|stands| stands.position).max() {
            Some(position) => position,
            None => self.end().await.map_err(|why| AppendError::Unavailable(why.why()))?,
        };
        if let Some(record) = &batch.command {
            let before = self.remember(record, position).await;
            let before = before.map_err(|why| unsettled(!pieces.is_empty(), why))?;
            if let Some(answered) = before.filter(|before| before.record != *record) {
                return Err(AppendError::Answered(Box::new(answered)));
            }
        }
        let heads: Vec<_> =
            pieces.iter().zip(&stand).map(|(piece, stands)| (piece.stream, stands.head)).collect();
        if let Some((_, first)) = heads.first() {
            self.note_settled(first.hash);
        }
        written.extend(heads.iter().copied());
        self.seen(position);
        Ok(Appended { position, heads })
    }

    /// The remembered answer to the batch's command. Looked for before anything is written: a
    /// command has one effect.
    async fn answer_before(
        &self,
        batch: &Prepared,
    ) -> Result<Option<AnsweredCommand>, AppendError> {
        let Some(record) = &batch.command else { return Ok(None) };
        let answered = self.answered(record.id).await;
        answered.map_err(|why| AppendError::Unavailable(why.to_string()))
    }

    async fn unmet(&self, write: &PreparedWrite) -> AppendError {
        match self.head_of(write.stream).await {
            Ok(actual) => conflict(write.stream, write.expected, actual),
            Err(why) => AppendError::Unavailable(why.why()),
        }
    }

    /// Looks at the streams before the first write. The server judges each write by itself and by
    /// number alone: this look keeps most batches that cannot stand whole from being begun, and
    /// tells streams of one length apart.
    async fn look(&self, batch: &Prepared, pieces: &[Piece]) -> Result<Vec<Looked>, AppendError> {
        let many = pieces.len() > 1;
        let looks = pieces.iter().map(|piece| self.look_at(piece, many));
        let mut found = Vec::with_capacity(pieces.len());
        for (looked, write) in join_all(looks).await.into_iter().zip(&batch.writes) {
            match looked.map_err(|why| AppendError::Unavailable(why.why()))? {
                Looked::Otherwise(actual) => {
                    return Err(conflict(write.stream, write.expected, actual));
                }
                fine @ (Looked::AsExpected | Looked::Stands(_)) => found.push(fine),
            }
        }
        Ok(found)
    }

    async fn look_at(&self, piece: &Piece, many: bool) -> Result<Looked, Failure> {
        // What this process has read or written at that number is what stands there.
        if !many && piece.base.is_none_or(|base| self.known(piece.stream) == Some(base)) {
            return Ok(Looked::AsExpected);
        }
        let actual = self.head_of(piece.stream).await?;
        if actual == piece.base {
            return Ok(Looked::AsExpected);
        }
        Ok(match self.standing(piece).await? {
            Some(stands) => Looked::Stands(stands),
            None => Looked::Otherwise(actual),
        })
    }

    async fn write_all(
        &self,
        batch: &Prepared,
        pieces: &[Piece],
        looked: &[Looked],
    ) -> Result<Vec<Stands>, AppendError> {
        let mut stand = Vec::with_capacity(pieces.len());
        for (index, ((piece, looked), write)) in
            pieces.iter().zip(looked).zip(&batch.writes).enumerate()
        {
            if let Looked::Stands(stands) = looked {
                stand.push(*stands);
                continue;
            }
            let rest = if index == 0 { rest(batch, pieces)? } else { None };
            match self.put(piece, rest).await {
                Ok(stands) => stand.push(stands),
                Err(Unwritten::Moved(actual)) => {
                    if index > 0 {
                        let stream = piece.stream;
                        tracing::warn!(%stream, "a batch stands in part: its process goes on");
                    }
                    return Err(conflict(write.stream, write.expected, actual));
                }
                Err(Unwritten::Failed(why)) => return Err(unsettled(index > 0, why)),
            }
        }
        Ok(stand)
    }

    /// Writes one stream's part, or finds that it stands.
    pub(super) async fn put(&self, piece: &Piece, rest: Option<Rest>) -> Result<Stands, Unwritten> {
        let events = piece.sealed(rest).map_err(|why| Unwritten::Failed(Failure::Refused(why)))?;
        let base = piece.base.map(|base| base.revision);
        let put = self.link.append(&piece.stream.to_string(), base, &events).await;
        let head = piece.heads().pop();
        match (put, head) {
            (Ok(position), Some(head)) if piece.events.len() == 1 => {
                self.note(piece.stream, head);
                Ok(Stands { head, position })
            }
            // The protocol does not say which of several events the position is of.
            (Ok(_) | Err(Failure::WrongRevision), _) => self.found(piece).await,
            (Err(why), _) => Err(Unwritten::Failed(why)),
        }
    }

    /// What became of a piece that the server has judged. Until its stream could be read it may
    /// stand, by this try or an earlier one.
    async fn found(&self, piece: &Piece) -> Result<Stands, Unwritten> {
        match self.standing(piece).await {
            Ok(Some(stands)) => {
                self.note(piece.stream, stands.head);
                Ok(stands)
            }
            Ok(None) => {
                Err(Unwritten::Moved(self.head_of(piece.stream).await.map_err(Unwritten::Failed)?))
            }
            Err(why) => Err(Unwritten::Failed(Failure::Unclear(why.why()))),
        }
    }

    /// Where the piece's very events stand, right behind its base.
    pub(super) async fn standing(&self, piece: &Piece) -> Result<Option<Stands>, Failure> {
        let stream = piece.stream.to_string();
        let from = piece.base.map_or(Revision(0), |base| base.revision);
        let based = usize::from(piece.base.is_some());
        let limit = piece.events.len().saturating_add(based);
        let found = self.link.read(&stream, from, limit).await?;
        let found: Result<Vec<_>, _> =
            found.into_iter().map(|recorded| self.link.open(recorded)).collect();
        let Ok(found) = found else { return Ok(None) };
        if piece.base.is_some_and(|base| found.first().map(Found::head) != Some(base)) {
            return Ok(None);
        }
        let standing = found.get(based..).unwrap_or_default();
        let same = standing.len() == piece.events.len()
            && standing.iter().zip(&piece.events).all(|(found, event)| found.id == event.event_id);
        let last = standing.last().filter(|_| same);
        Ok(last.map(|last| Stands { head: last.head(), position: last.event.position }))
    }

    /// The last event of a stream, as it stands now.
    pub(super) async fn head_of(&self, stream: StreamId) -> Result<Option<Head>, Failure> {
        let last = self.link.last(&stream.to_string()).await?;
        let last = last.map(|recorded| self.link.open(recorded)).transpose();
        let found = last.map_err(|why| Failure::Refused(why.to_string()))?;
        if let Some(found) = &found {
            self.note(stream, found.head());
        }
        Ok(found.map(|found| found.head()))
    }

    /// The position of the last event of ours.
    pub(super) async fn end(&self) -> Result<Position, Failure> {
        let last = self.link.read_all(Along::End, 1).await?;
        Ok(last.first().map_or(Position::START, |last| Position(last.position.prepare)))
    }
}

/// What a failure means to the caller. What was begun is finished by whoever looks next; what may
/// have been written has to be looked for.
fn unsettled(begun: bool, why: Failure) -> AppendError {
    match why {
        Failure::Unclear(why) => AppendError::Ambiguous(why),
        Failure::Refused(why) if !begun => AppendError::Unsupported(why),
        Failure::NotDone(_) | Failure::Missing | Failure::WrongRevision if !begun => {
            AppendError::Unavailable(why.why())
        }
        Failure::Refused(_) | Failure::NotDone(_) | Failure::Missing | Failure::WrongRevision => {
            AppendError::Ambiguous(why.why())
        }
    }
}

fn piece(write: &PreparedWrite, base: Option<Head>) -> Piece {
    Piece { stream: write.stream, base, events: write.events.clone() }
}

/// What the first write of a batch carries.
fn rest(batch: &Prepared, pieces: &[Piece]) -> Result<Option<Rest>, AppendError> {
    let following = pieces.get(1..).unwrap_or_default();
    let body = batch.command.as_ref().map_or(0, |record| record.body.len());
    let bytes = following
        .iter()
        .flat_map(|piece| &piece.events)
        .fold(body, |sum, event| sum.saturating_add(event.size()));
    if bytes > REST_MAX {
        let why = format!("more than {REST_MAX} bytes follow the first write of a batch");
        return Err(AppendError::Unsupported(why));
    }
    Ok(Rest::of(following, batch.command.as_ref()))
}

const fn conflict(stream: StreamId, expected: Expected, actual: Option<Head>) -> AppendError {
    AppendError::Conflict { stream, expected, actual }
}

const fn is_conflict(outcome: &Outcome) -> bool {
    matches!(outcome, Err(AppendError::Conflict { .. }))
}
