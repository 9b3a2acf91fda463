//! Which stores an address names. What this build does not support is refused here, with what it
//! does support; opening a store is its adapter's business.

use std::fmt;
use std::path::{Path, PathBuf};

/// The address of a database. It may hold a password, so only [`StoreUrl::expose`] gives it whole.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

impl StoreUrl {
    /// An address that was judged to be one.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// All of it, to connect.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address as it may be shown: without who enters, the password, and options that hold a secret.
/// Everything up to the last `@` goes, however the address is to be read: a password that is not
/// escaped must not be shown where it does not belong.
pub fn masked(text: &str) -> String {
    let is_path = text.starts_with("sqlite:") || !text.contains(':');
    let start = text.find("://").map(|at| at.saturating_add(3));
    let start = start.or_else(|| text.find(':').map(|at| at.saturating_add(1)));
    let (scheme, rest) = text.split_at(start.unwrap_or_default());
    let (rest, options) = rest.split_at(rest.rfind('?').unwrap_or(rest.len()));
    let shown = match (rest.rsplit_once('@'), options.rsplit_once('@')) {
        _ if is_path => return text.to_owned(),
        (_, Some((_, after))) => return format!("{scheme}***@{after}"),
        (Some((_, after)), None) => format!("{scheme}***@{after}"),
        (None, None) => format!("{scheme}{rest}"),
    };
    let options: Vec<String> = options.split('&').map(masked_option).collect();
    format!("{shown}{}", options.join("&"))
}

/// `password=secret` without the secret.
fn masked_option(option: &str) -> String {
    let Some((name, _)) = option.split_once('=') else { return option.to_owned() };
    let named = name.to_lowercase();
    let secret = ["pass", "pwd", "secret", "token"].iter().any(|word| named.contains(word));
    if secret { format!("{name}=***") } else { option.to_owned() }
}

/// The event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogStore {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(StoreUrl),
    /// A KurrentDB cluster.
    KurrentDb(StoreUrl),
    /// In memory: gone when the process ends.
    Memory,
}

/// The read models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadStore {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(StoreUrl),
    /// In memory: rebuilt at each start.
    Memory,
}

const LOGS: &str = "sqlite:<folder>, postgres://user:password@host:5432/database, \
                    kurrentdb://host:2113 or memory:";
const VIEWS: &str = "sqlite:<folder>, postgres://user:password@host:5432/database or memory:";

/// A folder that an address names; `sqlite` alone is the data folder.
fn folder(text: &str, data: &Path) -> Option<PathBuf> {
    match text.split_once(':') {
        None if text == "sqlite" => Some(data.to_owned()),
        Some(("sqlite", path)) if !path.is_empty() => {
            Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
        }
        Some(_) | None => None,
    }
}

fn postgres(text: &str) -> Option<Result<StoreUrl, String>> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    matches!(scheme, Some("postgres" | "postgresql")).then(|| {
        let address = text.parse::<holdfast_postgres::Address>();
        address.map(|_good| StoreUrl::new(text)).map_err(|why| why.to_string())
    })
}

fn is_kurrentdb(text: &str) -> bool {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    let scheme = scheme.strip_suffix("+discover").unwrap_or(scheme);
    matches!(scheme, "kurrentdb" | "kurrent" | "kdb" | "esdb")
}

impl LogStore {
    /// Reads the address; `sqlite` alone is the file in the data folder.
    pub fn parse(text: &str, data: &Path) -> Result<Self, String> {
        if let Some(folder) = folder(text, data) {
            return Ok(Self::Sqlite(folder));
        }
        if let Some(address) = postgres(text) {
            return address.map(Self::Postgres);
        }
        match text {
            "memory:" => Ok(Self::Memory),
            kurrentdb if is_kurrentdb(kurrentdb) => Ok(Self::KurrentDb(StoreUrl::new(kurrentdb))),
            _ => Err(format!("a log is {LOGS}")),
        }
    }

    /// How it is shown to a person.
    pub fn describe(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite {}", folder.join("log.db").display()),
            Self::Postgres(address) | Self::KurrentDb(address) => address.to_string(),
            Self::Memory => "memory (nothing is kept)".to_owned(),
        }
    }

    /// Whether several nodes can have it.
    pub const fn is_shared(&self) -> bool {
        match self {
            Self::Postgres(_) | Self::KurrentDb(_) => true,
            Self::Sqlite(_) | Self::Memory => false,
        }
    }
}

