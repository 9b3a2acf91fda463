//! Which stores an address names. What this build does not support is refused here, with what it
//! does support; opening a store is its adapter's business.

use std::path::{Path, PathBuf};

/// The event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogStore {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// In memory: gone when the process ends.
    Memory,
}

/// The read models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadStore {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// In memory: rebuilt at each start.
    Memory,
}

const SUPPORTED: &str = "this build supports sqlite:<folder> and memory:";

fn parse(text: &str, data: &Path) -> Result<Option<PathBuf>, String> {
    match text.split_once(':') {
        None if text == "sqlite" => Ok(Some(data.to_owned())),
        Some(("sqlite", path)) if !path.is_empty() => {
            Ok(Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
        }
        Some(("memory", "")) => Ok(None),
        Some(("postgres" | "postgresql" | "kurrentdb" | "esdb", _)) => {
            Err(format!("this store is not part of this build; {SUPPORTED}"))
        }
        Some(_) | None => Err(SUPPORTED.to_owned()),
    }
}

impl LogStore {
    /// Whether several processes may have it.
    pub const fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) | Self::Memory => false,
        }
    }

    /// Reads the address; `sqlite` alone is the file in the data folder.
    pub fn parse(text: &str, data: &Path) -> Result<Self, String> {
        Ok(parse(text, data)?.map_or(Self::Memory, Self::Sqlite))
    }

    /// How it is shown to a person.
    pub fn describe(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite {}", folder.join("log.db").display()),
            Self::Memory => "memory (nothing is kept)".to_owned(),
        }
    }
}

impl ReadStore {
    /// Whether several processes may have it.
    pub const fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) | Self::Memory => false,
        }
    }

    /// Reads the address; `sqlite` alone is the file in the data folder.
    pub fn parse(text: &str, data: &Path) -> Result<Self, String> {
        Ok(parse(text, data)?.map_or(Self::Memory, Self::Sqlite))
    }

    /// How it is shown to a person.
    pub fn describe(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite {}", folder.join("views.db").display()),
            Self::Memory => "memory".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_stores() {
        let data = Path::new("d");
        assert_eq!(LogStore::parse("sqlite", data), Ok(LogStore::Sqlite("d".into())));
        assert_eq!(LogStore::parse("sqlite:a/b", data), Ok(LogStore::Sqlite("a/b".into())));
        assert_eq!(ReadStore::parse("sqlite:///a/b", data), Ok(ReadStore::Sqlite("/a/b".into())));
        assert_eq!(LogStore::parse("memory:", data), Ok(LogStore::Memory));
        for wrong in ["", "sqlite:", "memory", "memory:x", "mysql://x", "log.db"] {
            assert!(LogStore::parse(wrong, data).is_err(), "{wrong}");
        }
    }
}
