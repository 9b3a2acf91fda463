//! Which changes of the tables a read model has seen, and which it still needs. Looking changes
//! nothing; opening the store applies what is missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use holdfast_projections::ports::StoreError;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::values::{column, unavailable};

pub(super) static MIGRATIONS: sqlx::migrate::Migrator =
    sqlx::migrate!("../../../migrations/readmodel/sqlite");

/// The file of the read model in a folder.
pub fn file(folder: &Path) -> PathBuf {
    folder.join("views.db")
}

/// Where one change of the tables stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// It was made.
    Applied,
    /// It will be made when the store is opened.
    Pending,
    /// It was made with another text, or not to its end.
    Changed,
    /// It was made by a release that this one does not know.
    Unknown,
}

/// One change of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub version: i64,
    /// What it is.
    pub description: String,
    /// What it does; empty when this release does not know it.
    pub sql: String,
    /// Where it stands.
    pub state: StepState,
}

/// Every change, by number, for the read model in `folder`, which need not be there.
pub async fn steps(folder: &Path) -> Result<Vec<Step>, StoreError> {
    let path = file(folder);
    let mut applied = BTreeMap::new();
    if path.exists() {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(unavailable)?;
        applied = made(&mut connection).await?;
        connection.close().await.map_err(unavailable)?;
    }
    let mut steps = Vec::new();
    for migration in MIGRATIONS.iter() {
        let state = match applied.remove(&migration.version) {
            None => StepState::Pending,
            Some((_, checksum)) if checksum == migration.checksum.as_ref() => StepState::Applied,
            Some(_) => StepState::Changed,
        };
        steps.push(Step {
            version: migration.version,
            description: migration.description.to_string(),
            sql: migration.sql.as_str().to_owned(),
            state,
        });
    }
    steps.extend(applied.into_iter().map(|(version, (description, _))| Step {
        version,
        description,
        sql: String::new(),
        state: StepState::Unknown,
    }));
    Ok(steps)
}

/// Number, description and checksum of what was made; a failed one has no checksum that fits.
async fn made(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<i64, (String, Vec<u8>)>, StoreError> {
    let known = sqlx::query("SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'")
        .fetch_optional(&mut *connection)
        .await
        .map_err(unavailable)?;
    if known.is_none() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query(
        "SELECT version, description, iif(success, checksum, x'') AS checksum FROM _sqlx_migrations",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(unavailable)?;
    let made = rows.iter().map(|row| {
        Ok((column(row, "version")?, (column(row, "description")?, column(row, "checksum")?)))
    });
    made.collect()
}
