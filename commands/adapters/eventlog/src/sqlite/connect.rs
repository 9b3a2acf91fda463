//! Opening: the lock of the data folder, durable settings that are read back and believed only
//! then, migrations, and where the log ends.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{Hash, Position};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Connection, Row};

use super::rows;
use crate::store::Tail;

const FILE: &str = "log.db";
const LOCK: &str = "log.lock";
const READERS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) static MIGRATIONS: sqlx::migrate::Migrator =
    sqlx::migrate!("../../../migrations/eventlog/sqlite");

/// Why a log was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be used.
    #[error("the data folder {folder} cannot be used: {why}")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the operating system said.
        why: std::io::Error,
    },
    /// Another process has it.
    #[error("the data folder {folder} is in use by another process; stop it first")]
    InUse {
        /// Which.
        folder: PathBuf,
    },
    /// There is none to be read.
    #[error("there is no log in {folder}; `holdfast serve` begins one")]
    Absent {
        /// Where.
        folder: PathBuf,
    },
    /// Its tables are not those of this release.
    #[error("the log in {folder} has the tables of another release; see `holdfast migrate status`")]
    OtherShape {
        /// Where.
        folder: PathBuf,
    },
    /// The store would acknowledge what a loss of power takes back.
    #[error("refusing to open: {setting} is {found}, and only {required} survives a loss of power")]
    NotDurable {
        /// Which setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it has to be.
        required: &'static str,
    },
    /// The tables could not be brought to the shape that this release needs.
    #[error("the log's tables cannot be migrated: {0}; see `holdfast migrate status`")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// What is stored contradicts itself.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// The store said no.
    #[error("the log cannot be opened: {0}")]
    Store(#[from] sqlx::Error),
}

/// What is known of a log when it is opened.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) epoch: Epoch,
    pub(super) tail: Tail,
    pub(super) last_stream: i64,
}

/// The file of the log in a folder.
pub(super) fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Takes the folder for this process.
pub(super) fn lock(folder: &Path) -> Result<File, OpenError> {
    let unusable = |why| OpenError::Folder { folder: folder.to_owned(), why };
    std::fs::create_dir_all(folder).map_err(unusable)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(why)) => Err(unusable(why)),
    }
}

/// Flushes the names of new files and of a new folder.
pub(super) fn make_durable(folder: &Path) -> Result<(), OpenError> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    for path in [Some(folder), parent].into_iter().flatten() {
        File::open(path)
            .and_then(|opened| opened.sync_all())
            .map_err(|why| OpenError::Folder { folder: path.to_owned(), why })?;
    }
    Ok(())
}

/// The writing connection, once its settings were read back.
pub(super) async fn writer(
    folder: &Path,
    synchronous: SqliteSynchronous,
    pages: Option<u32>,
) -> Result<SqliteConnection, OpenError> {
    let mut options = SqliteConnectOptions::new()
        .filename(file(folder))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .statement_cache_capacity(64)
        .pragma("temp_store", "MEMORY")
        // In KiB: the indexes over ids are touched at random.
        .pragma("cache_size", "-16384")
        // In pages: a checkpoint writes a page once, however often commits have changed it.
        .pragma("wal_autocheckpoint", "4000");
    if let Some(pages) = pages {
        options = options.pragma("max_page_count", pages.to_string());
    }
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await?;
    if mode != "wal" {
        let (setting, required) = ("journal_mode", "wal");
        return Err(OpenError::NotDurable { setting, found: mode, required });
    }
    let level: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut connection).await?;
    // 2 is FULL, 3 is EXTRA; below, a commit is acknowledged before it is flushed.
    if level < 2 {
        let (setting, required) = ("synchronous", "FULL (2)");
        return Err(OpenError::NotDurable { setting, found: level.to_string(), required });
    }
    Ok(connection)
}

/// The reading connections.
pub(super) async fn readers(folder: &Path) -> Result<SqlitePool, OpenError> {
    let options = SqliteConnectOptions::new()
        .filename(file(folder))
        .read_only(true)
        .busy_timeout(PATIENCE)
        .row_buffer_size(256);
    let pool = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(PATIENCE);
    Ok(pool.connect_with(options).await?)
}

/// Which life of the log this is.
pub(super) async fn epoch(connection: &mut SqliteConnection) -> Result<Epoch, OpenError> {
    let epoch: Vec<u8> =
        sqlx::query_scalar("SELECT epoch FROM log_meta").fetch_one(connection).await?;
    <[u8; 16]>::try_from(epoch)
        .map(|bytes| Epoch::from_uuid(uuid::Builder::from_random_bytes(bytes).into_uuid()))
        .map_err(|_length| OpenError::Damaged("its epoch is not a UUID".to_owned()))
}

/// Migrates, and reads where the log ends.
pub(super) async fn prepare(connection: &mut SqliteConnection) -> Result<Start, OpenError> {
    // `run` takes anything that gives connections, and a future over that is not `Send` enough.
    MIGRATIONS.run_direct(None, connection, false).await?;
    let epoch = epoch(connection).await?;
    let last_event: i64 = sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM event")
        .fetch_one(&mut *connection)
        .await?;
    let last_stream = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM stream")
        .fetch_one(&mut *connection)
        .await?;
    let batch = sqlx::query("SELECT number, last, hash FROM batch ORDER BY number DESC LIMIT 1")
        .fetch_optional(&mut *connection)
        .await?;
    let (batch, last, hash) = match batch {
        None => (0, 0, Hash::ZERO),
        Some(row) => (rows::number(&row, 0)?, row.try_get(1)?, rows::hash(&row, 2)?),
    };
    if last != last_event {
        return Err(OpenError::Damaged(format!(
            "its last event is {last_event}, but its last commit ends at {last}"
        )));
    }
    let position = Position(u64::try_from(last_event).unwrap_or(0));
    Ok(Start { epoch, tail: Tail { position, batch, hash }, last_stream })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_that_does_not_flush_each_commit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (level, opens) in [
            (SqliteSynchronous::Off, false),
            (SqliteSynchronous::Normal, false),
            (SqliteSynchronous::Full, true),
            (SqliteSynchronous::Extra, true),
        ] {
            let opened = writer(folder.path(), level, None).await;
            assert_eq!(opened.is_ok(), opens);
            if let Err(refusal) = opened {
                assert!(refusal.to_string().contains("synchronous"), "{refusal}");
            }
        }
    }
}
