//! What became of a command before: the remembered answer, also where only a failed append tells of it.

use holdfast_domain::log::{AnsweredCommand, AppendError, EventLog};
use holdfast_domain::process::Step;

use crate::owner::Done;
use crate::request::{Answer, CommandError, Request};
use crate::use_case::Outcome;

/// The answer that was remembered, when the request is the same.
pub fn remembered(request: &Request, answered: AnsweredCommand) -> Result<Done, CommandError> {
    if answered.record.fingerprint != request.fingerprint {
        return Err(CommandError::KeyReused);
    }
    let outcome = Outcome::answer(answered.record.status, answered.record.body.clone());
    let position = answered.position;
    let answer = Answer {
        status: answered.record.status,
        body: answered.record.body,
        revision: answered.record.revision,
        position,
        replayed: true,
        would_write: None,
    };
    Ok(Done { answer: Some(answer), outcome, position })
}

/// What a caller is told whose append failed: perhaps another copy of the command was answered.
pub async fn explain(
    log: &dyn EventLog,
    request: &Request,
    error: AppendError,
) -> Result<Done, CommandError> {
    let id = request.remembered_as.unwrap_or(request.command_id);
    match error {
        AppendError::Answered(answered) if answered.record.id == id => {
            remembered(request, *answered)
        }
        // Not the answer, only the note that a copy on another node has begun.
        AppendError::Answered(noted) => remembered(request, *noted).map(|done| Done {
            answer: None,
            outcome: Outcome::step(Step::Rest),
            ..done
        }),
        AppendError::Conflict { .. } => Err(CommandError::Contended),
        AppendError::Ambiguous(why) => match log.answered(id).await {
            Ok(Some(answered)) => remembered(request, answered),
            Ok(None) | Err(_) => Err(CommandError::Unavailable(why)),
        },
        AppendError::Unavailable(why) | AppendError::Unsupported(why) => {
            Err(CommandError::Unavailable(why))
        }
    }
}
