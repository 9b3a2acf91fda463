//! `holdfast man`: the whole command line as one page for `man`, made of the same definitions as the
//! help. Settings stand once, for all commands that take them.

use std::io::{self, Write as _};

use clap::{Arg, Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::settings::HEADING;
use super::{Cli, Failure};

/// Prints the page.
pub fn run() -> Result<(), Failure> {
    Ok(io::stdout().write_all(page()?.as_bytes())?)
}

fn page() -> io::Result<String> {
    let mut whole = Cli::command().disable_help_subcommand(true);
    whole.build();
    let mut page = Vec::new();
    let man = Man::new(whole.clone());
    man.render_title(&mut page)?;
    let mut roff = Roff::new();
    // A flag that is cut by a hyphen cannot be copied.
    roff.control("nh", []);
    roff.to_writer(&mut page)?;
    man.render_name_section(&mut page)?;
    Man::new(brief(&whole)).render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES AND EXIT STATUS"]);
    roff.to_writer(&mut page)?;
    as_written(&mut page, &whole)?;
    for command in visible(&whole) {
        section(&mut page, command)?;
    }
    String::from_utf8(page).map_err(io::Error::other)
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set())
}

/// A command, its options, its examples; or each command of a family.
fn section(page: &mut Vec<u8>, command: &Command) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [command.get_bin_name().unwrap_or_default().to_uppercase().as_str()]);
    let about = command.get_long_about().or(command.get_about());
    roff.text([roman(about.map(ToString::to_string).unwrap_or_default())]);
    roff.to_writer(page)?;
    if !command.has_subcommands() {
        let brief = brief(command);
        if brief.get_arguments().any(|argument| !argument.is_hide_set()) {
            let man = Man::new(brief);
            page.extend(below(|page| man.render_synopsis_section(page))?);
            page.extend(below(|page| man.render_options_section(page))?);
        }
        settings_of(page, command)?;
    }
    as_written(page, command)?;
    visible(command).try_for_each(|command| section(page, command))
}

/// What a section of a page of its own is in a section of this page.
fn below(render: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    render(&mut text)?;
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    Ok(text.replace("\n.SH ", "\n.SS ").into_bytes())
}

fn is_setting(argument: &Arg) -> bool {
    argument.get_help_heading() == Some(HEADING)
}

/// The command without what is the same for many: its settings, and the flag for help.
fn brief(command: &Command) -> Command {
    command.clone().mut_args(|argument| {
        let common = is_setting(&argument) || argument.get_id() == "help";
        argument.hide(common)
    })
}

fn settings_of(page: &mut Vec<u8>, command: &Command) -> io::Result<()> {
    let flags = command.get_arguments().filter(|argument| is_setting(argument));
    let flags: Vec<_> = flags.filter_map(Arg::get_long).map(|flag| format!("--{flag}")).collect();
    if flags.is_empty() {
        return Ok(());
    }
    let mut roff = Roff::new();
    roff.control("PP", []);
    roff.text([roman("Settings it takes: "), bold(flags.join(", ")), roman(".")]);
    roff.to_writer(page)
}

/// The examples and remarks below a help, line by line as they stand there.
fn as_written(page: &mut Vec<u8>, command: &Command) -> io::Result<()> {
    let Some(text) = command.get_after_long_help().or(command.get_after_help()) else {
        return Ok(());
    };
    let mut roff = Roff::new();
    roff.control("PP", []);
    roff.control("nf", []);
    for line in text.to_string().lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.to_writer(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that somebody can call, however deep.
    fn leaves(command: &Command) -> Vec<&Command> {
        if command.has_subcommands() {
            return visible(command).flat_map(leaves).collect();
        }
        vec![command]
    }

    #[test]
    fn every_command_has_its_place_with_all_its_options() {
        let page = page().unwrap().replace("\\-", "-");
        let mut whole = Cli::command().disable_help_subcommand(true);
        whole.build();
        let leaves = leaves(&whole);
        assert!(leaves.len() > 15);
        for command in leaves {
            let name = command.get_bin_name().unwrap().to_uppercase();
            let (_, rest) = page.split_once(&format!(".SH \"{name}\"")).expect(&name);
            let own = rest.split_once("\n.SH ").map_or(rest, |(own, _)| own);
            for flag in command.get_arguments().filter_map(Arg::get_long) {
                assert!(flag == "help" || own.contains(&format!("--{flag}")), "{name} --{flag}");
            }
            let help = command.get_after_help().expect("each has an example").to_string();
            let first = help.lines().nth(1).unwrap().trim();
            assert!(own.contains(first), "{name}: {first}");
        }
    }

    #[test]
    fn a_setting_is_explained_once() {
        let page = page().unwrap();
        assert_eq!(page.matches("HOLDFAST_LOG_URL]").count(), 1);
    }
}
