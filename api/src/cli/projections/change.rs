//! `holdfast projections switch`, `undo` and `drop`: what readers see changes, or documents go. Each
//! shows its plan and acts only with `--yes`.

use std::sync::Arc;

use clap::Args;
use holdfast_projections::projector::Projector;
use holdfast_projections::registry::{GenerationId, GenerationState, Registry};
use tokio_util::sync::CancellationToken;

use super::filling::Shown;
use super::target::{Workshop, chosen, projector, unread};
use crate::cli::consent::Consent;
use crate::cli::output;
use crate::cli::progress::ProgressMode;
use crate::cli::settings::OfflineFlags;
use crate::cli::{Failure, hint, offline};

/// Which view, and whether to act.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  holdfast projections switch reservations --dry-run
  holdfast projections switch reservations --yes
  holdfast projections undo reservations --yes
  holdfast projections drop reservations --yes

A node that serves notices the change within a second; its subscribers read again. Without --yes the
plan is shown, nothing is changed, and the exit code is 4.")]
pub struct ChangeArguments {
    /// The view's name.
    view: String,
    /// This generation; without it, the newest one that fits.
    #[arg(long, value_name = "NUMBER")]
    generation: Option<u64>,
    #[command(flatten)]
    consent: Consent,
    /// How progress is shown, where documents have to be filled first.
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
    #[command(flatten)]
    settings: OfflineFlags,
}

/// Lets a generation take over that was built.
pub fn switch(arguments: &ChangeArguments) -> Result<(), Failure> {
    take_over(arguments, GenerationState::Building)
}

/// Lets the generation take over that was read before.
pub fn undo(arguments: &ChangeArguments) -> Result<(), Failure> {
    take_over(arguments, GenerationState::Retired)
}

fn take_over(arguments: &ChangeArguments, state: GenerationState) -> Result<(), Failure> {
    let (config, projector) = (arguments.settings.load()?, projector(&arguments.view)?);
    offline::run(async {
        let workshop = Workshop::open(&config).await?;
        let registry = workshop.views.registry().await?;
        let next = chosen(&registry, projector.as_ref(), arguments.generation, state)?;
        output::line(&plan(&registry, &projector, next))?;
        if !arguments.consent.agreed()? {
            return Ok(());
        }
        let shown = Shown::new(arguments.progress, projector.as_ref(), &registry);
        let (progress, stop) = (|filling| shown.at(filling), CancellationToken::new());
        let switched = workshop.rebuilder.switch(&projector, next, &progress, &stop).await;
        shown.clear();
        switched?;
        workshop.close().await;
        let view = projector.name();
        output::line(&format!("{view}  generation {next} is read now", next = next.0))?;
        let undo = hint::with_stores(&format!("projections undo {view} --yes"), &config);
        output::tell(&format!("to take it back:  {undo}"));
        Ok(())
    })
}

fn plan(registry: &Registry, projector: &Arc<dyn Projector>, next: GenerationId) -> String {
    let view = projector.name();
    let now = registry.active(view).map_or("none".to_owned(), |known| known.id.0.to_string());
    let rest = registry.generation(next).and_then(|known| known.checkpoint);
    let left = registry.position().0.saturating_sub(rest.map_or(0, |at| at.position.0));
    format!(
        "{view}  generation {now} → {}: fill {left} positions more, then read it; generation {now} \
         is kept",
        next.0
    )
}

/// Drops generations that nobody reads.
pub fn drop_unread(arguments: &ChangeArguments) -> Result<(), Failure> {
    let config = arguments.settings.load()?;
    offline::run(async {
        let workshop = Workshop::open(&config).await?;
        let registry = workshop.views.registry().await?;
        // A view of another release has no projector here, and is dropped by its name all the same.
        let view = arguments.view.as_str();
        let wanted = |id: GenerationId| arguments.generation.is_none_or(|named| named == id.0);
        let gone: Vec<_> = unread(&registry, view).filter(|known| wanted(known.id)).collect();
        if gone.is_empty() {
            let why = format!("{view} has no such generation that nobody reads");
            return Err(Failure::Conflict(why));
        }
        for known in &gone {
            let (number, state) = (known.id.0, known.state.name());
            output::line(&format!("{view}  drop generation {number} ({state}) and its documents"))?;
        }
        if !arguments.consent.agreed()? {
            return Ok(());
        }
        for known in &gone {
            workshop.rebuilder.drop_generation(known.id).await?;
        }
        let dropped = gone.len();
        workshop.close().await;
        output::line(&format!("{view}  {dropped} dropped"))
    })
}
