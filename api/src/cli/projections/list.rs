//! `holdfast projections list`: every generation and how far it is behind the log, and, where nodes
//! share the read models, which of them does what.

use clap::Args;
use holdfast_domain::log::Position;
use holdfast_projections::Projections;
use holdfast_projections::registry::GenerationState;
use serde::Serialize;

use crate::cli::output::{self, Format};
use crate::cli::projections::work;
use crate::cli::settings::OfflineFlags;
use crate::cli::{Failure, offline};

/// How to show it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  holdfast projections list --data ./data -o json")]
pub struct ListArguments {
    /// The shape of the result.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    settings: OfflineFlags,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Listed {
    Generation(Row),
    Work(work::Row),
}

#[derive(Debug, Serialize)]
struct Row {
    view: String,
    generation: u64,
    version: u32,
    state: &'static str,
    position: u64,
    behind: u64,
    parked: usize,
    /// Whether this release folds it.
    known: bool,
}

/// Shows them.
pub fn run(arguments: &ListArguments) -> Result<(), Failure> {
    let config = arguments.settings.load()?;
    offline::run(async {
        let (log, views) = (offline::log(&config).await?, offline::views(&config).await?);
        let head = log.head().await?.position;
        let (registry, parked) = (views.registry().await?, views.parked().await?);
        let projectors = Projections::all();
        let mut rows: Vec<_> = registry
            .generations
            .iter()
            .map(|known| {
                let position = match known.state {
                    GenerationState::Active => registry.position(),
                    GenerationState::Building | GenerationState::Retired => {
                        known.checkpoint.map_or(Position::START, |checkpoint| checkpoint.position)
                    }
                };
                Row {
                    view: known.view.clone(),
                    generation: known.id.0,
                    version: known.version,
                    state: known.state.name(),
                    position: position.0,
                    behind: head.0.saturating_sub(position.0),
                    parked: parked.iter().filter(|one| one.generation == known.id).count(),
                    known: projectors
                        .iter()
                        .any(|one| one.name() == known.view && one.version() == known.version),
                }
            })
            .collect();
        rows.sort_by(|one, other| {
            (&one.view, one.generation).cmp(&(&other.view, other.generation))
        });
        views.close().await;
        let work = offline::leases(&config).await?.map(work::rows).unwrap_or_default();
        let rows = rows.into_iter().map(Listed::Generation);
        let rows = rows.chain(work.into_iter().map(Listed::Work));
        output::rows(arguments.output, rows, |row| match row {
            Listed::Generation(row) => text(row),
            Listed::Work(row) => work::text(row),
        })
    })
}

fn text(row: &Row) -> String {
    let Row { view, generation, version, state, position, behind, parked, known } = row;
    let mut text =
        format!("{view:<14} generation {generation:<4} v{version}  {state:<9} at {position:>9}");
    let mut also = |remark: String| text.push_str(&remark);
    also(format!(", {behind} behind"));
    if *parked > 0 {
        also(format!(", {parked} keys parked"));
    }
    if !known {
        also(", of another release".to_owned());
    }
    text
}
