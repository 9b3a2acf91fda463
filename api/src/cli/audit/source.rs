//! Where the lines to be judged come from: the log of a data folder, or exports. Exports are read
//! line by line, in bounded memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use holdfast_domain::log::Feed;
use holdfast_eventlog::export::Line;
use holdfast_eventlog::walk::walk_after;

use super::judge::Judge;
use crate::cli::Failure;
use crate::cli::progress::{Progress, ProgressMode};

/// The longest line of an export: far above the largest event that can be appended.
pub const LINE_BYTES_MAX: u64 = 64 << 20;

/// Judges a log up to where it ends now.
pub async fn log(feed: &dyn Feed, mut judge: Judge, mode: ProgressMode) -> Result<Judge, Failure> {
    let total = feed.head().await?.position.0;
    let mut progress = Progress::new(mode, "verify", total);
    walk_after(feed, None, |line| {
        if let Line::Batch(batch) = &line {
            progress.at(batch.last.0, total);
        }
        judge.line(&line);
        ControlFlow::Continue(())
    })
    .await?;
    progress.clear();
    Ok(judge)
}

/// Judges exports, one after the other, as one log.
pub fn exports(files: &[PathBuf], mut judge: Judge, mode: ProgressMode) -> Result<Judge, Failure> {
    for file in files {
        let read = if file.as_os_str() == "-" {
            export(io::stdin().lock(), file, 0, &mut judge, mode)?
        } else {
            let opened = open(file)?;
            let total = opened.metadata()?.len();
            export(BufReader::new(opened), file, total, &mut judge, mode)?
        };
        if read.is_break() {
            break;
        }
    }
    Ok(judge)
}

/// Opens a file to read; the error says which.
pub fn open(file: &Path) -> Result<File, Failure> {
    let unavailable = |why: io::Error| Failure::Unavailable(format!("{}: {why}", file.display()));
    File::open(file).map_err(unavailable)
}

fn export(
    mut lines: impl BufRead,
    file: &Path,
    total: u64,
    judge: &mut Judge,
    mode: ProgressMode,
) -> Result<ControlFlow<()>, Failure> {
    let (mut progress, mut done) = (Progress::new(mode, "verify", total), 0_u64);
    let mut number = 0_u64;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            break;
        }
        number = number.saturating_add(1);
        done = done.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        match parse(&bytes) {
            Ok(line) => judge.line(&line),
            Err(why) => {
                judge.unreadable(&format!("line {number} of {}", file.display()), why);
                progress.clear();
                return Ok(ControlFlow::Break(()));
            }
        }
        progress.at(done, total.max(done));
    }
    progress.clear();
    Ok(ControlFlow::Continue(()))
}

/// One line of an export, with or without its end.
pub fn parse(bytes: &[u8]) -> Result<Line, String> {
    let text = std::str::from_utf8(bytes).map_err(|why| why.to_string())?;
    Line::read(text.strip_suffix('\n').unwrap_or(text)).map_err(|why| why.to_string())
}
