//! `holdfast events export`: the whole log as lines of JSON, whole commits only, so that the parts of
//! an export verify one after the other. An export that was cut goes on with `--resume`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_domain::log::{Feed, Position, StoredBatch};
use holdfast_eventlog::export::Line;
use holdfast_eventlog::walk::walk_after;

use crate::cli::audit::source::{LINE_BYTES_MAX, open, parse};
use crate::cli::output;
use crate::cli::progress::{Progress, ProgressMode};
use crate::cli::settings::OfflineFlags;
use crate::cli::{Failure, hint, offline};
use crate::config::Config;

const PAGE: usize = 512;

/// What to write, and where.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  holdfast events export --out log.ndjson
  holdfast events export --out log.ndjson --resume
  holdfast events export | holdfast audit verify --export -

--resume goes on after the last whole commit of the file, and refuses a file of another log.")]
pub struct ExportArguments {
    /// The file to write; without it, standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Go on with a file that is there.
    #[arg(long, requires = "out", conflicts_with = "from")]
    resume: bool,
    /// Only from the commit with this position on.
    #[arg(long, value_name = "POSITION", default_value_t = 1)]
    from: u64,
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
    #[command(flatten)]
    settings: OfflineFlags,
}

/// Writes it.
pub fn run(arguments: &ExportArguments) -> Result<(), Failure> {
    let config = arguments.settings.load()?;
    let mut is_new = false;
    let ended = offline::run(async {
        let log = offline::log(&config).await?;
        let feed = log.as_ref();
        match &arguments.out {
            None => {
                let after = commit_before(feed, Position(arguments.from)).await?;
                let mut out = BufWriter::new(io::stdout());
                write(feed, after, &mut out, arguments.progress).await?;
                Ok(out.flush()?)
            }
            Some(path) if arguments.resume => resume(feed, path, arguments.progress).await,
            Some(path) => {
                let new = OpenOptions::new().write(true).create_new(true).open(path);
                let file = new.map_err(|why| taken(path, &why))?;
                is_new = true;
                let after = commit_before(feed, Position(arguments.from)).await?;
                to_file(feed, after, file, arguments.progress).await
            }
        }
    });
    if let (Err(Failure::Interrupted), Some(path)) = (&ended, &arguments.out)
        && (is_new || arguments.resume)
    {
        output::tell(&interrupted(path, is_new, &config)?);
    }
    ended
}

/// How to go on with a file. Without a whole commit there is nothing to go on with: which position
/// it was to begin at stands nowhere in it.
fn interrupted(path: &Path, is_new: bool, config: &Config) -> Result<String, Failure> {
    let mut lines = BufReader::new(open(path)?).split(b'\n').map_while(Result::ok);
    if is_new && !lines.any(|line| matches!(parse(&line), Ok(Line::Batch(_)))) {
        std::fs::remove_file(path)?;
        return Ok("no commit was written yet; the same command begins again".to_owned());
    }
    let out = hint::quoted(&path.to_string_lossy());
    let resume = hint::with_stores(&format!("events export --out {out} --resume"), config);
    Ok(format!("to go on:  {resume}"))
}

fn taken(path: &Path, why: &io::Error) -> Failure {
    let path = path.display();
    if why.kind() == io::ErrorKind::AlreadyExists {
        Failure::Conflict(format!("{path} is there; go on with --resume, or name another"))
    } else {
        Failure::Failed(format!("{path}: {why}"))
    }
}

async fn to_file(
    feed: &dyn Feed,
    after: Option<StoredBatch>,
    file: File,
    mode: ProgressMode,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(file);
    write(feed, after, &mut out, mode).await?;
    let file = out.into_inner().map_err(|why| Failure::Failed(why.to_string()))?;
    Ok(file.sync_all()?)
}

async fn write(
    feed: &dyn Feed,
    after: Option<StoredBatch>,
    out: &mut (impl Write + Send),
    mode: ProgressMode,
) -> Result<(), Failure> {
    let total = feed.head().await?.position.0;
    let mut progress = Progress::new(mode, "export", total);
    let (mut failure, mut head, mut events) = (None, after, 0_u64);
    walk_after(feed, after, |line| {
        match &line {
            Line::Event(_) => events = events.saturating_add(1),
            Line::Batch(batch) => {
                progress.at(batch.last.0, total);
                head = Some(*batch);
            }
        }
        match line.write().map_err(|why| Failure::Failed(why.to_string())).and_then(|text| {
            out.write_all(text.as_bytes())?;
            Ok(out.write_all(b"\n")?)
        }) {
            Ok(()) => ControlFlow::Continue(()),
            Err(why) => {
                failure = Some(why);
                ControlFlow::Break(())
            }
        }
    })
    .await?;
    if let Some(why) = failure {
        return Err(why);
    }
    let head = head.map_or("no commit".to_owned(), |head| format!("{}:{}", head.last, head.hash));
    progress.finish(&format!("{events} events written, head {head}"));
    Ok(())
}

/// The last commit that ends before a position: what comes after it is written.
async fn commit_before(feed: &dyn Feed, from: Position) -> Result<Option<StoredBatch>, Failure> {
    let (mut before, mut number) = (None, 0);
    if from <= Position(1) {
        return Ok(None);
    }
    loop {
        let page = feed.batches(number, PAGE).await?;
        let Some(last) = page.last() else { return Ok(before) };
        number = last.number;
        for batch in page {
            if batch.last >= from {
                return Ok(before);
            }
            before = Some(batch);
        }
    }
}

async fn resume(feed: &dyn Feed, path: &Path, mode: ProgressMode) -> Result<(), Failure> {
    let (kept, last) = whole_commits(path)?;
    let Some(last) = last else {
        let why = "holds no whole commit to go on after; delete it and export again";
        return Err(Failure::Conflict(format!("{} {why}", path.display())));
    };
    let stored = feed.batches(last.number.saturating_sub(1), 1).await?;
    if stored.first() != Some(&last) {
        let path = path.display();
        let why = format!("{path} holds commit {} with another hash: another log", last.number);
        return Err(Failure::Conflict(why));
    }
    let file = OpenOptions::new().append(true).open(path)?;
    file.set_len(kept)?;
    to_file(feed, Some(last), file, mode).await
}

/// How many bytes of a file are whole commits, and the last one of them.
fn whole_commits(path: &Path) -> Result<(u64, Option<StoredBatch>), Failure> {
    let mut lines = BufReader::new(open(path)?);
    let (mut at, mut kept, mut last) = (0_u64, 0, None);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
        // A line without its end was cut while it was written.
        if read == 0 || bytes.last() != Some(&b'\n') {
            return Ok((kept, last));
        }
        at = at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        match parse(&bytes) {
            Ok(Line::Batch(batch)) => (kept, last) = (at, Some(batch)),
            Ok(Line::Event(_)) => {}
            Err(why) => return Err(Failure::Conflict(format!("{}: {why}", path.display()))),
        }
    }
}
