//! The address of a database, as users write it: one host, or several of which one is the primary.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::database::{DatabaseError, PATIENCE, has_schema, told};
use crate::durable;
use crate::spelling;

/// What an address is not. Never shows the address itself: it holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an address of PostgreSQL, postgres://user:password@host:5432/database: {0}")]
pub struct AddressError(String);

/// Where a database is, and as whom to enter it.
#[derive(Clone)]
pub struct Address {
    hosts: Vec<PgConnectOptions>,
}

impl Address {
    /// How to connect, host by host, in the order in which they were named.
    pub(crate) fn hosts(&self) -> &[PgConnectOptions] {
        &self.hosts
    }

    /// The same, with a setting that each of its sessions begins with.
    #[must_use]
    pub fn with(self, setting: &str, value: &str) -> Self {
        let hosts = self.hosts.into_iter().map(|host| host.options([(setting, value)]));
        Self { hosts: hosts.collect() }
    }

    /// A connection of its own to the host that can be written, outside of any pool. Refused when
    /// it acknowledges what is not durable, given up after `patience`.
    pub async fn dial(&self, patience: Duration) -> Result<PgConnection, DatabaseError> {
        let dialled = async {
            let (_, mut connection) = self.primary().await?;
            self.judge(&mut connection).await?;
            Ok(connection)
        };
        self.within(patience, dialled).await
    }

    /// Refuses a database that acknowledges what is not durable, or has no place for tables.
    pub(crate) async fn judge(&self, connection: &mut PgConnection) -> Result<(), DatabaseError> {
        durable::refuse(connection).await?;
        if has_schema(connection).await? {
            return Ok(());
        }
        Err(DatabaseError::NoSchema { address: self.clone() })
    }

    /// The same for one that only carries hints, of which none needs to be durable.
    pub async fn dial_for_hints(&self, patience: Duration) -> Result<PgConnection, DatabaseError> {
        let address = self.clone().with("synchronous_commit", "off");
        let dialled = async { Ok(address.primary().await?.1) };
        self.within(patience, dialled).await
    }

    async fn within<T>(
        &self,
        patience: Duration,
        asked: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Result<T, DatabaseError> {
        let why = "no answer in time".to_owned();
        let late = DatabaseError::NoPrimary { address: self.clone(), why };
        tokio::time::timeout(patience, asked).await.unwrap_or(Err(late))
    }

    /// A host that can be written, and a connection to it. All are asked at once: one that is
    /// silent, as after a loss of power, takes nothing of the others' time.
    pub(crate) async fn primary(&self) -> Result<(PgConnectOptions, PgConnection), DatabaseError> {
        let mut asked: FuturesUnordered<_> = self.hosts.iter().map(writable).collect();
        let mut why = "no host is named".to_owned();
        let found = async {
            while let Some(answer) = asked.next().await {
                match answer {
                    Ok((host, Some(connection))) => return Some((host.clone(), connection)),
                    Ok((host, None)) => {
                        why = format!("{}:{} is a standby", host.get_host(), host.get_port());
                    }
                    Err(refused) => why = told(&refused),
                }
            }
            None
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(DatabaseError::NoPrimary { address: self.clone(), why }),
            Err(_late) => {
                let why = "no answer in time".to_owned();
                Err(DatabaseError::NoPrimary { address: self.clone(), why })
            }
        }
    }
}

/// A connection to this host, if it can be written.
async fn writable(
    host: &PgConnectOptions,
) -> Result<(&PgConnectOptions, Option<PgConnection>), sqlx::Error> {
    let mut connection = PgConnection::connect_with(host).await?;
    let standby: bool =
        sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&mut connection).await?;
    Ok((host, (!standby).then_some(connection)))
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads `postgres://user:password@host:port,host:port/database?options`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &str| AddressError(why.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("no scheme"))?;
        spelling::judge(rest).map_err(wrong)?;
        let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        let (entry, hosts) =
            authority.rsplit_once('@').map_or(("", authority), |(entry, hosts)| {
                (authority.get(..=entry.len()).unwrap_or_default(), hosts)
            });
        let one = |host: &str| {
            let options: Result<PgConnectOptions, sqlx::Error> =
                format!("{scheme}://{entry}{host}{path}").parse();
            let options = options.map_err(|why| AddressError(why.to_string()))?;
            Ok(options.application_name("holdfast"))
        };
        let hosts = hosts.split(',').map(one).collect::<Result<Vec<_>, AddressError>>()?;
        Ok(Self { hosts })
    }
}

