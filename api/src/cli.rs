//! The command line. Data goes to standard output, everything else to standard error. A subcommand
//! is listed here when it works; each lives in a file of its own.

pub mod audit;
pub mod completions;
pub mod config;
pub mod consent;
pub mod docs;
pub mod events;
pub mod failure;
pub mod health;
pub mod held;
pub mod hint;
pub mod log;
pub mod man;
pub mod migrate;
pub mod offline;
pub mod output;
pub mod progress;
pub mod projections;
pub mod replay;
pub mod seed_demo;
pub mod serve;
pub mod settings;
pub mod token;
pub mod welcome;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use self::failure::Failure;
use self::settings::SettingFlags;

const AFTER_HELP: &str = "\
Examples:
  holdfast                        serve on 127.0.0.1:8080, keep everything in ./data
  holdfast seed-demo --live 2x    traffic for that node, until Ctrl-C
  holdfast audit verify           recompute the log's chains of hashes

Exit codes:
  0    done
  1    failed
  2    wrong usage or configuration
  3    a verification failed
  4    a conflict or an unmet precondition
  5    a store or a service is unavailable
  130  interrupted
  141  nobody reads the output any more

Every setting has three spellings: a flag (--log-url), a variable (HOLDFAST_LOG_URL) and a key of
holdfast.toml (log_url). The flag wins over the variable, the variable over the file.";

/// Holdfast, an event-sourced booking engine.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, after_help = AFTER_HELP)]
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
    /// Read the event log.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Show what was true at a position or an instant.
    Replay(replay::ReplayArguments),
    /// Prove that the log is still what was written.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Fill, compare and switch the read models.
    #[command(subcommand)]
    Projections(projections::ProjectionsCommand),
    /// Care for the event log as a whole, while no node runs on it.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Bring the tables of the stores to the shape of this release.
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Fill a running node with demonstration data.
    SeedDemo(seed_demo::SeedArguments),
    /// Say whether a running node is ready.
    Health(health::HealthArguments),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print a completion script for a shell.
    Completions(completions::CompletionsArguments),
    /// Print the manual, all commands and settings on one page.
    #[command(after_help = "\
Examples:
  holdfast man | man -l -
  holdfast man > /usr/local/share/man/man1/holdfast.1")]
    Man,
    /// Print generated documentation.
    #[command(subcommand)]
    Docs(docs::DocsCommand),
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
            if !matches!(failure, Failure::Unread) {
                output::complain(&failure.to_string());
            }
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
        Some(Command::Events(command)) => events::run(&command),
        Some(Command::Replay(arguments)) => replay::run(&arguments),
        Some(Command::Audit(command)) => audit::run(&command),
        Some(Command::Projections(command)) => projections::run(&command),
        Some(Command::Log(command)) => log::run(&command),
        Some(Command::Migrate(command)) => migrate::run(&command),
        Some(Command::SeedDemo(arguments)) => seed_demo::run(&arguments),
        Some(Command::Health(arguments)) => health::run(&arguments),
        Some(Command::Config(command)) => config::run(&command),
        Some(Command::Completions(arguments)) => completions::run(&arguments),
        Some(Command::Man) => man::run(),
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
