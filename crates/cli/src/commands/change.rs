//! `hearth change`, `freeze` and `radio-off`: what is on its way to the cells, and how to hold it back.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    Answer,
    api::{Access, ApiError},
    commands::Over,
    output::{self, Column},
};

#[derive(Debug, Subcommand)]
pub(crate) enum ChangeCommand {
    /// The changes, the newest first.
    List,
    /// One change with how far it is.
    Show {
        /// Its number.
        id: u32,
    },
    /// Let a large change run, as a second person.
    Approve(Decision),
    /// Let no further cell follow, for now.
    Stop(Decision),
    /// Let cells follow again; what fell before counts no more.
    Resume(Decision),
    /// Let the rest follow when it calls, without a budget.
    Finish(Decision),
    /// Take it back: cells that followed go back when they call.
    Withdraw(Decision),
}

#[derive(Debug, Args)]
pub(crate) struct Decision {
    /// The change's number.
    id: u32,
    /// Why, for those who look at it later.
    #[arg(long, default_value = "")]
    reason: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FreezeCommand {
    /// Whether everything is frozen, since when and why.
    Show,
    /// Let nothing change anywhere, but for an emergency.
    Begin {
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Let changes go on.
    End,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RadioOffCommand {
    /// The emergencies, the newest first.
    List,
    /// Take the cells of a filter off the air, whatever else is desired.
    ///
    /// They are all named when it is LISTED. One that stays without was cut off: order it again.
    Order {
        /// The filter; an empty one is every cell.
        filter: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// How far one is, and which cells were not seen off the air yet.
    Show {
        /// Its number.
        id: u32,
    },
    /// Lift it: what is desired counts again.
    Lift {
        /// Its number.
        id: u32,
    },
}

const CHANGE_COLUMNS: [Column; 14] = [
    ("CHANGE", "id"),
    ("TEMPLATE", "template"),
    ("DEVICE", "identity"),
    ("FILTER", "filter"),
    ("TO", "to_version"),
    ("STATE", "state"),
    ("CELLS", "matched"),
    ("RELEASED", "released"),
    ("FINE", "fine"),
    ("FAULTED", "faulted"),
    ("FELL", "fell"),
    ("LOST", "lost"),
    ("UNREACHED", "unreached"),
    ("BY", "author"),
];

const EMERGENCY_COLUMNS: [Column; 7] = [
    ("EMERGENCY", "id"),
    ("FILTER", "filter"),
    ("ORDERED", "ordered_at"),
    ("LIFTED", "lifted_at"),
    ("LISTED", "listed_at"),
    ("CELLS", "devices"),
    ("OFF", "off"),
];

pub(crate) async fn run(arguments: Over<ChangeCommand>) -> Answer {
    let Over { access, output, command } = arguments;
    let answer = match command {
        ChangeCommand::List => {
            return output::list(&access, "/api/v1/changes", output, &CHANGE_COLUMNS).await;
        }
        ChangeCommand::Show { id } => access.get(&format!("/api/v1/changes/{id}")).await?,
        ChangeCommand::Approve(decision) => decision.send(&access, "approve").await?,
        ChangeCommand::Stop(decision) => decision.send(&access, "stop").await?,
        ChangeCommand::Resume(decision) => decision.send(&access, "resume").await?,
        ChangeCommand::Finish(decision) => decision.send(&access, "finish").await?,
        ChangeCommand::Withdraw(decision) => decision.send(&access, "withdraw").await?,
    };
    output::show(output, &answer)
}

impl Decision {
    async fn send(self, access: &Access, what: &str) -> Result<Value, ApiError> {
        let path = format!("/api/v1/changes/{}/{what}", self.id);
        access.send(Method::POST, &path, &json!({"reason": self.reason})).await
    }
}

pub(crate) async fn run_freeze(arguments: Over<FreezeCommand>) -> Answer {
    const PATH: &str = "/api/v1/freeze";
    let Over { access, output, command } = arguments;
    let answer = match command {
        FreezeCommand::Show => access.get(PATH).await?,
        FreezeCommand::Begin { reason } => access.send(Method::PUT, PATH, &json!({"reason": reason})).await?,
        FreezeCommand::End => access.delete(PATH).await?,
    };
    output::show(output, &answer)
}

pub(crate) async fn run_radio_off(arguments: Over<RadioOffCommand>) -> Answer {
    const PATH: &str = "/api/v1/radio-off";
    let Over { access, output, command } = arguments;
    let answer = match command {
        RadioOffCommand::List => {
            return output::list(&access, PATH, output, &EMERGENCY_COLUMNS).await;
        }
        RadioOffCommand::Order { filter, reason } => {
            access.send(Method::POST, PATH, &json!({"filter": filter, "reason": reason})).await?
        }
        RadioOffCommand::Show { id } => {
            let mut shown = access.get(&format!("{PATH}/{id}")).await?;
            let left = access.list(&format!("{PATH}/{id}/devices")).await?;
            let left = left.into_iter().filter_map(|device| device.get("identity").cloned()).collect();
            if let Some(shown) = shown.as_object_mut() {
                shown.insert("not_off_yet".to_owned(), left);
            }
            shown
        }
        RadioOffCommand::Lift { id } => access.delete(&format!("{PATH}/{id}")).await?,
    };
    output::show(output, &answer)
}
