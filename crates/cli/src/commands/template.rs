//! `hearth template` and `hearth pool`: what is desired, and the numbers that it draws from.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    Answer,
    api::Access,
    output::{self, Column},
};

#[derive(Debug, Args)]
pub(crate) struct Templates {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    command: TemplateCommand,
}

#[derive(Debug, Subcommand)]
enum TemplateCommand {
    /// Every template as JSON.
    List,
    /// Save a template from a JSON file; it is checked whole, and every complaint is shown.
    ///
    /// For instance {"selector": "product_class = \"SimulatedCell\"", "priority": 10,
    /// "values": {"Device.ManagementServer.PeriodicInformInterval": 300}}
    Put {
        /// What the template is called.
        name: String,
        /// The JSON file.
        file: PathBuf,
    },
    /// Delete a template; what it wanted stays on the cells until something else is desired.
    Delete {
        /// What the template is called.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Pools {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    command: PoolCommand,
}

#[derive(Debug, Subcommand)]
enum PoolCommand {
    /// Every pool.
    List,
    /// Make a pool of numbers, both ends included; each cell that a template tells to draws one of its own.
    Put {
        /// What the pool is called.
        name: String,
        /// The first number.
        first: u32,
        /// The last number.
        last: u32,
    },
}

const POOL_COLUMNS: [Column; 4] =
    [("NAME", "name"), ("FIRST", "first"), ("LAST", "last"), ("DRAWN", "drawn")];

pub(crate) async fn run_templates(arguments: Templates) -> Answer {
    let Templates { access, command } = arguments;
    let answer = match command {
        TemplateCommand::List => Value::Array(access.list("/api/v1/templates").await?),
        TemplateCommand::Put { name, file } => {
            let read = std::fs::read_to_string(&file);
            let text = read.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            let template: Value =
                serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
            access.send(Method::PUT, &format!("/api/v1/templates/{name}"), &template).await?
        }
        TemplateCommand::Delete { name } => {
            access.send(Method::DELETE, &format!("/api/v1/templates/{name}"), &Value::Null).await?
        }
    };
    if !answer.is_null() {
        println!("{}", serde_json::to_string_pretty(&answer)?);
    }
    Ok(true)
}

pub(crate) async fn run_pools(arguments: Pools) -> Answer {
    let Pools { access, command } = arguments;
    match command {
        PoolCommand::List => print!("{}", output::table(&POOL_COLUMNS, &access.list("/api/v1/pools").await?)),
        PoolCommand::Put { name, first, last } => {
            let pool = json!({"first": first, "last": last});
            access.send(Method::PUT, &format!("/api/v1/pools/{name}"), &pool).await?;
        }
    }
    Ok(true)
}
