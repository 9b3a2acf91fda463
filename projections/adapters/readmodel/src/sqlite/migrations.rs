//! The tables of a read model, and where they stand in a folder.

use std::path::{Path, PathBuf};

use holdfast_projections::ports::StoreError;
pub use holdfast_sqlite::migrations::{Step, StepState};

use super::values::unavailable;

pub(super) static MIGRATIONS: sqlx::migrate::Migrator =
    sqlx::migrate!("../../../migrations/readmodel/sqlite");

/// The file of the read model in a folder.
pub fn file(folder: &Path) -> PathBuf {
    folder.join("views.db")
}

/// Every change of the tables, by number, for the read model in `folder`, which need not be there.
pub async fn steps(folder: &Path) -> Result<Vec<Step>, StoreError> {
    holdfast_sqlite::migrations::steps(&MIGRATIONS, &file(folder)).await.map_err(unavailable)
}
