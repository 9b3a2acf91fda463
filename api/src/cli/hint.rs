//! Commands that are shown to be pasted: the program as it was called, and the flags that make them
//! about the same keys and the same stores.

use std::path::Path;

use crate::config::Config;
use crate::config::stores::{LogStore, ReadStore};

/// The program as it was called, so that a build that is not on the `PATH` can be called again.
pub fn program() -> String {
    let called = std::env::args_os().next().filter(|name| !name.is_empty());
    called.map_or("holdfast".to_owned(), |name| quoted(&name.to_string_lossy()))
}

/// A command that signs tokens with the keys of this configuration.
pub fn with_keys(words: &str, config: &Config) -> String {
    command(words, &[data(config), tokens(config)])
}

/// A command that reads the stores of this configuration.
pub fn with_stores(words: &str, config: &Config) -> String {
    command(words, &[data(config), stores(config)])
}

/// A command that does both.
pub fn with_all(words: &str, config: &Config) -> String {
    command(words, &[data(config), tokens(config), stores(config)])
}

fn command(words: &str, flags: &[Vec<String>]) -> String {
    let mut parts = vec![program(), words.to_owned()];
    parts.extend(flags.iter().flatten().map(|part| quoted(part)));
    parts.join(" ")
}

fn data(config: &Config) -> Vec<String> {
    if config.data == Path::new("./data") {
        return vec![];
    }
    vec!["--data".to_owned(), config.data.display().to_string()]
}

fn tokens(config: &Config) -> Vec<String> {
    let given =
        [("--jwt-issuer", &config.tokens.issuer), ("--jwt-audience", &config.tokens.audience)];
    let given = given.into_iter().filter(|(_, value)| *value != "holdfast");
    given.flat_map(|(flag, value)| [flag.to_owned(), value.clone()]).collect()
}

fn stores(config: &Config) -> Vec<String> {
    let log = match &config.log {
        LogStore::Sqlite(folder) => address(folder, config),
        LogStore::Memory => Some("memory:".to_owned()),
        LogStore::Postgres(_) | LogStore::KurrentDb(_) => None,
    };
    let read = match &config.read {
        ReadStore::Sqlite(folder) => address(folder, config),
        ReadStore::Memory => Some("memory:".to_owned()),
        ReadStore::Postgres(_) => None,
    };
    let given = [("--log-url", log), ("--read-url", read)].into_iter();
    given.filter_map(|(flag, url)| Some([flag.to_owned(), url?])).flatten().collect()
}

/// The variables that a shell needs before the commands: the address of a database may hold a
/// password, and is not shown.
pub fn variables(config: &Config) -> Vec<&'static str> {
    let log = match &config.log {
        LogStore::Postgres(_) | LogStore::KurrentDb(_) => Some("HOLDFAST_LOG_URL"),
        LogStore::Sqlite(_) | LogStore::Memory => None,
    };
    let read = match &config.read {
        ReadStore::Postgres(_) if config.read.is_beside(&config.log) => None,
        ReadStore::Postgres(_) => Some("HOLDFAST_READ_URL"),
        ReadStore::Sqlite(_) | ReadStore::Memory => None,
    };
    log.into_iter().chain(read).collect()
}

/// The address of a SQLite folder that is not the data folder itself.
fn address(folder: &Path, config: &Config) -> Option<String> {
    (folder != config.data).then(|| format!("sqlite:{}", folder.display()))
}

/// A word as a shell takes it back.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::sources::Sources;

    #[test]
    fn a_command_is_about_the_same_keys_and_stores() {
        let flags = BTreeMap::from([
            ("data", "/a b".to_owned()),
            ("log-url", "sqlite:/logs".to_owned()),
            ("read-url", "memory:".to_owned()),
            ("jwt-issuer", "me".to_owned()),
        ]);
        let config = Config::load(&Sources { flags, ..Sources::default() }).unwrap();
        let flags = |command: &str| command.split_once(" x").unwrap().1.to_owned();
        assert_eq!(flags(&with_keys("x", &config)), " --data '/a b' --jwt-issuer me");
        assert_eq!(
            flags(&with_stores("x", &config)),
            " --data '/a b' --log-url sqlite:/logs --read-url memory:"
        );
        let plain = Config::load(&Sources::default()).unwrap();
        assert_eq!(flags(&with_all("x", &plain)), "", "what is the default needs no flag");
    }

    #[test]
    fn a_shell_gives_back_what_was_quoted() {
        assert_eq!(quoted("target/debug/holdfast"), "target/debug/holdfast");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!(quoted(""), "''");
    }
}
