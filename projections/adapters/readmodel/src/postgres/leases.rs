//! Leases in PostgreSQL, judged by its clock. Each call is one statement: no lock outlives it.

use std::time::Duration;

use holdfast_domain::log::Pending;
use holdfast_postgres::Database;
use holdfast_projections::leases::{Lease, Leases, LeasesUnavailable, Taken};
use holdfast_projections::ports::StoreError;
use sqlx::postgres::PgRow;

use super::changes::interval;
use super::reads::rows;
use super::values::{column, number};
use super::visit::bounded;

/// Gives the lease as it stands afterwards, whoever has it. The clock is read once, after the row
/// was locked.
const TAKE: &str = "INSERT INTO leases AS known (name, holder, until, fence) \
    VALUES ($1, $2, clock_timestamp() + $3::interval, 1) \
    ON CONFLICT (name) DO UPDATE SET (holder, until, fence) = ( \
      SELECT CASE WHEN s.stands THEN known.holder ELSE excluded.holder END, \
        CASE WHEN s.stands AND known.holder <> excluded.holder THEN known.until \
          ELSE s.now + $3::interval END, \
        CASE WHEN s.stands THEN known.fence ELSE known.fence + 1 END \
      FROM (SELECT c.now, known.until > c.now AND known.until <= c.now + $3::interval AS stands \
        FROM (SELECT clock_timestamp() AS now OFFSET 0) c OFFSET 0) s) \
    RETURNING name, holder, fence, \
      (extract(epoch FROM until - clock_timestamp()) * 1000000)::bigint AS remaining";

const RELEASE: &str = "UPDATE leases SET until = '-infinity' WHERE name = $1 AND holder = $2";

const FORGET: &str = "DELETE FROM leases \
    WHERE starts_with(name, $1) AND until < clock_timestamp() - $2::interval";

const LIST: &str = "SELECT name, holder, fence, \
      (extract(epoch FROM until - c.now) * 1000000)::bigint AS remaining \
    FROM leases CROSS JOIN (SELECT clock_timestamp() AS now OFFSET 0) c \
    WHERE until > c.now ORDER BY name COLLATE \"C\"";

/// Leases in the schema of the read model.
#[derive(Debug, Clone)]
pub struct PostgresLeases {
    database: Database,
}

impl PostgresLeases {
    pub(super) const fn new(database: Database) -> Self {
        Self { database }
    }
}

fn unavailable(why: StoreError) -> LeasesUnavailable {
    match why {
        StoreError::Unavailable(why) => LeasesUnavailable(why),
        other @ (StoreError::Damaged(_) | StoreError::Moved | StoreError::Refused(_)) => {
            LeasesUnavailable(other.to_string())
        }
    }
}

fn lease(row: &PgRow) -> Result<Lease, StoreError> {
    let remaining: i64 = column(row, "remaining")?;
    Ok(Lease {
        name: column(row, "name")?,
        holder: column(row, "holder")?,
        fence: number(column(row, "fence")?)?,
        remaining: Duration::from_micros(u64::try_from(remaining).unwrap_or(0)),
    })
}

impl Leases for PostgresLeases {
    fn take(
        &self,
        name: String,
        holder: String,
        term: Duration,
    ) -> Pending<'_, Result<Taken, LeasesUnavailable>> {
        Box::pin(async move {
            let query = sqlx::query(TAKE).bind(name).bind(holder.clone()).bind(interval(term));
            let row = bounded(rows(&self.database, query)).await.map_err(unavailable)?;
            let row = row.first().ok_or_else(|| LeasesUnavailable("no answer".to_owned()))?;
            let stands = lease(row).map_err(unavailable)?;
            Ok(if stands.holder == holder {
                Taken::Held { fence: stands.fence }
            } else {
                Taken::ByAnother(stands)
            })
        })
    }

    fn release(&self, name: String, holder: String) -> Pending<'_, Result<(), LeasesUnavailable>> {
        Box::pin(async move {
            let query = sqlx::query(RELEASE).bind(name).bind(holder);
            bounded(rows(&self.database, query)).await.map_err(unavailable)?;
            Ok(())
        })
    }

    fn forget(
        &self,
        prefix: String,
        unused: Duration,
    ) -> Pending<'_, Result<(), LeasesUnavailable>> {
        Box::pin(async move {
            let query = sqlx::query(FORGET).bind(prefix).bind(interval(unused));
            bounded(rows(&self.database, query)).await.map_err(unavailable)?;
            Ok(())
        })
    }

    fn list(&self) -> Pending<'_, Result<Vec<Lease>, LeasesUnavailable>> {
        Box::pin(async move {
            let rows = bounded(rows(&self.database, sqlx::query(LIST))).await;
            let rows = rows.map_err(unavailable)?;
            rows.iter().map(lease).collect::<Result<_, _>>().map_err(unavailable)
        })
    }
}