/// Hosts and database; never the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, host) in self.hosts.iter().enumerate() {
            let before = if index == 0 { "" } else { "," };
            write!(f, "{before}{}:{}", host.get_host(), host.get_port())?;
        }
        let database = self.hosts.first().and_then(|host| host.get_database());
        write!(f, "/{}", database.unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_host_or_several_and_never_shows_its_password() {
        let one: Address = "postgres://me:secret@db:5433/bookings?sslmode=disable".parse().unwrap();
        assert_eq!(one.to_string(), "db:5433/bookings");
        let two: Address = "postgresql://me:s%40cret@a:1,b:2/bookings".parse().unwrap();
        assert_eq!(format!("{two:?}"), "Address(a:1,b:2/bookings)");
        assert_eq!(two.hosts().len(), 2);
    }

    #[test]
    fn an_address_that_can_be_misread_is_refused_and_nothing_of_it_is_shown() {
        for (wrong, advice) in [
            ("postgres:/me:hush@db/x", "no scheme"),
            // All of these would be read, with a part of the password as port, database or option.
            ("postgres://me:12/hush@db/x", "percent-encode"),
            ("postgres://me:12?hush@db/x", "percent-encode"),
            ("postgres://me:12#hush@db/x", "percent-encode"),
            ("postgres://me:12@hush@db/x", "percent-encode"),
            ("postgres://me:12/hu@sh@db/x", "percent-encode"),
            ("postgres://me:hush%@db/x", "percent-encode"),
            ("postgres://me:hush%4@db/x", "percent-encode"),
            ("postgres://me:hush%zz@db/x", "percent-encode"),
            ("postgres://me:hush%ff@db/x", "utf-8"),
            ("postgres://db/x?pasword=hush", "options"),
            ("postgres://me@db:hush/x", "port"),
        ] {
            let why = wrong.parse::<Address>().unwrap_err().to_string();
            assert!(why.contains(advice) && !why.contains("hu") && !why.contains("12"), "{why}");
        }
        let escaped = "postgres://me:%40%2F%3F%23%25@a,b/x?sslmode=disable&options[search_path]=y";
        let escaped: Address = escaped.parse().unwrap();
        assert_eq!(escaped.to_string(), "a:5432,b:5432/x");
    }

    #[tokio::test]
    async fn settings_come_with_each_session() {
        let Some(schema) = holdfast_test_stores::postgres("settings").await else { return };
        let address: Address = schema.url().parse().unwrap();
        let address = address
            .with("lock_timeout", "123ms")
            .with("default_transaction_isolation", "repeatable read");
        let mut connection = address.dial(PATIENCE).await.unwrap();
        for (setting, value) in [
            ("lock_timeout", "123ms"),
            ("default_transaction_isolation", "repeatable read"),
            ("synchronous_commit", "on"),
        ] {
            let found: String = sqlx::query_scalar("SELECT current_setting($1)")
                .bind(setting)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            assert_eq!(found, value, "{setting}");
        }
        let search: String = sqlx::query_scalar("SELECT current_schema()::text")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert!(schema.url().ends_with(&search), "the address's own settings stay");
        connection.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_host_that_does_not_answer_is_given_up_in_time() {
        // Takes connections and says nothing, as a paused server does.
        let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address: Address =
            format!("postgres://me@{}/db", deaf.local_addr().unwrap()).parse().unwrap();
        let began = std::time::Instant::now();
        let refused = address.dial(PATIENCE).await.unwrap_err();
        assert!(matches!(refused, DatabaseError::NoPrimary { .. }), "{refused}");
        assert!(began.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test]
    async fn hosts_that_are_silent_do_not_hide_the_one_that_answers() {
        let Some(schema) = holdfast_test_stores::postgres("silent hosts").await else { return };
        let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let deaf = deaf.local_addr().unwrap();
        let place = holdfast_test_stores::place(schema.url());
        let behind = schema.url().replace(place, &format!("{deaf},{deaf},{place}"));
        let address: Address = behind.parse().unwrap();
        // What a writer waits, which is less than any share of the time for three hosts.
        let connection = address.dial(Duration::from_millis(700)).await.unwrap();
        connection.close().await.unwrap();
    }
}