impl ReadStore {
    /// Reads the address; `sqlite` alone is the file in the data folder, and nothing at all is where
    /// the log is, as far as views can be there.
    pub fn parse(text: &str, log: &LogStore, data: &Path) -> Result<Self, String> {
        if let Some(folder) = folder(text, data) {
            return Ok(Self::Sqlite(folder));
        }
        if let Some(address) = postgres(text) {
            return address.map(Self::Postgres);
        }
        match (text, log) {
            ("memory:", _) => Ok(Self::Memory),
            ("", LogStore::Postgres(address)) => Ok(Self::Postgres(address.clone())),
            ("", LogStore::Sqlite(_) | LogStore::KurrentDb(_) | LogStore::Memory) => {
                Ok(Self::Sqlite(data.to_owned()))
            }
            _ => Err(format!("read models are in {VIEWS}")),
        }
    }

    /// How it is shown to a person.
    pub fn describe(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite {}", folder.join("views.db").display()),
            Self::Postgres(address) => address.to_string(),
            Self::Memory => "memory".to_owned(),
        }
    }

    /// Whether it is where it would be without an address of its own.
    pub fn is_beside(&self, log: &LogStore) -> bool {
        match (self, log) {
            (Self::Postgres(views), LogStore::Postgres(log)) => views == log,
            (Self::Sqlite(_) | Self::Postgres(_) | Self::Memory, _) => false,
        }
    }

    /// Whether several nodes can have it.
    pub const fn is_shared(&self) -> bool {
        match self {
            Self::Postgres(_) => true,
            Self::Sqlite(_) | Self::Memory => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_stores() {
        let data = Path::new("d");
        let log = |text| LogStore::parse(text, data);
        let views = |text, log: &str| {
            let log = LogStore::parse(log, data).unwrap();
            ReadStore::parse(text, &log, data)
        };
        assert_eq!(log("sqlite"), Ok(LogStore::Sqlite("d".into())));
        assert_eq!(log("sqlite:a/b"), Ok(LogStore::Sqlite("a/b".into())));
        assert_eq!(log("memory:"), Ok(LogStore::Memory));
        let database = "postgres://me:secret@db,standby:5433/bookings";
        assert_eq!(log(database), Ok(LogStore::Postgres(StoreUrl::new(database))));
        let cluster = "kurrentdb+discover://cluster:2113";
        assert_eq!(log(cluster), Ok(LogStore::KurrentDb(StoreUrl::new(cluster))));
        for wrong in ["", "sqlite:", "memory", "memory:x", "mysql://x", "log.db", "postgres://:x"] {
            assert!(log(wrong).is_err(), "{wrong}");
        }
        assert_eq!(views("sqlite:///a/b", "sqlite"), Ok(ReadStore::Sqlite("/a/b".into())));
        assert_eq!(views("", "sqlite:x"), Ok(ReadStore::Sqlite("d".into())));
        assert_eq!(views("", database), Ok(ReadStore::Postgres(StoreUrl::new(database))));
        assert_eq!(views("", cluster), Ok(ReadStore::Sqlite("d".into())));
        assert!(views(cluster, "sqlite").is_err());
    }

    #[test]
    fn no_address_is_shown_with_its_password() {
        for (text, shown) in [
            (
                "postgres://me:secret@db:1/x?sslmode=disable",
                "postgres://***@db:1/x?sslmode=disable",
            ),
            ("redis://:sec@ret@h", "redis://***@h"),
            ("postgres://me:12/secret@db/x", "postgres://***@db/x"),
            ("postgres://me:12?secret@db/x", "postgres://***@db/x"),
            ("postgres://me:12#secret@db/x?a=b", "postgres://***@db/x?a=b"),
            ("postgres://me:a@b?secret@db/x?a=b", "postgres://***@db/x?a=b"),
            (
                "postgres://db/x?password=secret&sslmode=disable",
                "postgres://db/x?password=***&sslmode=disable",
            ),
            ("postgres://me:secret@db/x?sslPassword=secret", "postgres://***@db/x?sslPassword=***"),
            ("postgres:/me:secret@db", "postgres:***@db"),
            ("me:secret@db", "me:***@db"),
            ("/data/a@b", "/data/a@b"),
            ("sqlite:a@b", "sqlite:a@b"),
            ("kurrentdb://h?tls=false", "kurrentdb://h?tls=false"),
        ] {
            assert_eq!(masked(text), shown);
            assert_eq!(format!("{:?}", StoreUrl::new(text)), shown);
        }
    }
}
