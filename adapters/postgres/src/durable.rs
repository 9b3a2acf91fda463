//! Settings without which a commit that was acknowledged may be lost.

use sqlx::postgres::PgConnection;

use crate::database::DatabaseError;

/// The database would acknowledge what a loss of power takes back, or destroys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("PostgreSQL has {setting} = off, and what it acknowledges {what}; {}", advice(setting))]
pub struct NotDurable {
    /// Which setting.
    pub setting: &'static str,
    /// What a loss of power does then.
    pub what: &'static str,
}

/// Each setting that must not be off, and what a loss of power does to a commit while it is.
const NEEDED: [(&str, &str); 3] = [
    ("fsync", "may be lost with a loss of power, and the database with it"),
    ("full_page_writes", "may be torn by a loss of power: a page of which only a part was written"),
    ("synchronous_commit", "may be lost with a loss of power"),
];

/// How a setting is changed: the first two belong to the whole server, the last one can be set for a
/// role or a database as well.
fn advice(setting: &str) -> String {
    let server = format!("ALTER SYSTEM SET {setting} = on (or {setting} = on in postgresql.conf)");
    let reload = "then SELECT pg_reload_conf()";
    if setting == "synchronous_commit" {
        return format!(
            "set it where it was set: {server}, {reload}; or ALTER ROLE … or ALTER DATABASE … SET \
             {setting} = on; or in the options of the address"
        );
    }
    format!("{server}, {reload}; it is a setting of the whole server")
}

/// The first of the settings that is off.
fn judge(found: &[String; 3]) -> Result<(), NotDurable> {
    let mut off = NEEDED.iter().zip(found).filter(|(_, found)| *found == "off");
    off.next().map_or(Ok(()), |((setting, what), _)| Err(NotDurable { setting, what }))
}

/// The settings as this connection has them.
async fn settings(connection: &mut PgConnection) -> Result<[String; 3], sqlx::Error> {
    let (fsync, pages, commit) = sqlx::query_as(
        "SELECT current_setting('fsync'), current_setting('full_page_writes'), \
         current_setting('synchronous_commit')",
    )
    .fetch_one(connection)
    .await?;
    Ok([fsync, pages, commit])
}

/// Refuses a database in which any of them is off.
pub(crate) async fn refuse(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    Ok(judge(&settings(connection).await?)?)
}

#[cfg(test)]
mod tests {
    use holdfast_test_stores::postgres;

    use super::judge;
    use crate::{Address, Database};

    #[test]
    fn each_setting_that_is_off_is_refused_with_where_it_can_be_set() {
        let with = |off: &str| {
            let found = ["fsync", "full_page_writes", "synchronous_commit"];
            judge(&found.map(|name| if name == off { "off" } else { "on" }.to_owned()))
        };
        assert_eq!(with("none"), Ok(()));
        for setting in ["fsync", "full_page_writes"] {
            let why = with(setting).unwrap_err().to_string();
            let system = format!("ALTER SYSTEM SET {setting} = on");
            assert!(why.contains(&system) && why.contains("pg_reload_conf"), "{why}");
            assert!(!why.contains("ROLE") && !why.contains("DATABASE"), "{why}");
        }
        let why = with("synchronous_commit").unwrap_err().to_string();
        assert!(why.contains("ALTER ROLE") && why.contains("ALTER DATABASE"), "{why}");
    }

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
        assert!(refusal.to_string().contains("SET synchronous_commit = on"), "{refusal}");
    }
}
