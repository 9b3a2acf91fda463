//! How results are shown: text for people, one JSON document, or one JSON object per line. Colour
//! only on a terminal, and never when `NO_COLOR` is set.

use std::io::{self, IsTerminal as _, Write as _};

use clap::ValueEnum;
use serde::Serialize;

use super::Failure;

/// The shape of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One document.
    Json,
    /// One object per line.
    Jsonl,
}

/// Writes rows in a format; `text` says how a row looks to a person.
pub fn rows<T: Serialize>(
    format: Format,
    rows: impl IntoIterator<Item = T>,
    text: impl Fn(&T) -> String,
) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match format {
        Format::Text => {
            for row in rows {
                writeln!(out, "{}", text(&row))?;
            }
        }
        Format::Json => {
            let rows: Vec<T> = rows.into_iter().collect();
            serde_json::to_writer_pretty(&mut out, &rows)?;
            writeln!(out)?;
        }
        Format::Jsonl => {
            for row in rows {
                serde_json::to_writer(&mut out, &row)?;
                writeln!(out)?;
            }
        }
    }
    Ok(out.flush()?)
}

/// Writes one result in a format; `text` says how it looks to a person.
pub fn one<T: Serialize>(
    format: Format,
    result: &T,
    text: impl Fn(&T) -> String,
) -> Result<(), Failure> {
    match format {
        Format::Text => line(&text(result)),
        Format::Json => line(&serde_json::to_string_pretty(result)?),
        Format::Jsonl => line(&serde_json::to_string(result)?),
    }
}

/// Writes a line of data.
pub fn line(text: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Tells a person something that is no data.
pub fn tell(text: &str) {
    // When nobody listens on standard error any more there is nobody to tell that either.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Tells a person what went wrong.
pub fn complain(text: &str) {
    let label = if is_coloured() { "\u{1b}[31merror:\u{1b}[0m" } else { "error:" };
    tell(&format!("{label} {text}"));
}

/// Whether standard error takes colours.
pub fn is_coloured() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !unwanted
}
