//! `hearth model`: reads data models from the Broadband Forum's XML and a vendor's, and looks into them.

use std::{
    fs,
    path::{Path as FilePath, PathBuf},
};

use clap::Subcommand;
use datamodel::{
    Definition, Model, Path, Table,
    import::{Library, Models},
};

use crate::Answer;

/// What a part of the models says of itself.
const SELECTED: &str =
    "Made by `hearth model select`: what a cell has beside the standard, for `models` in henbd.toml.";

/// What a table that was made here says of itself.
const HEAD: &str =
    "Made by `hearth model import`: facts of the model, for `models` in hems.toml and henbd.toml.";

/// How the rows are read, for whoever sees them for the first time.
const LEGEND: &str =
    "object: access, entries=LEAST..MOST rows; parameter: access, flags, and behind the colon its type.
range= bounds numbers, size= the characters of a text; 1.. has no upper bound, ..9 no lower one.
list=ITEMS/CHARACTERS: a list with so many items, and so many characters in all: list=1../0..512.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a table of each model that the files define, for `models` in the configuration of the H(e)MS.
    ///
    /// What they import is looked for among the files and beside them: by name, and by name without its
    /// last numbers. One line a model: its file, objects, parameters and profiles.
    Import {
        /// XML files of the Broadband Forum's form, whole or split, or a vendor's.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The folder for the tables; made where it is missing.
        #[arg(long, value_name = "FOLDER", default_value = "models")]
        into: PathBuf,
    },
    /// Print the table of a part of the models, for `models` in henbd.toml: what a cell has beside what every cell has.
    ///
    /// A selection has a line for each thing that it takes: `vendor X_ACME_` all that has a name which begins so,
    /// `profile NAME`, `object PATH` with its parameters, `tree PATH` with all below, `parameter PATH`.
    Select {
        /// The file with the selection.
        selection: PathBuf,
        /// Tables beside the standard models.
        #[arg(long = "table", value_name = "FILE")]
        tables: Vec<PathBuf>,
    },
    /// Print what the model says of a path and of all below it, as the rows of a table.
    Show {
        /// An object, which ends in a dot, or a parameter; `{i}` or a number for a row.
        #[arg(default_value = "Device.")]
        path: Path,
        /// Tables beside the standard models.
        #[arg(long = "table", value_name = "FILE")]
        tables: Vec<PathBuf>,
    },
    /// List the profiles, or what belongs to one.
    Profiles {
        /// A profile with its version, such as LTEBaseline:1.
        name: Option<String>,
        /// Tables beside the standard models.
        #[arg(long = "table", value_name = "FILE")]
        tables: Vec<PathBuf>,
    },
}

pub(crate) fn run(command: &Command) -> Answer {
    match command {
        Command::Import { files, into } => import(files, into),
        Command::Select { selection, tables } => select(selection, tables),
        Command::Show { path, tables } => show(path, tables),
        Command::Profiles { name, tables } => profiles(name.as_deref(), tables),
    }
}

fn import(files: &[PathBuf], into: &FilePath) -> Answer {
    let Models { tables, warnings } = Library::open(files)?.tables()?;
    warnings.iter().for_each(|warning| eprintln!("{warning}"));
    if tables.is_empty() {
        return Err("these files define no model of their own: name the file that does".into());
    }
    fs::create_dir_all(into).map_err(|error| format!("cannot make {}: {error}", into.display()))?;
    for table in tables {
        let file = into.join(format!("{}.txt", file_name(&table.model)));
        fs::write(&file, table.write(HEAD))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        let all = table.definitions.len();
        let objects = table.definitions.iter().filter(|one| matches!(one, Definition::Object(_))).count();
        println!(
            "{}: {}, {objects} objects, {} parameters, {} profiles",
            file.display(),
            table.model,
            all - objects,
            table.profiles.len()
        );
    }
    Ok(true)
}

/// A model's name as a file's: `Device:2.17` is `device-2.17`.
fn file_name(model: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    model.to_ascii_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).collect()
}

fn select(selection: &FilePath, tables: &[PathBuf]) -> Answer {
    let told = selection.display();
    let text = fs::read_to_string(selection).map_err(|error| format!("cannot read {told}: {error}"))?;
    let name = selection.file_stem().unwrap_or_default().to_string_lossy();
    let table = read(tables)?.select(&name, &text).map_err(|error| format!("{told}: {error}"))?;
    print!("{}", table.write(SELECTED));
    Ok(true)
}

fn show(path: &Path, tables: &[PathBuf]) -> Answer {
    let model = read(tables)?;
    let schema = path.schema();
    let below: Vec<Definition> = model.below(&schema).cloned().collect();
    if below.is_empty() {
        eprintln!("the model has nothing at {path}");
        return Ok(false);
    }
    print!("{}", Table::of(&schema.to_string(), below).write(LEGEND));
    Ok(true)
}

fn profiles(name: Option<&str>, tables: &[PathBuf]) -> Answer {
    let model = read(tables)?;
    let Some(name) = name else {
        let mut names: Vec<&str> = model.profiles().map(|profile| profile.name.as_str()).collect();
        names.sort_unstable();
        names.iter().for_each(|name| println!("{name}"));
        return Ok(true);
    };
    let paths = model.profile_paths(name);
    if paths.is_empty() {
        eprintln!("the model has no profile {name}: `hearth model profiles` lists them");
        return Ok(false);
    }
    paths.iter().for_each(|path| println!("{path}"));
    Ok(true)
}

/// The standard models with these tables.
fn read(tables: &[PathBuf]) -> Result<Model, Box<dyn std::error::Error>> {
    let mut more = Vec::new();
    for file in tables {
        let text =
            fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        more.push(Table::read(&text).map_err(|error| format!("{}: {error}", file.display()))?);
    }
    Ok(Model::standard_with(more))
}
