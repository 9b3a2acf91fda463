//! The verifier with the heads that an auditor kept: both chains, and whether each of those heads is
//! still there. Pure; the lines come from [`super::source`].

use std::str::FromStr;

use holdfast_domain::log::{Hash, Position, StoredBatch};
use holdfast_eventlog::export::{self, Line};
use holdfast_eventlog::verify::{self, Verifier};

use super::{Broken, Head, Verdict};

/// A head of the log that somebody saw before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    position: Position,
    hash: Hash,
    found: Option<Hash>,
}

impl FromStr for Anchor {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str =
            "a head is written POSITION:HASH, with 64 lower-case hexadecimal digits";
        let (position, hash) = text.split_once(':').ok_or(SHAPE)?;
        let position = position.parse().map(Position).map_err(|_not_a_number| SHAPE)?;
        let hash = export::hash(hash).map_err(|_not_a_hash| SHAPE)?;
        Ok(Self { position, hash, found: None })
    }
}

/// Judges a log line by line.
#[derive(Debug)]
pub struct Judge {
    verifier: Verifier,
    anchors: Vec<Anchor>,
    first: Option<StoredBatch>,
    last: Option<StoredBatch>,
    unreadable: Option<Broken>,
}

impl Judge {
    /// For a whole log that must contain these heads.
    pub fn new(anchors: Vec<Anchor>) -> Self {
        Self { verifier: Verifier::new(), anchors, first: None, last: None, unreadable: None }
    }

    /// For a log in a store that keeps no chain of commits: each stream's chain is judged.
    pub fn of_streams(anchors: Vec<Anchor>) -> Self {
        Self { verifier: Verifier::of_streams(), ..Self::new(anchors) }
    }

    /// The next line.
    pub fn line(&mut self, line: &Line) {
        match line {
            Line::Event(event) => self.verifier.event(event),
            Line::Batch(batch) => {
                self.verifier.batch(batch);
                self.first.get_or_insert(*batch);
                self.last = Some(*batch);
                for anchor in self.anchors.iter_mut().filter(|it| it.position == batch.last) {
                    anchor.found = Some(batch.hash);
                }
            }
        }
    }

    /// Nothing can be read from here on.
    pub fn unreadable(&mut self, place: &str, why: String) {
        self.unreadable = Some(Broken {
            what: format!("{place} cannot be read"),
            position: self.last.map_or(0, |batch| batch.last.0),
            stream: None,
            revision: None,
            expected: "an event or a commit".to_owned(),
            found: why,
        });
    }

    /// The number of the first commit seen, when it is not the first of a log: the chains begin
    /// before it, and nothing can be said about what follows.
    pub fn late_beginning(&self) -> Option<u64> {
        self.first.map(|batch| batch.number).filter(|number| *number > 1)
    }

    /// The end of the log.
    pub fn finish(self) -> Verdict {
        let report = self.verifier.finish();
        // What comes after an unreadable line was not seen: that line is the first cause, unless
        // something before it does not hold either.
        let uncovered = |found: &verify::Failure| found.what == verify::Broken::Uncovered;
        let cut = self.unreadable.is_some();
        let chain = report.failure.filter(|found| !(cut && uncovered(found))).map(broken);
        let found = self.anchors.iter().filter(|anchor| anchor.found == Some(anchor.hash)).count();
        let gone = self.anchors.iter().find(|anchor| anchor.found != Some(anchor.hash));
        let failure = chain.or(self.unreadable).or_else(|| gone.map(missing));
        Verdict {
            ok: failure.is_none(),
            events: report.events,
            streams: report.streams.len(),
            batches: report.batches,
            head: self.last.map(|batch| Head {
                position: batch.last.0,
                batch: batch.number,
                hash: batch.hash.to_string(),
            }),
            heads_found: found,
            failure,
        }
    }
}

fn broken(failure: verify::Failure) -> Broken {
    Broken {
        what: failure.what.to_string(),
        position: failure.position.0,
        stream: failure.stream,
        revision: failure.revision.map(|revision| revision.0),
        expected: failure.expected,
        found: failure.found,
    }
}

fn missing(anchor: &Anchor) -> Broken {
    let found = anchor.found.map_or("no commit ends here".to_owned(), |hash| hash.to_string());
    Broken {
        what: "a head that was seen before is not there".to_owned(),
        position: anchor.position.0,
        stream: None,
        revision: None,
        expected: anchor.hash.to_string(),
        found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_a_position_and_a_hash() {
        let hash = "0".repeat(64);
        assert!(format!("7:{hash}").parse::<Anchor>().is_ok());
        for wrong in ["", "7", "7:", &format!(":{hash}"), &format!("x:{hash}"), "7:00"] {
            assert!(wrong.parse::<Anchor>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_log_holds_but_not_with_a_head() {
        assert!(Judge::new(vec![]).finish().ok);
        let anchor = format!("1:{}", "0".repeat(64)).parse().unwrap();
        let verdict = Judge::new(vec![anchor]).finish();
        assert_eq!(verdict.failure.map(|broken| broken.position), Some(1));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_a_failure() {
        let mut judge = Judge::new(vec![]);
        judge.unreadable("line 1 of x", "no JSON".to_owned());
        assert!(!judge.finish().ok);
    }
}
