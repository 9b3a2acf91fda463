//! What must hold in each cell. Pure: notes and evidence in, violations out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_domain::ids::CommandId;
use holdfast_domain::log::Position;

use crate::notes::Note;
use crate::truth::Evidence;

/// How long anybody may wait for an answer.
pub(crate) const ANSWER_MAX: Duration = Duration::from_millis(2_500);
/// How long a healed store may go unused.
pub(crate) const RECOVERY_MAX: Duration = Duration::from_secs(5);

/// What the answers themselves violate. `steady`: no answer may be an error at all.
pub(crate) fn answers(notes: &[Note], steady: bool) -> Vec<String> {
    notes.iter().filter_map(|note| Some(format!("{}: {note:?}", wrong(note, steady)?))).collect()
}

fn wrong(note: &Note, steady: bool) -> Option<&'static str> {
    if note.status == 0 {
        return Some("there was no answer");
    }
    if note.took > ANSWER_MAX {
        return Some("the answer came too late");
    }
    if note.status >= 500 {
        if steady {
            return Some("an error, though no store of truth is at fault");
        }
        if note.status != 503 {
            return Some("an error that is none of the store");
        }
        if !note.says_when {
            return Some("nobody says when to come back");
        }
    }
    if note.command.is_none() && note.is_success() && note.position < note.wanted {
        return Some("older than what was asked for");
    }
    None
}

/// What the commands and the log violate together, and those commands whose fate nobody knows.
pub(crate) fn commands(notes: &[Note], evidence: &Evidence) -> Vec<String> {
    let mut known: BTreeMap<CommandId, Vec<&Note>> = BTreeMap::new();
    for note in notes {
        if let Some(command) = note.command {
            known.entry(command).or_default().push(note);
        }
    }
    let mut found = Vec::new();
    for (command, copies) in known {
        if let Err(why) = command_holds(command, &copies, evidence) {
            found.push(format!("{why}: {copies:?}"));
        }
    }
    found
}

fn command_holds(
    command: CommandId,
    copies: &[&Note],
    evidence: &Evidence,
) -> Result<(), &'static str> {
    let none = BTreeSet::new();
    let appends = evidence.appends.get(&command).unwrap_or(&none);
    let streams: BTreeSet<_> = appends.iter().map(|(stream, _)| stream).collect();
    if streams.len() < appends.len() {
        return Err("it had two effects");
    }
    let mut definite = copies.iter().filter(|note| note.is_definite());
    let first = definite.next().ok_or("its fate stays unknown")?;
    if !definite.all(|other| (other.status, &other.code) == (first.status, &first.code)) {
        return Err("it was answered in two ways");
    }
    if !first.is_success() {
        return if appends.is_empty() { Ok(()) } else { Err("it was refused, and had an effect") };
    }
    let remembered = evidence.answers.get(&command).ok_or("acknowledged, and not in the log")?;
    if first.position.map(Position) != Some(remembered.position) {
        return Err("the log has it elsewhere");
    }
    if remembered.record.status != first.status {
        return Err("the log remembers another answer");
    }
    if evidence.positions.contains(&remembered.position) {
        Ok(())
    } else {
        Err("there is no event at its position")
    }
}

/// What it violates that a healed store was used again so late, or never.
pub(crate) fn recovery(recovered: Option<Duration>) -> Option<String> {
    match recovered {
        Some(took) if took <= RECOVERY_MAX => None,
        Some(took) => Some(format!("it recovered after {took:?}")),
        None => Some("it never recovered".to_owned()),
    }
}
