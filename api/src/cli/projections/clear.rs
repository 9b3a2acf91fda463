//! `holdfast projections clear`: views that follow another log, or another life of it, are emptied.
//! Tables, SQL views and grants stay; whoever keeps the views next fills them from the log.

use clap::Args;
use holdfast_projections::registry::{Alteration, Registry};

use crate::cli::consent::Consent;
use crate::cli::held::Held;
use crate::cli::settings::OfflineFlags;
use crate::cli::{Failure, hint, offline, output};
use crate::config::Config;

/// Where, and whether to act.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  holdfast projections clear --dry-run
  holdfast projections clear --yes

For views that followed a log which was restored or replaced. No node may run on the stores meanwhile;
the next one fills the views from the start of the log. Without --yes the plan is shown, nothing is
changed, and the exit code is 4.")]
pub struct ClearArguments {
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    settings: OfflineFlags,
}

/// Empties the views.
pub fn run(arguments: &ClearArguments) -> Result<(), Failure> {
    let config = arguments.settings.load()?;
    offline::run(async {
        let views = offline::views(&config).await?;
        let held = Held::take(&config).await?;
        let registry = views.registry().await?;
        output::line(&plan(&config, &registry))?;
        let agreed = arguments.consent.agreed();
        let cleared = match agreed {
            Ok(true) => views.alter(registry.revision, Alteration::Clear).await.map(drop),
            Ok(false) | Err(_) => Ok(()),
        };
        views.close().await;
        held.leave().await?;
        cleared?;
        if agreed? {
            output::line("cleared")?;
            output::tell(&format!("to do next:  {}", hint::with_all("serve", &config)));
        }
        Ok(())
    })
}

/// What would be done, and what readers would see.
fn plan(config: &Config, registry: &Registry) -> String {
    let epoch = registry.live.map_or(String::new(), |live| format!(" of epoch {}", live.epoch));
    format!(
        "views    {}: {} generations, up to position {}{epoch}\n\
         clear    all of them, and the changes that are kept for subscribers\n\
         keep     the tables, the SQL views over them and their grants\n\
         readers  are answered with 503 until a node has filled the views from the log again",
        config.read.describe(),
        registry.generations.len(),
        registry.position()
    )
}
