//! Settings without which a commit that was acknowledged may be lost.

use sqlx::postgres::PgConnection;

/// The database would acknowledge what a loss of power takes back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "PostgreSQL has {setting} = {found}, and would acknowledge what a loss of power takes back; set \
     {setting} = on in postgresql.conf, for the role and for the database, and reload"
)]
pub struct NotDurable {
    /// Which setting.
    pub setting: &'static str,
    /// What it is.
    pub found: String,
}

/// `fsync` and `synchronous_commit`, as this connection has them.
async fn settings(connection: &mut PgConnection) -> Result<[String; 2], sqlx::Error> {
    let (fsync, commit) =
        sqlx::query_as("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
            .fetch_one(connection)
            .await?;
    Ok([fsync, commit])
}

/// Refuses a database in which either is off.
pub(crate) async fn refuse(
    connection: &mut PgConnection,
) -> Result<(), crate::database::DatabaseError> {
    let found = settings(connection).await?;
    for (setting, found) in ["fsync", "synchronous_commit"].into_iter().zip(found) {
        if found == "off" {
            return Err(NotDurable { setting, found }.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use holdfast_test_stores::postgres;

    use crate::{Address, Database};

    #[tokio::test]
    async fn a_database_that_does_not_flush_each_commit_is_refused() {
        let Some(schema) = postgres("durability").await else { return };
        let setting = |value: &str| -> Address {
            let url = schema.url();
            format!("{url}&options[synchronous_commit]={value}").parse().unwrap()
        };
        for value in ["on", "remote_apply", "local"] {
            Database::connect(setting(value), 1).await.unwrap();
        }
        let refusal = Database::connect(setting("off"), 1).await.unwrap_err();
        assert!(refusal.to_string().contains("set synchronous_commit = on"), "{refusal}");
    }
}
