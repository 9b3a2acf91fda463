//! Where settings come from: flags, then `HOLDFAST_*` environment, then the file, then the default.
//! The only place that reads the environment. Texts are not interpreted here.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::ConfigError;
use super::environment::{self, PREFIX};
use super::settings::{SETTINGS, Setting, find, nearest};
use super::stores::masked;

/// The file that is read when it is there and no other is named.
pub const DEFAULT_FILE: &str = "holdfast.toml";

/// What was given, before it is judged.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Values of flags, by setting.
    pub flags: BTreeMap<&'static str, String>,
    /// The environment, by variable.
    pub environment: BTreeMap<String, String>,
    /// The file's name and contents.
    pub file: Option<(PathBuf, String)>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag,
    /// A variable of the environment.
    Environment(String),
    /// A key of the file.
    File(String),
    /// Nobody said anything.
    Default,
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(name) => write!(f, "file {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting with its text and where that came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Which setting.
    pub setting: &'static Setting,
    /// As it was written; empty is the same as absent.
    pub text: String,
    /// Where.
    pub origin: Origin,
}

impl Value {
    /// The text as it may be shown: without the password of an address.
    pub fn masked(&self) -> String {
        masked(&self.text)
    }
}

/// Every setting, resolved.
#[derive(Debug, Clone)]
pub struct Resolved(Vec<Value>);

impl Sources {
    /// The process's own environment and the file that `--config` names, or the default file when
    /// it exists.
    pub fn of_process(
        flags: BTreeMap<&'static str, String>,
        file: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        // A variable that is not Unicode cannot be a setting's value; it is left out.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let file = match std::fs::read_to_string(path) {
            Ok(text) => Some((path.to_owned(), text)),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound && file.is_none() => None,
            Err(why) => {
                let file = path.display().to_string();
                return Err(ConfigError::File { file, why: why.to_string() });
            }
        };
        Ok(Self { flags, environment, file })
    }

    /// Finds each setting's first source.
    pub fn resolve(&self) -> Result<Resolved, ConfigError> {
        for (name, value) in &self.environment {
            environment::judge(name, value)?;
        }
        let (name, table) = match &self.file {
            Some((path, text)) => {
                let name = path.display().to_string();
                let table = read_table(&name, text)?;
                (name, table)
            }
            None => (String::new(), BTreeMap::new()),
        };
        let value = |setting: &'static Setting| {
            let (text, origin) = if let Some(text) = self.flags.get(setting.name) {
                (text.clone(), Origin::Flag)
            } else if let Some(text) = self.environment.get(&setting.environment()) {
                (text.clone(), Origin::Environment(setting.environment()))
            } else if let Some(text) = table.get(setting.name) {
                (text.clone(), Origin::File(name.clone()))
            } else {
                (setting.default.to_owned(), Origin::Default)
            };
            Value { setting, text, origin }
        };
        Ok(Resolved(SETTINGS.iter().map(value).collect()))
    }
}

fn read_table(file: &str, text: &str) -> Result<BTreeMap<&'static str, String>, ConfigError> {
    let wrong = |why: String| ConfigError::File { file: file.to_owned(), why };
    let table: toml::Table =
        text.parse().map_err(|why: toml::de::Error| wrong(place(text, &why)))?;
    let mut values = BTreeMap::new();
    for (key, value) in table {
        let setting = SETTINGS.iter().find(|setting| setting.key() == key).ok_or_else(|| {
            let nearest = nearest(&key);
            ConfigError::UnknownKey { file: file.to_owned(), key: key.clone(), nearest }
        })?;
        let text = plain_text(&value)
            .ok_or_else(|| wrong(format!("`{key}` takes a text, a number or a list of texts")))?;
        values.insert(setting.name, text);
    }
    Ok(values)
}

/// What is wrong in which line, without the line: a password may stand in it.
fn place(text: &str, why: &toml::de::Error) -> String {
    let before = why.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    format!("line {line}: {}", why.message())
}

fn plain_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Datetime(instant) => Some(instant.to_string()),
        toml::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        toml::Value::Float(_) | toml::Value::Boolean(_) | toml::Value::Table(_) => None,
    }
}

impl Resolved {
    /// Every value, in the order of the table.
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    fn value(&self, name: &'static str) -> Result<&Value, ConfigError> {
        let found = find(name).and_then(|_| self.0.iter().find(|value| value.setting.name == name));
        found.ok_or(ConfigError::Conflict("a setting is read that the table does not name"))
    }

