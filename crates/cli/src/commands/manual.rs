//! `hearth completions` and `hearth man`: what shells and `man` know of the commands, drawn from the commands themselves.
//!
//! One rule: no text of a command stands twice; whoever changes a command has changed its page.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Args, Command, CommandFactory, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::Answer;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell that shall complete.
    shell: Shell,
    /// Whose commands.
    #[arg(long, value_enum, default_value = "hearth", value_name = "PROGRAM")]
    of: Program,
}

#[derive(Debug, Args)]
pub(crate) struct Pages {
    /// The folder for the pages of `hearth` and `henbd`, such as /usr/local/share/man/man1; made where it is missing.
    folder: PathBuf,
}

/// The programs that are installed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Program {
    Hearth,
    Henbd,
}

impl Program {
    fn command(self) -> Command {
        match self {
            Self::Hearth => crate::Arguments::command(),
            Self::Henbd => henb::arguments::Arguments::command(),
        }
    }
}

/// Commands whose errors show their usage as their help does: clap adds every option that the environment says, as if it
/// had been typed and had to be.
pub(crate) fn with_plain_usages(mut command: Command) -> Command {
    command.build();
    plain(command)
}

fn plain(mut command: Command) -> Command {
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().to_owned();
    command.override_usage(usage).mut_subcommands(plain)
}

pub(crate) fn completions(arguments: &Completions) -> Answer {
    let mut command = arguments.of.command();
    let name = command.get_name().to_owned();
    // Whole before it is printed: the generator panics by itself where a reader leaves early.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    print!("{}", String::from_utf8(script)?);
    Ok(true)
}

pub(crate) fn man(arguments: &Pages) -> Answer {
    let folder = &arguments.folder;
    let cannot = |error| format!("cannot write pages into {}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(cannot)?;
    for program in Program::value_variants() {
        // `hearth help device` has no page: it is what a page is for.
        let mut command = program.command().disable_help_subcommand(true);
        command.build();
        pages(&command, folder).map_err(cannot)?;
    }
    println!("{}", folder.display());
    Ok(true)
}

/// Writes the page of a command, and those of all below it.
fn pages(command: &Command, folder: &Path) -> io::Result<()> {
    let source = concat!("Hearth ", env!("CARGO_PKG_VERSION"));
    // An empty date is left out of the page's head, where the source would take its place.
    let page = Man::new(command.clone()).date(" ").source(source).manual("Hearth");
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(folder.join(page.get_filename()), text)?;
    command.get_subcommands().try_for_each(|inner| pages(inner, folder))
}
