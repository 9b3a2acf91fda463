//! Progress of long work, on standard error: a bar with rate and remaining time on a terminal, one
//! plain line every five seconds elsewhere.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::output::tell;

const BETWEEN_LINES: Duration = Duration::from_secs(5);

const BAR: &str =
    "  {msg}  {wide_bar} {percent:>3} %  {human_pos} / {human_len}  {rate}  ETA {eta}";

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProgressMode {
    /// A bar on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// A bar, when standard error is a terminal.
    Bar,
    /// A line every five seconds.
    Plain,
    /// Not at all.
    None,
}

/// Shows how far work has come.
#[derive(Debug)]
pub struct Progress {
    name: String,
    shown: Shown,
    started: Instant,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines { last: Instant },
    Nothing,
}

impl Progress {
    /// Work of so many steps.
    pub fn new(mode: ProgressMode, name: &str, total: u64) -> Self {
        let started = Instant::now();
        let terminal = io::stderr().is_terminal();
        let shown = if mode == ProgressMode::None {
            Shown::Nothing
        } else if terminal && mode != ProgressMode::Plain {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template(BAR) {
                bar.set_style(style.progress_chars("━╸ ").with_key("rate", rate));
            }
            bar.set_message(name.to_owned());
            Shown::Bar(bar)
        } else {
            Shown::Lines { last: started }
        };
        Self { name: name.to_owned(), shown, started }
    }

    /// It has come to this step, of so many as are known by now.
    pub fn at(&mut self, done: u64, total: u64) {
        match &mut self.shown {
            Shown::Bar(bar) => {
                bar.set_length(total);
                bar.set_position(done);
            }
            Shown::Lines { last } => {
                if last.elapsed() >= BETWEEN_LINES {
                    *last = Instant::now();
                    tell(&plain(&self.name, done, total, self.started.elapsed()));
                }
            }
            Shown::Nothing => {}
        }
    }

    /// It is done, or given up: the bar goes away.
    pub fn clear(self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }

    /// It is done; a last line says with what.
    pub fn finish(self, summary: &str) {
        let silent = matches!(self.shown, Shown::Nothing);
        let name = self.name.clone();
        self.clear();
        if !silent {
            tell(&format!("  {name}  {summary}"));
        }
    }
}

/// Steps per second, without digits that nobody can read while they change.
fn rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    // A bar that cannot be written is no reason to stop the work.
    let _unwritten = write!(out, "{:.0} per s", state.per_sec());
}

/// Work without an end: one line that changes on a terminal, a line every five seconds elsewhere.
#[derive(Debug)]
pub struct Endless {
    name: String,
    bar: Option<ProgressBar>,
    silent: bool,
    last: Instant,
}

impl Endless {
    /// Work of this name.
    pub fn new(mode: ProgressMode, name: &str) -> Self {
        let terminal = io::stderr().is_terminal() && mode != ProgressMode::Plain;
        let silent = mode == ProgressMode::None;
        let bar = (terminal && !silent).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("  {prefix}  {elapsed}  {msg}") {
                bar.set_style(style);
            }
            bar.with_prefix(name.to_owned())
        });
        Self { name: name.to_owned(), bar, silent, last: Instant::now() }
    }

    /// How it stands.
    pub fn say(&mut self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
            bar.tick();
        } else if !self.silent && self.last.elapsed() >= BETWEEN_LINES {
            self.last = Instant::now();
            tell(&format!("{}: {text}", self.name));
        }
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// One plain line: how far, how fast, how long still.
fn plain(name: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let share = u128::from(done).saturating_mul(100).checked_div(u128::from(total)).unwrap_or(100);
    let millis = elapsed.as_millis().max(1);
    let rate = u128::from(done).saturating_mul(1_000).checked_div(millis).unwrap_or(0);
    let left = u128::from(total.saturating_sub(done)).checked_div(rate);
    let eta = left.map_or_else(|| "unknown".to_owned(), |seconds| format!("{seconds} s"));
    format!("{name}: {share} %, {done} of {total}, {rate} per second, {eta} left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_tells_how_far_how_fast_and_how_long_still() {
        assert_eq!(
            plain("due", 500, 2_000, Duration::from_secs(5)),
            "due: 25 %, 500 of 2000, 100 per second, 15 s left",
        );
        assert_eq!(
            plain("due", 0, 0, Duration::ZERO),
            "due: 100 %, 0 of 0, 0 per second, unknown left",
        );
    }
}
