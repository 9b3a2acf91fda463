//! Which changes of the tables a database has seen, and which it still needs. Looking changes
//! nothing; opening the store for writing applies what is missing.
//!
//! Log and read models may share a schema, so each notes its changes in a table of its own.

use std::collections::BTreeMap;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::connect::Address;
use crate::database::{PATIENCE, silent};

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

/// These changes, noted in a table of that name.
pub fn noted_in(table: &'static str, mut known: Migrator) -> Migrator {
    // Dangerous where a database knows the changes under another name already: none does.
    let _: &Migrator = known.dangerous_set_table_name(table);
    known
}

/// Every change, by number, for a database in which none need be made yet.
pub async fn steps(known: &Migrator, address: &Address) -> Result<Vec<Step>, sqlx::Error> {
    let mut applied = look(known, address).await?;
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

/// Description and checksum of what was made, by number.
type Made = BTreeMap<i64, (String, Vec<u8>)>;

/// Asks the first host that answers.
async fn look(known: &Migrator, address: &Address) -> Result<Made, sqlx::Error> {
    let mut refused = silent(address);
    for host in address.hosts() {
        let asked = async {
            let mut connection = PgConnection::connect_with(host).await?;
            let made = made(&mut connection, &known.table_name).await?;
            connection.close().await?;
            Ok(made)
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(made)) => return Ok(made),
            Ok(Err(why)) => refused = why,
            Err(_too_long) => refused = silent(address),
        }
    }
    Err(refused)
}

/// What was made; a change that failed has no checksum that fits.
async fn made(connection: &mut PgConnection, table: &str) -> Result<Made, sqlx::Error> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(table)
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(Made::new());
    }
    let made = format!(
        "SELECT version, description, CASE WHEN success THEN checksum ELSE '' END FROM {table}"
    );
    let rows = sqlx::query(AssertSqlSafe(made)).fetch_all(&mut *connection).await?;
    let made = rows.iter().map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?))));
    made.collect()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use holdfast_test_stores::postgres;
    use sqlx::SqlSafeStr as _;
    use sqlx::migrate::{Migration, MigrationType};

    use super::*;

    fn change(version: i64, sql: &'static str) -> Migration {
        let (description, sql) = (Cow::Borrowed("a change"), sql.into_sql_str());
        Migration::new(version, description, MigrationType::Simple, sql, false)
    }

    fn states(steps: &[Step]) -> Vec<(i64, StepState)> {
        steps.iter().map(|step| (step.version, step.state)).collect()
    }

    #[tokio::test]
    async fn each_change_is_shown_as_it_stands_and_apart_from_those_of_others() {
        let Some(schema) = postgres("migrations").await else { return };
        let address: Address = schema.url().parse().unwrap();
        let known = |changes| noted_in("_one_migrations", Migrator::with_migrations(changes));
        let both = || known(vec![change(1, "CREATE TABLE a ()"), change(2, "CREATE TABLE b ()")]);
        let looked = async |known: Migrator| states(&steps(&known, &address).await.unwrap());
        assert_eq!(looked(both()).await, [(1, StepState::Pending), (2, StepState::Pending)]);

        let mut connection = PgConnection::connect(schema.url()).await.unwrap();
        let first = known(vec![change(1, "CREATE TABLE a ()")]);
        first.run(&mut connection).await.unwrap();
        assert_eq!(looked(both()).await, [(1, StepState::Applied), (2, StepState::Pending)]);
        let other = Migrator::with_migrations(vec![change(1, "CREATE TABLE c ()")]);
        let other = noted_in("_other_migrations", other);
        assert_eq!(looked(other).await, [(1, StepState::Pending)]);

        both().run(&mut connection).await.unwrap();
        let edited = known(vec![change(1, "CREATE TABLE a (b int)")]);
        assert_eq!(looked(edited).await, [(1, StepState::Changed), (2, StepState::Unknown)]);
    }
}
