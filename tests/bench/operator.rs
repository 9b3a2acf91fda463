//! Who gives the commands about views, as a process of the real binary beside the node.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use holdfast_test_stores::Schema;
use serde_json::Value;

use crate::node::binary;

/// Works on one view.
#[derive(Debug)]
pub(crate) struct Operator<'a> {
    pub(crate) data: &'a Path,
    pub(crate) schema: &'a Schema,
    pub(crate) view: &'a str,
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Said {
    /// From the start of the process to its end.
    pub(crate) took: Duration,
    /// From its first line to its last one: of a switch, from the plan to the word that it is done,
    /// without the process that starts and its connections.
    pub(crate) after_plan: Duration,
    lines: Vec<String>,
}

impl Operator<'_> {
    /// `holdfast projections …`.
    pub(crate) fn says(&self, what: &str, flags: &[&str]) -> Said {
        let began = Instant::now();
        let mut child = Command::new(binary())
            .args(["projections", what, self.view, "--data"])
            .arg(self.data)
            .args(flags)
            .env("HOLDFAST_LOG_URL", self.schema.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut lines, mut at) = (Vec::new(), Vec::new());
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            at.push(Instant::now());
            lines.push(line.unwrap());
        }
        let status = child.wait().unwrap();
        assert!(status.success(), "{what}: {status}");
        let (first, last) = (*at.first().unwrap(), *at.last().unwrap());
        let after_plan = last.saturating_duration_since(first);
        Said { took: began.elapsed(), after_plan, lines }
    }
}

impl Said {
    /// What it printed, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.lines.join("\n")).unwrap()
    }
}
