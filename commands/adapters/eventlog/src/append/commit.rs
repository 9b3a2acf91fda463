//! One round of group commit: a transaction for all of it; when the store refuses a row, a
//! transaction for each, so that one bad batch harms no other; when the answer to a commit is
//! lost, a look at what stands.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use holdfast_commands::failpoint;
use holdfast_domain::log::{AppendError, Hash, Position};

use super::{Job, Shared, Size};
use crate::batch::{Judge, Outcome, Prepared, Written, claims, holds, placed, suspects, wanted};
use crate::store::{Commit, Known, Stood, Store, StoreError, Tail};

/// How often a commit is tried again when somebody else was in its way.
const TRIES: u32 = 4;
/// How long such a try waits at most, the first time; each time twice as long.
const PAUSE: Duration = Duration::from_millis(8);

/// Batches that go into one commit, and what belongs to their group.
#[derive(Debug)]
struct Part<'a> {
    batches: &'a [Prepared],
    written: &'a mut Written,
    answers: &'a mut Vec<Outcome>,
}

/// Why nothing, or nobody knows what, was written.
#[derive(Debug)]
enum Failure {
    NotWritten(StoreError),
    /// The commit itself gave no definite answer.
    Unclear(StoreError),
}

/// Commits the jobs and fills in their answers.
pub(super) async fn commit_round<S: Store>(store: &mut S, shared: &Shared, jobs: &mut [Job]) {
    match jobs {
        [job] => for_group(store, shared, job).await,
        several => {
            let mut parts: Vec<_> = several.iter_mut().map(whole).collect();
            if let Err(failure) = attempt(store, shared, &mut parts, false).await {
                match failure {
                    Failure::NotWritten(StoreError::Rejected(_))
                    | Failure::Unclear(StoreError::Lost(_)) => {
                        let resolving = matches!(failure, Failure::Unclear(_));
                        one_by_one(store, shared, parts, resolving).await;
                    }
                    Failure::NotWritten(_) | Failure::Unclear(_) => {
                        give_up(shared, &mut parts, &failure);
                    }
                }
            }
        }
    }
}

/// Each part in its own commit. A store that does not even answer a look for a lost commit is not
/// asked again for each of those that wait: nobody knows what became of them.
async fn one_by_one<S: Store>(
    store: &mut S,
    shared: &Shared,
    parts: Vec<Part<'_>>,
    resolving: bool,
) {
    let mut unknown = None;
    for mut part in parts {
        if let Some(why) = &unknown {
            let unknown = Err(AppendError::Ambiguous(String::clone(why)));
            part.answers.extend(std::iter::repeat_n(unknown, part.batches.len()));
            continue;
        }
        alone(store, shared, &mut part, resolving).await;
        unknown = part.answers.iter().find_map(|answer| match answer {
            Err(AppendError::Ambiguous(why)) if resolving => Some(why.clone()),
            Ok(_) | Err(_) => None,
        });
    }
}

fn whole(job: &mut Job) -> Part<'_> {
    Part { batches: &job.batches, written: &mut job.written, answers: &mut job.answers }
}

/// One group; split only when it is larger than a commit.
async fn for_group<S: Store>(store: &mut S, shared: &Shared, job: &mut Job) {
    let mut rest = job.batches.as_slice();
    while !rest.is_empty() {
        let mut size = Size::default();
        let fitting = rest
            .iter()
            .take_while(|batch| {
                size = size.plus(Size::of_batch(batch));
                size.fits()
            })
            .count();
        let (batches, later) = rest.split_at_checked(fitting.max(1)).unwrap_or((rest, &[]));
        rest = later;
        let mut part = Part { batches, written: &mut job.written, answers: &mut job.answers };
        alone(store, shared, &mut part, false).await;
    }
}

