//! The flags of all settings, made from their table, so that a setting has to be named only there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

use super::Failure;
use crate::config::Config;
use crate::config::settings::{SETTINGS, Setting};
use crate::config::sources::Sources;

/// The settings given as flags.
#[derive(Debug, Clone, Default)]
pub struct SettingFlags {
    /// Values, by setting.
    pub flags: BTreeMap<&'static str, String>,
    /// The file that `--config` names.
    pub file: Option<PathBuf>,
}

impl SettingFlags {
    /// Flags, environment and file together.
    pub fn sources(&self) -> Result<Sources, Failure> {
        Ok(Sources::of_process(self.flags.clone(), self.file.as_deref())?)
    }

    /// The configuration they make.
    pub fn load(&self) -> Result<Config, Failure> {
        Ok(Config::load(&self.sources()?)?)
    }
}

/// What a command needs that works on a data folder without a node: where things are, and whose
/// tokens. Other settings keep their variables and their keys in the file.
const OFFLINE: &[&str] = &["data", "log-url", "read-url", "jwt-issuer", "jwt-audience", "jwks-url"];

/// The settings that commands other than `serve` take as flags.
#[derive(Debug, Clone, Default)]
pub struct OfflineFlags(SettingFlags);

impl OfflineFlags {
    /// The configuration they make.
    pub fn load(&self) -> Result<Config, Failure> {
        self.0.load()
    }
}

impl Args for OfflineFlags {
    fn augment_args(command: Command) -> Command {
        flags(command, |setting| OFFLINE.contains(&setting.name))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for OfflineFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        SettingFlags::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// Under which heading they stand in the help.
pub const HEADING: &str = "Settings";

fn flag(setting: &'static Setting) -> Arg {
    let default = if setting.default.is_empty() { "none" } else { setting.default };
    let environment = setting.environment();
    let help = format!("{} [default: {default}] [env: {environment}]", setting.help);
    let flag = Arg::new(setting.name)
        .long(setting.name)
        .value_name(setting.value_name)
        .help(help)
        .help_heading(HEADING);
    if setting.name == "test-clock" {
        flag.num_args(0..=1).default_missing_value("now")
    } else {
        flag
    }
}

fn flags(command: Command, wanted: impl Fn(&Setting) -> bool) -> Command {
    let file = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help("The file to read settings from [default: holdfast.toml, if it is there]")
        .help_heading(HEADING);
    command.args(SETTINGS.iter().filter(|setting| wanted(setting)).map(flag)).arg(file)
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        flags(command, |_| true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for setting in SETTINGS {
            let value = matches.try_get_one::<String>(setting.name).ok().flatten();
            if let Some(value) = value {
                drop(self.flags.insert(setting.name, value.clone()));
            }
        }
        if let Some(file) = matches.get_one::<PathBuf>("config") {
            self.file = Some(file.clone());
        }
        Ok(())
    }
}
