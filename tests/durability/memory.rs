//! What clients remember, held against what is on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use holdfast_domain::event::Event;
use holdfast_domain::ids::CommandId;
use holdfast_domain::log::{Position, Recorded};
use holdfast_domain::payment::PaymentEvent;

use crate::evidence::Evidence;
use crate::history::{Entry, Kind, Known};

/// Everything in which memory and disk differ.
pub(crate) fn violations(history: &[Entry], evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    let mut appends: BTreeMap<CommandId, BTreeSet<Position>> = BTreeMap::new();
    for recorded in &evidence.events {
        appends.entry(recorded.metadata.command_id).or_default().insert(recorded.append_end);
    }
    let none = BTreeSet::new();
    for entry in history {
        let own = appends.get(&entry.command()).unwrap_or(&none);
        if let Err(why) = judge(entry, own, evidence) {
            let asked = (&entry.asked.method, &entry.asked.path, &entry.asked.key);
            found.push(format!("{asked:?} {:?}: {why}", entry.known));
        }
    }
    found.extend(out_of_order(history, &appends));
    found
}

fn judge(entry: &Entry, own: &BTreeSet<Position>, evidence: &Evidence) -> Result<(), String> {
    if own.len() > 1 {
        return Err(format!("it had {} effects", own.len()));
    }
    let remembered = evidence.answers.get(&entry.command());
    match &entry.known {
        Known::Unknown(_) => Ok(()),
        Known::Acknowledged(answer) => {
            let remembered = remembered.ok_or("acknowledged, and not in the log")?;
            let (status, body) = (remembered.record.status, &remembered.record.body);
            if (status, body) != (answer.status, &answer.body) {
                return Err("the log remembers another answer".to_owned());
            }
            if remembered.position != Position(answer.position) {
                return Err(format!("the log has it at {}", remembered.position));
            }
            let here = evidence.events.binary_search_by_key(&remembered.position, |it| it.position);
            if here.is_err() {
                return Err("there is no event at its position".to_owned());
            }
            match entry.kind {
                Kind::Creates if *own != BTreeSet::from([remembered.position]) => {
                    Err(format!("it was acknowledged, and its effects are {own:?}"))
                }
                Kind::Creates | Kind::Changes | Kind::Pays => Ok(()),
            }
        }
        Known::Refused { status, .. } => {
            if remembered.is_some_and(|known| known.record.status != *status) {
                return Err("the log remembers another answer".to_owned());
            }
            match entry.kind {
                Kind::Creates | Kind::Changes if !own.is_empty() => {
                    Err("it was refused, and had an effect".to_owned())
                }
                Kind::Creates | Kind::Changes => Ok(()),
                Kind::Pays => refused_payment(entry, &evidence.events),
            }
        }
    }
}

/// A refused payment leaves an intent and the provider's no, and nothing was taken by it.
fn refused_payment(entry: &Entry, events: &[Recorded]) -> Result<(), String> {
    let Known::Refused { code, .. } = &entry.known else { return Ok(()) };
    let started = events.iter().find_map(|recorded| {
        let Event::Payment(PaymentEvent::ConfirmStarted { attempt, .. }) = &recorded.event else {
            return None;
        };
        let own = recorded.metadata.command_id == entry.command();
        own.then_some((recorded.stream, *attempt))
    });
    let Some((stream, wanted)) = started else { return Ok(()) };
    let captured = events.iter().filter(|it| it.stream == stream).any(|it| {
        let Event::Payment(PaymentEvent::Captured { attempt, .. }) = &it.event else {
            return false;
        };
        *attempt == wanted
    });
    // Money that came when the seat was gone is returned: that refusal says so.
    if captured && code != "hold_expired" {
        return Err("it was refused, and its money was taken".to_owned());
    }
    Ok(())
}

/// A command that began after another was acknowledged stands behind it in the log.
fn out_of_order(
    history: &[Entry],
    appends: &BTreeMap<CommandId, BTreeSet<Position>>,
) -> Vec<String> {
    let mut ended: Vec<(Instant, Position)> = Vec::new();
    let mut began: Vec<(Instant, Position)> = Vec::new();
    for entry in history.iter().filter(|entry| !entry.was_unclear) {
        if let (Known::Acknowledged(_), Some(own)) = (&entry.known, appends.get(&entry.command()))
            && let Some(position) = own.first()
        {
            ended.push((entry.ended, *position));
            began.push((entry.began, *position));
        }
    }
    ended.sort_unstable();
    began.sort_unstable();
    let (mut found, mut before, mut highest) =
        (Vec::new(), ended.iter().peekable(), Position::START);
    for (began, position) in &began {
        while let Some((_, acknowledged)) = before.next_if(|(ended, _)| ended < began) {
            highest = highest.max(*acknowledged);
        }
        if *position <= highest {
            found.push(format!("position {position} was given after {highest} was acknowledged"));
        }
    }
    found
}