/// One part in its own commit; batch by batch when the store refuses a row.
async fn alone<S: Store>(store: &mut S, shared: &Shared, part: &mut Part<'_>, resolving: bool) {
    let single = |part: &mut Part<'_>| part.batches.len() <= 1;
    match attempt(store, shared, std::slice::from_mut(part), resolving).await {
        Ok(()) => {}
        Err(failure) if single(part) => singled(store, shared, part, resolving, failure).await,
        Err(failure) => {
            let looks = matches!(failure, Failure::Unclear(StoreError::Lost(_)));
            if looks || matches!(failure, Failure::NotWritten(StoreError::Rejected(_))) {
                for batch in part.batches {
                    let batches = std::slice::from_ref(batch);
                    let mut one =
                        Part { batches, written: &mut *part.written, answers: &mut *part.answers };
                    let resolving = resolving || looks;
                    if let Err(failure) =
                        attempt(store, shared, std::slice::from_mut(&mut one), resolving).await
                    {
                        singled(store, shared, &mut one, resolving, failure).await;
                    }
                }
            } else {
                let failure = if resolving { failure.after_a_lost_answer() } else { failure };
                give_up(shared, std::slice::from_mut(part), &failure);
            }
        }
    }
}

/// The end of the way for one batch: a lost answer is looked up once, everything else is told.
async fn singled<S: Store>(
    store: &mut S,
    shared: &Shared,
    part: &mut Part<'_>,
    resolving: bool,
    failure: Failure,
) {
    let part = std::slice::from_mut(part);
    if matches!(failure, Failure::Unclear(StoreError::Lost(_))) && !resolving {
        if let Err(again) = attempt(store, shared, part, true).await {
            give_up(shared, part, &again.after_a_lost_answer());
        }
    } else if resolving {
        give_up(shared, part, &failure.after_a_lost_answer());
    } else {
        give_up(shared, part, &failure);
    }
}

impl Failure {
    fn why(&self) -> &StoreError {
        match self {
            Self::NotWritten(why) | Self::Unclear(why) => why,
        }
    }

    /// It may stand since the first try, whatever the second one says.
    fn after_a_lost_answer(self) -> Self {
        match self {
            Self::NotWritten(why) | Self::Unclear(why) => Self::Unclear(why),
        }
    }
}

