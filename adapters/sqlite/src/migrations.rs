//! Which changes of the tables a file has seen, and which it still needs. Looking changes nothing;
//! opening the store for writing applies what is missing.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

/// Where one change of the tables stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// It was made.
    Applied,
    /// It will be made when the store is opened for writing.
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

/// Every change, by number, for a file, which need not be there.
pub async fn steps(known: &Migrator, file: &Path) -> Result<Vec<Step>, sqlx::Error> {
    let mut applied = BTreeMap::new();
    if file.exists() {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        applied = made(&mut connection).await?;
        connection.close().await?;
    }
    let mut steps = Vec::new();
    for migration in known.iter() {
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
) -> Result<BTreeMap<i64, (String, Vec<u8>)>, sqlx::Error> {
    let known = sqlx::query("SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'")
        .fetch_optional(&mut *connection)
        .await?;
    if known.is_none() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query(
        "SELECT version, description, iif(success, checksum, x'') FROM _sqlx_migrations",
    )
    .fetch_all(&mut *connection)
    .await?;
    let made = rows.iter().map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?))));
    made.collect()
}
