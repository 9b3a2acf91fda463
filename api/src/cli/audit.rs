//! `holdfast audit`: whether the log is still what was written. It recomputes both hash chains from
//! the log itself or from an export, and writes nothing.

pub mod judge;
pub mod source;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use self::judge::{Anchor, Judge};
use super::output::{self, Format};
use super::progress::ProgressMode;
use super::settings::OfflineFlags;
use super::{Failure, offline};
use crate::config::stores::LogStore;

/// What to audit.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  holdfast audit verify --data ./data")]
pub enum AuditCommand {
    /// Recompute both hash chains of the log, or of an export of it.
    Verify(VerifyArguments),
}

/// What to verify.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  holdfast audit verify --data ./data
  holdfast audit verify --export log.ndjson --head 1204:9f3c…e1

A node may run on the folder meanwhile. The head that is printed, POSITION:HASH, can be given to
--head the next time: it is what shows a log that was rewritten or cut as a whole. The chains are
over the facts; the answers that were remembered for repeated commands are not in them.
Exit code 3 says that something does not hold; 4, that an export begins in the middle of the log.")]
pub struct VerifyArguments {
    /// Verify this export instead of the log; - is standard input. Several are read as one.
    #[arg(long, value_name = "FILE")]
    export: Vec<PathBuf>,
    /// A head seen before, which must still be there. Can be given several times.
    #[arg(long, value_name = "POSITION:HASH")]
    head: Vec<Anchor>,
    /// The shape of the result.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
    #[command(flatten)]
    settings: OfflineFlags,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// Whether everything holds.
    pub ok: bool,
    /// How many events were seen.
    pub events: u64,
    /// In how many streams.
    pub streams: usize,
    /// How many commits were seen.
    pub batches: u64,
    /// The last commit.
    pub head: Option<Head>,
    /// How many heads that were seen before are still there.
    pub heads_found: usize,
    /// The first thing that does not hold.
    pub failure: Option<Broken>,
}

/// The end of a log, as an auditor keeps it.
#[derive(Debug, Serialize)]
pub struct Head {
    /// The position of its last event.
    pub position: u64,
    /// The number of its last commit.
    pub batch: u64,
    /// The hash of its last commit.
    pub hash: String,
}

/// What does not hold.
#[derive(Debug, Serialize)]
pub struct Broken {
    /// What it is.
    pub what: String,
    /// Where in the log.
    pub position: u64,
    /// In which stream, when it is about an event.
    pub stream: Option<String>,
    /// At which number in the stream, when it is about an event.
    pub revision: Option<u64>,
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

/// Runs it.
pub fn run(command: &AuditCommand) -> Result<(), Failure> {
    let AuditCommand::Verify(arguments) = command;
    if arguments.export.is_empty() {
        let config = arguments.settings.load()?;
        let judge = match &config.log {
            LogStore::KurrentDb(_) => Judge::of_streams(arguments.head.clone()),
            LogStore::Sqlite(_) | LogStore::Postgres(_) | LogStore::Memory => {
                Judge::new(arguments.head.clone())
            }
        };
        return offline::run(async {
            let log = offline::log(&config).await?;
            let judge = source::log(log.as_ref(), judge, arguments.progress).await?;
            log.close().await;
            tell(arguments.output, &judge.finish())
        });
    }
    let judge = Judge::new(arguments.head.clone());
    let judge = source::exports(&arguments.export, judge, arguments.progress)?;
    if let Some(number) = judge.late_beginning() {
        return Err(Failure::Conflict(format!(
            "the export begins with commit {number}, so the chains cannot be verified: give the \
             parts before it first (--export EARLIER --export LATER). If there are none, the \
             beginning of the log is missing"
        )));
    }
    tell(arguments.output, &judge.finish())
}

fn tell(format: Format, verdict: &Verdict) -> Result<(), Failure> {
    output::one(format, verdict, text)?;
    match &verdict.failure {
        None => Ok(()),
        Some(broken) => {
            let why = format!("position {}: {}", broken.position, broken.what);
            Err(Failure::Verification(why))
        }
    }
}

fn text(verdict: &Verdict) -> String {
    let Verdict { events, streams, batches, heads_found, .. } = verdict;
    let mut lines = vec![format!("checked  {events} events, {streams} streams, {batches} commits")];
    match &verdict.failure {
        None if *batches == 0 && *events > 0 => {
            lines.push("chains   of the streams hold; this store keeps none of commits".to_owned());
        }
        None => lines.push("chains   both hold".to_owned()),
        Some(broken) => lines.extend(broken_lines(broken)),
    }
    if *heads_found > 0 {
        lines.push(format!("heads    {heads_found} seen before still there"));
    }
    if let Some(head) = &verdict.head {
        lines.push(format!("head     {}:{}", head.position, head.hash));
    }
    lines.join("\n")
}

fn broken_lines(broken: &Broken) -> Vec<String> {
    let mut lines = vec![format!("BROKEN   {}", broken.what)];
    lines.push(format!("         position  {}", broken.position));
    if let (Some(stream), Some(revision)) = (&broken.stream, broken.revision) {
        lines.push(format!("         stream    {stream}, revision {revision}"));
    }
    lines.push(format!("         expected  {}", broken.expected));
    lines.push(format!("         found     {}", broken.found));
    lines
}
