//! The registry of generations in PostgreSQL: read by one statement, altered in one transaction that
//! holds the checkpoints from its first statement on.

use holdfast_postgres::Database;
use holdfast_projections::ports::StoreError;
use holdfast_projections::registry::{
    Alteration, Checkpoint, Generation, GenerationId, GenerationState, Registry,
};
use holdfast_projections::topic::Cursor;
use sqlx::postgres::{PgConnection, PgRow};
use uuid::Uuid;

use super::reads::rows;
use super::values::{checkpoint, checkpoint_in, column, damaged, failed, id, number, stored};
use super::visit::Visit;

/// Each statement after it sees what others committed before the locks were granted. A node that is
/// paused in between is thrown out by the server, so that others can go on.
const BEGIN: &str = "BEGIN; \
    SET LOCAL idle_in_transaction_session_timeout = '5s'; SET LOCAL statement_timeout = '5s'; \
    SELECT FROM live FOR UPDATE; SELECT FROM generations ORDER BY id FOR UPDATE";

fn refused(why: &str) -> StoreError {
    StoreError::Refused(why.to_owned())
}

/// Which store it is.
pub(super) async fn store(database: &Database) -> Result<Uuid, StoreError> {
    let rows = rows(database, sqlx::query("SELECT id FROM read_store")).await?;
    column(rows.first().ok_or_else(|| damaged("the store has no id"))?, "id")
}

/// What the store holds.
pub(super) async fn read(database: &Database) -> Result<Registry, StoreError> {
    let mut visit = Visit::begin(database).await?;
    let registry = load(&mut visit).await?;
    visit.end();
    Ok(registry)
}

async fn load(connection: &mut PgConnection) -> Result<Registry, StoreError> {
    let rows = sqlx::query(
        "SELECT l.revision, l.position AS live_position, l.epoch AS live_epoch, \
         l.hash AS live_hash, g.id, g.view, g.version, g.state, g.position, g.epoch, g.hash \
         FROM live l LEFT JOIN generations g ON true ORDER BY g.id",
    )
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    let live = rows.first().ok_or_else(|| damaged("there is no registry"))?;
    let generations = rows.iter().filter_map(|row| generation(row).transpose());
    Ok(Registry {
        revision: number(column(live, "revision")?)?,
        live: checkpoint_in(live, ["live_position", "live_epoch", "live_hash"])?,
        generations: generations.collect::<Result<_, StoreError>>()?,
    })
}

fn generation(row: &PgRow) -> Result<Option<Generation>, StoreError> {
    let Some(id) = column::<Option<i64>>(row, "id")? else { return Ok(None) };
    let state: String = column(row, "state")?;
    Ok(Some(Generation {
        id: GenerationId(number(id)?),
        view: column(row, "view")?,
        version: u32::try_from(column::<i64>(row, "version")?).map_err(damaged)?,
        state: GenerationState::parse(&state).ok_or_else(|| damaged("an unknown state"))?,
        checkpoint: checkpoint_in(row, ["position", "epoch", "hash"])?,
    }))
}

/// Changes the registry, when it is still at `revision`.
pub(super) async fn alter(
    database: &Database,
    revision: u64,
    alteration: Alteration,
) -> Result<Registry, StoreError> {
    let mut visit = Visit::begin(database).await?;
    sqlx::raw_sql(BEGIN).execute(&mut *visit).await.map_err(failed)?;
    let known = load(&mut visit).await?;
    let altered = if known.revision == revision {
        apply(&mut visit, &known, alteration).await
    } else {
        Err(StoreError::Moved)
    };
    let end = if altered.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sqlx::raw_sql(end).execute(&mut *visit).await.map_err(failed)?;
    visit.end();
    altered
}

async fn apply(
    connection: &mut PgConnection,
    known: &Registry,
    alteration: Alteration,
) -> Result<Registry, StoreError> {
    match alteration {
        Alteration::Build { view, version } => build(connection, &view, version).await?,
        Alteration::Activate { generation, at } => {
            activate(connection, known, generation, at).await?;
        }
        Alteration::Retire { generation } => {
            if find(known, generation)?.state != GenerationState::Active {
                return Err(refused("only an active generation can retire"));
            }
            set(connection, generation, GenerationState::Retired, known.live).await?;
        }
        Alteration::Drop { generation } => {
            if find(known, generation)?.state == GenerationState::Active {
                return Err(refused("an active generation cannot be dropped"));
            }
            remove(connection, generation).await?;
        }
        Alteration::Clear => clear(connection).await?,
    }
    sqlx::query("UPDATE live SET revision = revision + 1")
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    load(connection).await
}

fn find(registry: &Registry, generation: GenerationId) -> Result<&Generation, StoreError> {
    registry.generation(generation).ok_or_else(|| refused("there is no such generation"))
}

async fn build(connection: &mut PgConnection, view: &str, version: u32) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO generations (view, version, state) VALUES ($1, $2, 'building')")
        .bind(view)
        .bind(i64::from(version))
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn activate(
    connection: &mut PgConnection,
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
    sqlx::query("UPDATE live SET oldest_position = $1, oldest_ordinal = $2")
        .bind(stored(oldest.position.0))
        .bind(stored(oldest.ordinal))
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn set(
    connection: &mut PgConnection,
    generation: GenerationId,
    state: GenerationState,
    at: Option<Checkpoint>,
) -> Result<(), StoreError> {
    let (position, epoch, hash) = checkpoint(at);
    sqlx::query(
        "UPDATE generations SET state = $1, position = $2, epoch = $3, hash = $4 WHERE id = $5",
    )
    .bind(state.name())
    .bind(position)
    .bind(epoch)
    .bind(hash)
    .bind(id(generation))
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Tables, SQL views and grants stay as they are. Changes go at once, because those of the next
/// filling take their places; documents are swept later, as in [`remove`].
async fn clear(connection: &mut PgConnection) -> Result<(), StoreError> {
    let clear = "TRUNCATE changes, change_topics; DELETE FROM parked; DELETE FROM generations; \
        UPDATE live SET position = NULL, epoch = NULL, hash = NULL, \
        oldest_position = 0, oldest_ordinal = 0";
    sqlx::raw_sql(clear).execute(connection).await.map_err(failed)?;
    Ok(())
}

/// The documents are swept later: they may be many, and nobody finds them without their generation.
async fn remove(connection: &mut PgConnection, generation: GenerationId) -> Result<(), StoreError> {
    for statement in
        ["DELETE FROM parked WHERE generation = $1", "DELETE FROM generations WHERE id = $1"]
    {
        sqlx::query(statement)
            .bind(id(generation))
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    Ok(())
}
