//! The tables of a read model, and where they stand in a database.

use std::sync::LazyLock;
use std::time::Duration;

use holdfast_postgres::migrations::noted_in;
pub use holdfast_postgres::migrations::{Step, StepState};
use holdfast_postgres::{Address, Database};
use holdfast_projections::ports::StoreError;
use sqlx::migrate::{MigrateError, Migrator};
use tokio::time::timeout;

use super::values::failed;
use super::visit::Visit;

/// Noted apart from the log's, which may stand in the same schema.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    noted_in("_holdfast_views_migrations", sqlx::migrate!("../../../migrations/readmodel/postgres"))
});

/// How long it may take, with waiting for another node that is at it.
const PATIENCE: Duration = Duration::from_mins(2);

/// Every change of the tables, by number, for the schema that the address leads to.
pub async fn steps(address: &Address) -> Result<Vec<Step>, StoreError> {
    holdfast_postgres::migrations::steps(&MIGRATIONS, address).await.map_err(failed)
}

/// Brings the tables to today's shape.
pub(super) async fn run(database: &Database) -> Result<(), StoreError> {
    let migrated = timeout(PATIENCE, async {
        let mut visit = Visit::begin(database).await?;
        // Another node may be at it, and takes as long as it takes.
        sqlx::raw_sql("SET lock_timeout = 0").execute(&mut *visit).await.map_err(failed)?;
        // `run` takes anything that gives connections, and a future over that is not `Send` enough.
        MIGRATIONS.run_direct(None, &mut *visit, false).await.map_err(told)?;
        sqlx::raw_sql("RESET lock_timeout").execute(&mut *visit).await.map_err(failed)?;
        visit.end();
        Ok(())
    });
    let late = |_too_long| StoreError::Unavailable("another node changes the tables".to_owned());
    migrated.await.map_err(late)?
}

fn told(why: MigrateError) -> StoreError {
    if let MigrateError::Execute(why) | MigrateError::ExecuteMigration(why, _) = why {
        return failed(why);
    }
    StoreError::Damaged(format!("{why}; see `holdfast migrate status`"))
}
