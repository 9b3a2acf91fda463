//! The tables of a log, and where they stand in a folder.

use std::path::Path;

pub use holdfast_sqlite::migrations::{Step, StepState};

use super::connect::{self, MIGRATIONS, OpenError};

/// Every change of the tables, by number, for the log in `folder`, which need not be there.
pub async fn steps(folder: &Path) -> Result<Vec<Step>, OpenError> {
    Ok(holdfast_sqlite::migrations::steps(&MIGRATIONS, &connect::file(folder)).await?)
}
