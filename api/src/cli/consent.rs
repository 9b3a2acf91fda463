//! Consent to what cannot be taken back lightly: a command shows its plan, and acts only when it is
//! told to.

use clap::Args;

use super::Failure;

/// Whether to act.
#[derive(Debug, Args)]
pub struct Consent {
    /// Do it.
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Only show what would be done.
    #[arg(long)]
    dry_run: bool,
}

impl Consent {
    /// Whether to act: a dry run does not, and without a word of consent it is an unmet
    /// precondition.
    pub fn agreed(&self) -> Result<bool, Failure> {
        match (self.yes, self.dry_run) {
            (true, _) => Ok(true),
            (false, true) => Ok(false),
            (false, false) => {
                Err(Failure::Conflict("nothing was changed; add --yes to do it".to_owned()))
            }
        }
    }
}
