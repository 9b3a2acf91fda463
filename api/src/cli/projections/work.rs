//! What `holdfast projections list` shows of the nodes that share the read models: who keeps the views,
//! how the processes are divided, and which workers live.

use holdfast_commands::shares;
use holdfast_projections::keeper::{Terms, VIEWS};
use holdfast_projections::leases::Lease;
use holdfast_projections::presence::{Presence, workers};
use serde::Serialize;

/// A share of the work, or a worker.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Row {
    /// A share: `views`, or one of the processes.
    Share {
        /// Its name.
        share: String,
        /// The name of the node that has it; none when it lies idle.
        holder: Option<String>,
        /// How long the node has it without renewing it.
        remaining_ms: Option<u128>,
    },
    /// A worker that lives.
    Worker {
        /// Its name.
        worker: String,
        /// `able`, `bystander` or `stalled`.
        presence: &'static str,
        /// How many of the shares it has.
        shares: usize,
    },
}

/// The rows of these leases: each share there is, and each worker.
pub fn rows(mut standing: Vec<Lease>) -> Vec<Row> {
    // What stands longer than a term is of a clock that went back.
    standing.retain(|lease| lease.remaining <= Terms::default().term);
    let all: Vec<String> = std::iter::once(VIEWS.to_owned()).chain(shares::all()).collect();
    let held = |share: &String| standing.iter().find(|lease| lease.name == *share);
    let workers = workers(&standing).into_iter().map(|(worker, presence)| Row::Worker {
        worker: worker.to_owned(),
        presence: name(presence),
        shares: all.iter().filter_map(held).filter(|lease| lease.holder == worker).count(),
    });
    let workers: Vec<Row> = workers.collect();
    let shares = all.iter().map(|share| Row::Share {
        share: share.clone(),
        holder: held(share).map(|lease| lease.holder.clone()),
        remaining_ms: held(share).map(|lease| lease.remaining.as_millis()),
    });
    shares.chain(workers).collect()
}

const fn name(presence: Presence) -> &'static str {
    match presence {
        Presence::Able => "able",
        Presence::Bystander => "bystander",
        Presence::Stalled => "stalled",
    }
}

/// How a row looks to a person.
pub fn text(row: &Row) -> String {
    match row {
        Row::Share { share, holder: Some(holder), remaining_ms } => {
            let left = remaining_ms.unwrap_or_default();
            format!("share {share:<14} held by {holder}, {left} ms left")
        }
        Row::Share { share, holder: None, .. } => format!("share {share:<14} held by nobody"),
        Row::Worker { worker, presence, shares } => {
            format!("worker {worker}: {presence}, shares: {shares}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lease(name: &str, holder: &str) -> Lease {
        let remaining = Duration::from_millis(4_200);
        Lease { name: name.to_owned(), holder: holder.to_owned(), fence: 1, remaining }
    }

    #[test]
    fn each_share_names_who_has_it_and_each_worker_how_it_is() {
        let old = Lease { remaining: Duration::from_hours(1), ..lease("processes/3", "dead/4") };
        let standing = vec![
            lease("views", "one/1"),
            lease("processes/0", "one/1"),
            lease("processes/1", "two/2"),
            lease("worker/one/1", "one/1"),
            lease("bystander/two/2", "two/2"),
            lease("stalled/three/3", "three/3"),
            old,
        ];
        let shown: Vec<String> = rows(standing).iter().map(text).collect();
        let expected = [
            "share views          held by one/1, 4200 ms left",
            "share processes/0    held by one/1, 4200 ms left",
            "share processes/1    held by two/2, 4200 ms left",
            "share processes/2    held by nobody",
            "share processes/3    held by nobody",
        ];
        assert_eq!(shown[..5], expected);
        let workers = [
            "worker one/1: able, shares: 2",
            "worker three/3: stalled, shares: 0",
            "worker two/2: bystander, shares: 1",
        ];
        assert_eq!(shown[9..], workers);
    }

    #[test]
    fn a_row_in_json_says_by_its_first_field_what_it_is() {
        let rows = rows(vec![lease("views", "one/1"), lease("worker/one/1", "one/1")]);
        let json = |row: &Row| serde_json::to_string(row).unwrap();
        let views = r#"{"share":"views","holder":"one/1","remaining_ms":4200}"#;
        assert_eq!(json(&rows[0]), views);
        assert_eq!(json(&rows[1]), r#"{"share":"processes/0","holder":null,"remaining_ms":null}"#);
        assert_eq!(json(&rows[9]), r#"{"worker":"one/1","presence":"able","shares":1}"#);
    }
}