/// Answers batches that were not written, or of which nobody knows.
fn give_up(shared: &Shared, parts: &mut [Part<'_>], failure: &Failure) {
    let why = failure.why();
    if matches!(why, StoreError::Failed(_)) {
        poison(shared, why);
    }
    let error = match (failure, why) {
        (Failure::Unclear(_), _) => AppendError::Ambiguous(why.to_string()),
        (Failure::NotWritten(_), StoreError::Rejected(_)) => {
            AppendError::Unsupported(why.to_string())
        }
        (
            Failure::NotWritten(_),
            StoreError::Busy(_)
            | StoreError::Again(_)
            | StoreError::Lost(_)
            | StoreError::Failed(_),
        ) => AppendError::Unavailable(why.to_string()),
    };
    for part in parts {
        part.answers.extend(std::iter::repeat_n(Err(error.clone()), part.batches.len()));
    }
}

fn poison(shared: &Shared, why: &StoreError) {
    tracing::error!(%why, "the log's store failed; nothing is appended any more");
    shared.poisoned.send_if_modified(|poisoned| {
        let first = poisoned.is_none();
        poisoned.get_or_insert_with(|| format!("the store failed: {why}"));
        first
    });
}

/// One transaction. Answers and what a group has written are filled in only when it stands.
async fn attempt<S: Store>(
    store: &mut S,
    shared: &Shared,
    parts: &mut [Part<'_>],
    resolving: bool,
) -> Result<(), Failure> {
    if let Some(why) = shared.poisoned.borrow().clone() {
        return Err(Failure::NotWritten(StoreError::Failed(why)));
    }
    failpoint::hit("store.before_begin");
    let mut tries = 1;
    loop {
        match transaction(store, shared, parts, resolving).await {
            Ok(judged) => {
                for (part, (written, answers)) in parts.iter_mut().zip(judged) {
                    *part.written = written;
                    part.answers.extend(answers);
                }
                return Ok(());
            }
            Err(Failure::NotWritten(StoreError::Again(_))) if tries < TRIES => {
                store.rollback().await;
                pause(tries).await;
                tries = tries.saturating_add(1);
            }
            Err(failure) => {
                store.rollback().await;
                return Err(failure);
            }
        }
    }
}

/// Waits a little, and not as long as whoever else was in the way does.
async fn pause(tries: u32) {
    let longest = PAUSE.saturating_mul(1_u32.checked_shl(tries).unwrap_or(1));
    let part = u32::try_from(RandomState::new().hash_one(tries) % 8).unwrap_or(0);
    let eighth = longest.checked_div(8).unwrap_or(longest);
    tokio::time::sleep(eighth.saturating_mul(part.saturating_add(1))).await;
}

/// What each part has written, and what its batches are answered.
type Judged = Vec<(Written, Vec<Outcome>)>;

fn judged<'a>(judge: &mut Judge<'a>, parts: &[Part<'a>]) -> Judged {
    let of = |part: &Part<'a>| {
        let mut written = part.written.clone();
        let answers = part.batches.iter().map(|batch| judge.judge(batch, &mut written)).collect();
        (written, answers)
    };
    parts.iter().map(of).collect()
}

/// One visit, without looking first. None when there is something to be looked at; then nothing
/// was written.
async fn at_once<S: Store>(
    store: &mut S,
    shared: &Shared,
    parts: &[Part<'_>],
) -> Result<Option<Judged>, Failure> {
    let Some(claims) = claims(parts.iter().map(|part| (part.batches, &*part.written))) else {
        return Ok(None);
    };
    let heads = claims.iter().filter_map(|(stream, head)| Some((*stream, (*head)?))).collect();
    let known = Known { heads, ..Known::default() };
    let start = Tail { position: Position::START, batch: 0, hash: Hash::ZERO };
    let mut judge = Judge::new(known, Stood::new(), start, false);
    let mut judged = judged(&mut judge, parts);
    let commit = judge.into_unlinked();
    let holding = judged.iter().flat_map(|(_, answers)| answers).all(holds);
    if !holding || commit.events.is_empty() && commit.answers.is_empty() {
        return Ok(None);
    }
    let Some(tail) = store.at_once(&claims, &commit).await.map_err(unclear)? else {
        return Ok(None);
    };
    failpoint::hit("store.after_commit");
    let count = u64::try_from(commit.events.len()).unwrap_or(u64::MAX);
    let before = Position(tail.position.0.saturating_sub(count));
    for (_, answers) in &mut judged {
        let placed = std::mem::take(answers).into_iter().map(|outcome| placed(outcome, before));
        *answers = placed.collect();
    }
    let last = (!commit.events.is_empty()).then_some(tail.position);
    account(shared, &judged, &commit, last);
    Ok(Some(judged))
}

/// What a refused commit means for its batches.
fn unclear(why: StoreError) -> Failure {
    match why {
        StoreError::Busy(_) | StoreError::Again(_) | StoreError::Rejected(_) => {
            Failure::NotWritten(why)
        }
        StoreError::Lost(_) | StoreError::Failed(_) => Failure::Unclear(why),
    }
}

/// Counts a commit that stands, and tells who waits for it.
fn account(shared: &Shared, judged: &Judged, commit: &Commit<'_>, last: Option<Position>) {
    let answers = || judged.iter().flat_map(|(_, answers)| answers);
    let conflicts =
        answers().filter(|answer| matches!(answer, Err(AppendError::Conflict { .. }))).count();
    shared.counters.committed(answers().count(), commit.events.len(), conflicts);
    if let Some(last) = last {
        // Another task's later commit may have been heard of before.
        shared.head.send_if_modified(|head| {
            let news = *head < last;
            *head = last.max(*head);
            news
        });
    }
}

async fn transaction<S: Store>(
    store: &mut S,
    shared: &Shared,
    parts: &[Part<'_>],
    resolving: bool,
) -> Result<Judged, Failure> {
    // What may stand already has to be looked at.
    if S::AT_ONCE
        && !resolving
        && let Some(judged) = at_once(store, shared, parts).await?
    {
        return Ok(judged);
    }
    let all: Vec<_> = parts.iter().flat_map(|part| part.batches).collect();
    let (tail, known) = store.begin(&wanted(&all)).await.map_err(Failure::NotWritten)?;
    let suspects = suspects(&all, &known);
    let stood = store.stood(&suspects).await.map_err(Failure::NotWritten)?;
    let mut judge = Judge::new(known, stood, tail, resolving);
    let judged = judged(&mut judge, parts);
    let commit = judge.into_commit();
    if commit.events.is_empty() && commit.answers.is_empty() {
        store.rollback().await;
        return Ok(judged);
    }
    store.write(&commit).await.map_err(Failure::NotWritten)?;
    failpoint::hit("store.before_commit");
    store.commit().await.map_err(unclear)?;
    failpoint::hit("store.after_commit");
    account(shared, &judged, &commit, commit.batch.map(|batch| batch.last));
    Ok(judged)
}
