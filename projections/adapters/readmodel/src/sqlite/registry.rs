//! The registry of generations in SQLite: read in one snapshot, altered in one transaction.

use holdfast_domain::log::Position;
use holdfast_projections::ports::StoreError;
use holdfast_projections::registry::{
    Alteration, Checkpoint, Generation, GenerationId, GenerationState, Registry,
};
use holdfast_projections::topic::Cursor;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::values::{checkpoint, checkpoint_in, column, damaged, id, number, stored, unavailable};

fn refused(why: &str) -> StoreError {
    StoreError::Refused(why.to_owned())
}

/// Which store it is.
pub(super) async fn store(readers: &SqlitePool) -> Result<Uuid, StoreError> {
    let row = sqlx::query("SELECT id FROM read_store").fetch_one(readers).await;
    let id: Vec<u8> = column(&row.map_err(unavailable)?, "id")?;
    Uuid::from_slice(&id).map_err(damaged)
}

/// What the store holds. The caller's transaction makes it one snapshot.
pub(super) async fn load(connection: &mut SqliteConnection) -> Result<Registry, StoreError> {
    let live = sqlx::query("SELECT revision, position, epoch, hash FROM live")
        .fetch_one(&mut *connection)
        .await
        .map_err(unavailable)?;
    let rows = sqlx::query(
        "SELECT id, view, version, state, position, epoch, hash FROM generations ORDER BY id",
    )
    .fetch_all(connection)
    .await
    .map_err(unavailable)?;
    let generations = rows.iter().map(|row| {
        let state: String = column(row, "state")?;
        Ok(Generation {
            id: GenerationId(number(column(row, "id")?)?),
            view: column(row, "view")?,
            version: column(row, "version")?,
            state: GenerationState::parse(&state).ok_or_else(|| damaged("an unknown state"))?,
            checkpoint: checkpoint_in(row)?,
        })
    });
    Ok(Registry {
        revision: number(column(&live, "revision")?)?,
        live: checkpoint_in(&live)?,
        generations: generations.collect::<Result<_, StoreError>>()?,
    })
}

/// Changes the registry, when it is still at `revision`.
pub(super) async fn alter(
    writer: &SqlitePool,
    revision: u64,
    alteration: Alteration,
) -> Result<Registry, StoreError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
    let known = load(&mut transaction).await?;
    if known.revision != revision {
        return Err(StoreError::Moved);
    }
    match alteration {
        Alteration::Build { view, version } => build(&mut transaction, &view, version).await?,
        Alteration::Activate { generation, at } => {
            activate(&mut transaction, &known, generation, at).await?;
        }
        Alteration::Retire { generation } => {
            if find(&known, generation)?.state != GenerationState::Active {
                return Err(refused("only an active generation can retire"));
            }
            set(&mut transaction, generation, GenerationState::Retired, known.live).await?;
        }
        Alteration::Drop { generation } => {
            if find(&known, generation)?.state == GenerationState::Active {
                return Err(refused("an active generation cannot be dropped"));
            }
            remove(&mut transaction, generation).await?;
        }
        Alteration::Clear => clear(&mut transaction).await?,
    }
    sqlx::query("UPDATE live SET revision = revision + 1")
        .execute(&mut *transaction)
        .await
        .map_err(unavailable)?;
    let registry = load(&mut transaction).await?;
    transaction.commit().await.map_err(unavailable)?;
    Ok(registry)
}

fn find(registry: &Registry, generation: GenerationId) -> Result<&Generation, StoreError> {
    registry.generation(generation).ok_or_else(|| refused("there is no such generation"))
}

async fn build(
    connection: &mut SqliteConnection,
    view: &str,
    version: u32,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO generations (view, version, state) VALUES (?, ?, 'building')")
        .bind(view)
        .bind(version)
        .execute(connection)
        .await
        .map_err(unavailable)?;
    Ok(())
}

async fn activate(
    connection: &mut SqliteConnection,
    known: &Registry,
    generation: GenerationId,
    at: Option<Checkpoint>,
) -> Result<(), StoreError> {
    let next = find(known, generation)?;
    if next.state == GenerationState::Active {
        return Err(refused("the generation is active already"));
    }
    if next.checkpoint != at || known.live != at {
        return Err(StoreError::Moved);
    }
    if let Some(replaced) = known.active(&next.view) {
        set(connection, replaced.id, GenerationState::Retired, known.live).await?;
    }
    set(connection, generation, GenerationState::Active, None).await?;
    let Some(live) = known.live else { return Ok(()) };
    let oldest = Cursor::after(live.position, known.revision.saturating_add(1));
    set_oldest(connection, oldest).await
}

async fn set(
    connection: &mut SqliteConnection,
    generation: GenerationId,
    state: GenerationState,
    at: Option<Checkpoint>,
) -> Result<(), StoreError> {
    let (position, epoch, hash) = checkpoint(at);
    sqlx::query("UPDATE generations SET state = ?, position = ?, epoch = ?, hash = ? WHERE id = ?")
        .bind(state.name())
        .bind(position)
        .bind(epoch)
        .bind(hash)
        .bind(id(generation))
        .execute(connection)
        .await
        .map_err(unavailable)?;
    Ok(())
}

async fn remove(
    connection: &mut SqliteConnection,
    generation: GenerationId,
) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM documents WHERE generation = ?",
        "DELETE FROM parked WHERE generation = ?",
        "DELETE FROM generations WHERE id = ?",
    ] {
        sqlx::query(statement)
            .bind(id(generation))
            .execute(&mut *connection)
            .await
            .map_err(unavailable)?;
    }
    Ok(())
}

async fn clear(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM change_topics",
        "DELETE FROM changes",
        "DELETE FROM documents",
        "DELETE FROM parked",
        "DELETE FROM generations",
        "UPDATE live SET position = NULL, epoch = NULL, hash = NULL, \
         oldest_position = 0, oldest_ordinal = 0",
    ] {
        sqlx::query(statement).execute(&mut *connection).await.map_err(unavailable)?;
    }
    Ok(())
}

/// Notes from where on changes are kept.
pub(super) async fn set_oldest(
    connection: &mut SqliteConnection,
    oldest: Cursor,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE live SET oldest_position = ?, oldest_ordinal = ?")
        .bind(stored(oldest.position.0))
        .bind(stored(oldest.ordinal))
        .execute(connection)
        .await
        .map_err(unavailable)?;
    Ok(())
}

/// How far a generation is, whoever advances it.
pub(super) fn checkpoint_of(
    registry: &Registry,
    generation: GenerationId,
) -> Result<Option<Checkpoint>, StoreError> {
    let known = find(registry, generation)?;
    Ok(match known.state {
        GenerationState::Active => registry.live,
        GenerationState::Building | GenerationState::Retired => known.checkpoint,
    })
}

/// The position of a checkpoint.
pub(super) fn position_of(at: Option<Checkpoint>) -> Position {
    at.map_or(Position::START, |known| known.position)
}