    /// Interprets a setting.
    pub fn with<T>(
        &self,
        name: &'static str,
        interpret: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        let value = self.value(name)?;
        let origin = || value.origin.to_string();
        interpret(value.text.trim()).map_err(|why| ConfigError::Value {
            name,
            origin: origin(),
            why: format!("`{}`: {why}", value.masked()),
        })
    }

    /// Interprets a setting that may be absent.
    pub fn optional<T>(
        &self,
        name: &'static str,
        interpret: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        self.with(name, |text| if text.is_empty() { Ok(None) } else { interpret(text).map(Some) })
    }

    /// A setting whose type knows its own spelling.
    pub fn parse<T>(&self, name: &'static str) -> Result<T, ConfigError>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.with(name, |text| text.parse().map_err(|why: T::Err| why.to_string()))
    }

    /// A whole number between two bounds.
    pub fn bounded(&self, name: &'static str, least: u64, most: u64) -> Result<u64, ConfigError> {
        self.with(name, |text| {
            let value = text.parse::<u64>().ok().filter(|value| (least..=most).contains(value));
            value.ok_or_else(|| format!("a whole number from {least} to {most}"))
        })
    }

    /// Items separated by commas.
    pub fn list<T>(
        &self,
        name: &'static str,
        interpret: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        let items = |text: &str| {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            items.map(&interpret).collect()
        };
        self.with(name, items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(file: &str) -> Sources {
        Sources {
            flags: [("role", "api".to_owned())].into(),
            environment: [
                ("HOLDFAST_ROLE".to_owned(), "worker".to_owned()),
                ("HOLDFAST_DATA".to_owned(), "/env".to_owned()),
            ]
            .into(),
            file: Some(("holdfast.toml".into(), file.to_owned())),
        }
    }

    #[test]
    fn flags_win_over_environment_over_file_over_default() {
        let file = "role = \"all\"\ndata = \"/file\"\npage_items_max = 50\n";
        let resolved = sources(file).resolve().unwrap();
        let shown = |name| {
            let value = resolved.value(name).unwrap();
            (value.text.clone(), value.origin.to_string())
        };
        assert_eq!(shown("role"), ("api".into(), "flag".into()));
        assert_eq!(shown("data"), ("/env".into(), "environment HOLDFAST_DATA".into()));
        assert_eq!(shown("page-items-max"), ("50".into(), "file holdfast.toml".into()));
        assert_eq!(shown("payments"), ("simulator".into(), "default".into()));
    }

    #[test]
    fn an_unknown_key_names_its_neighbour() {
        let why = sources("lissten = \"x\"").resolve().unwrap_err().to_string();
        assert_eq!(why, "holdfast.toml: unknown setting `lissten`; did you mean `listen`?");
    }

    #[test]
    fn an_unknown_variable_names_its_neighbour() {
        let mut sources = sources("");
        drop(sources.environment.insert("HOLDFAST_LOGURL".to_owned(), "postgres://x".to_owned()));
        let why = sources.resolve().unwrap_err().to_string();
        let wanted = "unknown setting `HOLDFAST_LOGURL`; did you mean `HOLDFAST_LOG_URL`?";
        assert_eq!(why, format!("environment: {wanted}"));
    }

    #[test]
    fn a_file_that_is_not_toml_or_holds_other_kinds_is_refused() {
        for wrong in ["listen", "listen = true", "listen = 1.5", "[listen]\na = 1", "a = 1\na = 2"]
        {
            assert!(sources(wrong).resolve().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_and_not_shown() {
        let file = "role = \"all\"\nlog_url = \"postgres://me:hush@db/x\n";
        let why = sources(file).resolve().unwrap_err().to_string();
        assert!(why.contains("line 2: ") && !why.contains("hush"), "{why}");
    }

    #[test]
    fn the_password_of_an_address_is_not_shown() {
        let setting = find("log-url").unwrap();
        let shown =
            |text: &str| Value { setting, text: text.to_owned(), origin: Origin::Default }.masked();
        assert_eq!(shown("postgres://me:secret@db/x"), "postgres://***@db/x");
        assert_eq!(shown("postgres://me:p@ss@db/x"), "postgres://***@db/x");
        assert_eq!(shown("sqlite:a.db"), "sqlite:a.db");
    }
}
