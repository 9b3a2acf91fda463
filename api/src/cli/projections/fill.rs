//! `holdfast projections rebuild` and `compare`: a new generation is filled from the log beside the
//! one that is read, and compared with it at the same position. Readers notice nothing.

use clap::Args;
use holdfast_projections::registry::GenerationState;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::filling::Shown;
use super::target::{Workshop, chosen, projector};
use crate::cli::output::{self, Format};
use crate::cli::progress::ProgressMode;
use crate::cli::settings::OfflineFlags;
use crate::cli::{Failure, hint, offline};
use crate::config::Config;

/// Which view.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  holdfast projections rebuild reservations
  holdfast projections compare reservations
  holdfast projections switch reservations --yes

A node may serve meanwhile. A rebuild that was interrupted goes on where it stopped; one in which
keys were parked is dropped and begun afresh. Exit code 3 of compare says that documents differ.")]
pub struct FillArguments {
    /// The view's name.
    view: String,
    /// This generation; without it, the newest one that is being built.
    #[arg(long, value_name = "NUMBER")]
    generation: Option<u64>,
    /// The shape of the result.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
    #[command(flatten)]
    settings: OfflineFlags,
}

#[derive(Debug, Serialize)]
struct Rebuilt {
    view: &'static str,
    generation: u64,
    position: u64,
    parked: usize,
}

#[derive(Debug, Serialize)]
struct Compared {
    view: &'static str,
    generation: u64,
    position: u64,
    documents: u64,
    documents_read_now: u64,
    different: u64,
    examples: Vec<String>,
}

/// Fills a generation.
pub fn rebuild(arguments: &FillArguments) -> Result<(), Failure> {
    let (config, projector) = (arguments.settings.load()?, projector(&arguments.view)?);
    let ended = offline::run(async {
        let workshop = Workshop::open(&config).await?;
        let registry = workshop.views.registry().await?;
        let generation = match arguments.generation {
            Some(_) => {
                let (named, state) = (arguments.generation, GenerationState::Building);
                chosen(&registry, projector.as_ref(), named, state)?
            }
            None => workshop.rebuilder.begin(projector.as_ref()).await?,
        };
        let shown = Shown::new(arguments.progress, projector.as_ref(), &registry);
        let (progress, stop) = (|filling| shown.at(filling), CancellationToken::new());
        let filled = workshop.rebuilder.catch_up(&projector, generation, &progress, &stop).await;
        shown.clear();
        let filled = filled?;
        workshop.close().await;
        let rebuilt = Rebuilt {
            view: projector.name(),
            generation: generation.0,
            position: filled.checkpoint.map_or(0, |checkpoint| checkpoint.position.0),
            parked: filled.parked,
        };
        output::one(arguments.output, &rebuilt, |rebuilt| {
            let Rebuilt { view, generation, position, parked } = rebuilt;
            format!("{view}  generation {generation} filled up to {position}, {parked} keys parked")
        })?;
        output::tell(&next(&config, projector.name(), filled.parked));
        Ok(())
    });
    if matches!(ended, Err(Failure::Interrupted)) {
        output::tell("what was filled is kept; the same command goes on from there");
    }
    ended
}

/// What to do with a filled generation.
fn next(config: &Config, view: &str, parked: usize) -> String {
    let command = |what: &str| hint::with_stores(&format!("projections {what} {view}"), config);
    if parked > 0 {
        let drop = command("drop");
        return format!(
            "keys were parked, so it cannot take over. A build that folds them fills it afresh \
             with rebuild; to drop it:  {drop}"
        );
    }
    format!("next:  {}\n       {}", command("compare"), command("switch"))
}

/// Compares a generation with the one that is read.
pub fn compare(arguments: &FillArguments) -> Result<(), Failure> {
    let (config, projector) = (arguments.settings.load()?, projector(&arguments.view)?);
    offline::run(async {
        let workshop = Workshop::open(&config).await?;
        let registry = workshop.views.registry().await?;
        let named = arguments.generation;
        let generation = chosen(&registry, projector.as_ref(), named, GenerationState::Building)?;
        let shown = Shown::new(arguments.progress, projector.as_ref(), &registry);
        let (progress, stop) = (|filling| shown.at(filling), CancellationToken::new());
        let found = workshop.rebuilder.compare(&projector, generation, &progress, &stop).await;
        shown.clear();
        let found = found?;
        workshop.close().await;
        let compared = Compared {
            view: projector.name(),
            generation: generation.0,
            position: found.right.map_or(0, |checkpoint| checkpoint.position.0),
            documents: found.right_rows,
            documents_read_now: found.left_rows,
            different: found.different,
            examples: found.examples.iter().map(ToString::to_string).collect(),
        };
        output::one(arguments.output, &compared, text)?;
        if compared.different == 0 {
            return Ok(());
        }
        let Compared { view, different, .. } = compared;
        Err(Failure::Verification(format!("{view}: {different} documents differ")))
    })
}

fn text(compared: &Compared) -> String {
    let Compared { view, generation, position, documents, different, .. } = compared;
    let mut lines = vec![format!(
        "{view}  generation {generation}: {documents} documents at {position}, {} in what is read \
         now, {different} differ",
        compared.documents_read_now
    )];
    lines.extend(compared.examples.iter().map(|key| format!("  differs: {key}")));
    lines.join("\n")
}
