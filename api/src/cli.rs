//! The command line. Data goes to standard output, everything else to standard error. A subcommand
//! is listed here when it works; each lives in a file of its own.

pub mod completions;
pub mod config;
pub mod docs;
pub mod output;
pub mod progress;
pub mod serve;
pub mod settings;
pub mod token;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use self::settings::SettingFlags;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed
  2    wrong usage or configuration
  3    a verification failed
  4    a conflict or an unmet precondition
  5    a store or a service is unavailable
  130  interrupted

Every setting has three spellings: a flag (--log-url), a variable (HOLDFAST_LOG_URL) and a key of
holdfast.toml (log_url). The flag wins over the variable, the variable over the file.";

/// Holdfast, an event-sourced booking engine.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do; without it, serve with the defaults.
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: SettingFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node.
    #[command(after_help = "Example:\n  holdfast serve --listen 127.0.0.1:0 --data /tmp/holdfast")]
    Serve(SettingFlags),
    /// Print a token signed with the node's own key, for development.
    Token(token::TokenArguments),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print a completion script for a shell.
    Completions(completions::CompletionsArguments),
    /// Print generated documentation.
    #[command(subcommand, hide = true)]
    Docs(docs::DocsCommand),
}

/// How a command ended without success. The text is shown to a person.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It did not work.
    #[error("{0}")]
    Failed(String),
    /// It was asked wrongly, or configured wrongly.
    #[error("{0}")]
    Usage(String),
    /// What was verified is not as it should be.
    #[error("{0}")]
    Verification(String),
    /// Something is in the way: a conflict, an unmet precondition.
    #[error("{0}")]
    Conflict(String),
    /// A store or a service cannot be reached.
    #[error("{0}")]
    Unavailable(String),
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// The exit code, as the help documents it.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Verification(_) => 3,
            Self::Conflict(_) => 4,
            Self::Unavailable(_) => 5,
            Self::Interrupted => 130,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(why: std::io::Error) -> Self {
        Self::Failed(why.to_string())
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(why: crate::config::ConfigError) -> Self {
        Self::Usage(why.to_string())
    }
}

/// Runs the command line of the process.
pub fn run() -> ExitCode {
    // Before anything opens a connection: the provider of cryptography is chosen once.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a provider of cryptography was installed before");
    }
    match dispatch(&Cli::command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}

fn dispatch(matches: &ArgMatches) -> Result<(), Failure> {
    let cli = Cli::from_arg_matches(matches).map_err(|why| Failure::Usage(why.to_string()))?;
    match cli.command {
        None => serve::run(&cli.settings),
        Some(Command::Serve(settings)) => serve::run(&settings),
        Some(Command::Token(arguments)) => token::run(&arguments),
        Some(Command::Config(command)) => config::run(&command),
        Some(Command::Completions(arguments)) => completions::run(&arguments),
        Some(Command::Docs(command)) => docs::run(&command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_subcommand_means_serve() {
        let cli = Cli::try_parse_from(["holdfast", "--listen", "127.0.0.1:0"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.settings.flags.get("listen").map(String::as_str), Some("127.0.0.1:0"));
        let cli = Cli::try_parse_from(["holdfast", "serve", "--test-clock"]).unwrap();
        let Some(Command::Serve(settings)) = cli.command else { panic!("serve") };
        assert_eq!(settings.flags.get("test-clock").map(String::as_str), Some("now"));
    }

    #[test]
    fn a_flag_that_is_no_setting_is_refused() {
        assert!(Cli::try_parse_from(["holdfast", "serve", "--lisen", "x"]).is_err());
    }
}
