//! The address of a database, as users write it: one host, or several of which one is the primary.

use std::fmt;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

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
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads `postgres://user:password@host:port,host:port/database?options`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &str| AddressError(why.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("no scheme"))?;
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
        let wrong = "postgres:/secret".parse::<Address>().unwrap_err();
        assert!(!wrong.to_string().contains("secret"), "{wrong}");
    }
}
