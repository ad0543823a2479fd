//! `hearth template` and `hearth pool`: what is desired, and the numbers that it draws from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Answer,
    api::{Access, ApiError, escaped},
    commands::Over,
    output::{self, Column, Form},
};

#[derive(Debug, Subcommand)]
pub(crate) enum TemplateCommand {
    /// Every template.
    List,
    /// One template as it was saved last.
    Show {
        /// What the template is called.
        name: String,
    },
    /// Save a template from a JSON file; it is checked whole, and every complaint is shown.
    ///
    /// For instance {"selector": "product_class = \"SimulatedCell\"", "priority": 10,
    /// "values": {"Device.ManagementServer.PeriodicInformInterval": 300}}
    Put {
        /// What the template is called.
        name: String,
        /// The JSON file.
        file: PathBuf,
        #[command(flatten)]
        why: Why,
        /// Save the version only; it is applied later.
        #[arg(long)]
        draft: bool,
    },
    /// What a template would change: the difference and the exact calls, device by device and together.
    Preview {
        /// What the template is called.
        name: String,
        /// The JSON file of what it would be; the saved template where it is left out.
        file: Option<PathBuf>,
        /// A version that was saved, to see the way back.
        #[arg(long, conflicts_with = "file")]
        version: Option<u32>,
    },
    /// The versions of a template, the newest first.
    History {
        /// What the template is called.
        name: String,
    },
    /// Make a version of a template the one that applies; an old one is the way back.
    Apply {
        /// What the template is called.
        name: String,
        /// The version's number.
        version: u32,
        #[command(flatten)]
        why: Why,
    },
    /// Delete a template; what it wanted stays on the cells until something else is desired.
    Delete {
        /// What the template is called.
        name: String,
        #[command(flatten)]
        why: Why,
    },
}

/// Why what is desired changes, and how long the change waits for cells.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Why, for those who look at it later.
    #[arg(long, default_value = "")]
    reason: String,
    /// Days without a further cell that asks to follow, after which the change ends.
    #[arg(long)]
    finish_days: Option<u32>,
}

impl Why {
    /// As parameters of a query.
    fn query(&self) -> String {
        let days = self.finish_days.map(|days| format!("&finish_days={days}")).unwrap_or_default();
        format!("reason={}{days}", escaped(&self.reason))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Every pool.
    List,
    /// One pool, and how many of its numbers were drawn.
    Show {
        /// What the pool is called.
        name: String,
    },
    /// Make a pool of numbers, both ends included; each cell that a template tells to draws one of its own.
    Put {
        /// What the pool is called.
        name: String,
        /// The first number.
        first: u32,
        /// The last number.
        last: u32,
    },
    /// Delete a pool of which nobody holds a number, and from which nothing draws.
    Delete {
        /// What the pool is called.
        name: String,
    },
    /// Who holds which number of a pool.
    Draws {
        /// What the pool is called.
        name: String,
    },
    /// Make the number of a cell free again, once nothing draws it one more; the cell may still be on the air with it.
    Release {
        /// What the pool is called.
        name: String,
        /// The identity in its certificate.
        identity: String,
    },
    /// Keep a certain number for a cell, known or not: it draws that one.
    Reserve {
        /// What the pool is called.
        name: String,
        /// The identity in its certificate.
        identity: String,
        /// The number.
        value: u32,
    },
}

const TEMPLATE_COLUMNS: [Column; 7] = [
    ("NAME", "name"),
    ("SELECTOR", "selector"),
    ("PRIORITY", "priority"),
    ("VERSION", "version"),
    ("APPLIES", "applied_version"),
    ("SAVED", "saved_at"),
    ("BY", "author"),
];
const VERSION_COLUMNS: [Column; 5] = [
    ("VERSION", "version"),
    ("APPLIES", "applied_version"),
    ("SAVED", "saved_at"),
    ("BY", "author"),
    ("REASON", "reason"),
];

const DIFFERENCE_COLUMNS: [Column; 5] =
    [("IDENTITY", "identity"), ("PARAMETER", "path"), ("FROM", "from"), ("TO", "to"), ("CALLS", "calls")];

const POOL_COLUMNS: [Column; 4] =
    [("NAME", "name"), ("FIRST", "first"), ("LAST", "last"), ("DRAWN", "drawn")];

const DRAW_COLUMNS: [Column; 3] = [("NUMBER", "value"), ("IDENTITY", "identity"), ("DRAWN", "drawn_at")];

pub(crate) async fn run_templates(arguments: Over<TemplateCommand>) -> Answer {
    let Over { access, output, command } = arguments;
    let answer = match command {
        TemplateCommand::List => {
            return output::list(&access, "/api/v1/templates", output, &TEMPLATE_COLUMNS).await;
        }
        TemplateCommand::Show { name } => access.get(Desired::of_template(&name).path()).await?,
        TemplateCommand::Put { name, file, why, draft } => {
            Desired::of_template(&name).put(&access, &read(&file)?, &why, draft).await?
        }
        TemplateCommand::Preview { name, file, version } => {
            let template = file.as_deref().map(read).transpose()?;
            let what = [("template", template), ("version", version.map(Value::from))];
            return preview(&access, &name, what, output).await;
        }
        TemplateCommand::History { name } => {
            return Desired::of_template(&name).history(&access, output).await;
        }
        TemplateCommand::Apply { name, version, why } => {
            Desired::of_template(&name).apply(&access, version, &why).await?
        }
        TemplateCommand::Delete { name, why } => Desired::of_template(&name).delete(&access, &why).await?,
    };
    output::show(output, &answer)
}

/// Where something desired with its versions is: a template, or the values of a device.
pub(super) struct Desired(String);

impl Desired {
    fn of_template(name: &str) -> Self {
        Self(format!("/api/v1/templates/{}", escaped(name)))
    }

    pub(super) fn of_device(identity: &str) -> Self {
        Self(format!("/api/v1/devices/{}/values", escaped(identity)))
    }

    pub(super) fn path(&self) -> &str {
        &self.0
    }

    pub(super) async fn put(
        &self,
        access: &Access,
        template: &Value,
        why: &Why,
        is_draft: bool,
    ) -> Result<Value, ApiError> {
        let path = format!("{}?{}&apply={}", self.0, why.query(), !is_draft);
        access.send(Method::PUT, &path, template).await
    }

    pub(super) async fn history(&self, access: &Access, form: Form) -> Answer {
        output::list(access, &format!("{}/versions", self.0), form, &VERSION_COLUMNS).await
    }

    pub(super) async fn apply(&self, access: &Access, version: u32, why: &Why) -> Result<Value, ApiError> {
        let body = json!({"version": version, "reason": why.reason, "finish_days": why.finish_days});
        access.send(Method::POST, &format!("{}/apply", self.0), &body).await
    }

    pub(super) async fn delete(&self, access: &Access, why: &Why) -> Result<Value, ApiError> {
        access.delete(&format!("{}?{}", self.0, why.query())).await
    }
}

pub(super) fn read(file: &Path) -> Result<Value, String> {
    let read = std::fs::read_to_string(file);
    let text = read.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Every page of a preview: what differs device by device, then how many devices would be changed.
async fn preview(
    access: &Access,
    name: &str,
    what: [(&'static str, Option<Value>); 2],
    form: Form,
) -> Answer {
    let path = format!("/api/v1/templates/{name}/preview");
    let (mut whole, mut token) = (Preview::default(), None);
    loop {
        let mut body = json!({"limit": 1000, "page_token": token});
        for (name, value) in &what {
            if let (Some(value), Some(body)) = (value, body.as_object_mut()) {
                body.insert((*name).to_owned(), value.clone());
            }
        }
        let page: Preview = serde_json::from_value(access.send(Method::POST, &path, &body).await?)?;
        whole.items.extend(page.items);
        whole.changed += page.changed;
        whole.same += page.same;
        whole.failed += page.failed;
        token = page.next_page_token;
        if token.is_none() {
            break;
        }
    }
    if form == Form::Json {
        println!("{}", serde_json::to_string_pretty(&whole)?);
        return Ok(true);
    }
    let lines: Vec<Value> = whole.items.iter().flat_map(DevicePreview::lines).collect();
    output::rows_under(&DIFFERENCE_COLUMNS, &lines);
    for device in &whole.items {
        if let Some(error) = &device.error {
            println!("{}: {error}", device.identity);
        }
    }
    for (note, devices) in whole.notes() {
        println!("{note} (devices: {devices})");
    }
    let Preview { changed, same, failed, .. } = whole;
    println!(
        "devices that would be changed: {changed}; that would not: {same}; of which nothing can be said: {failed}"
    );
    Ok(true)
}

/// A page of a preview, or all of them.
#[derive(Default, Serialize, Deserialize)]
struct Preview {
    items: Vec<DevicePreview>,
    changed: u64,
    same: u64,
    failed: u64,
    #[serde(skip_serializing)]
    next_page_token: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct DevicePreview {
    identity: String,
    #[serde(default)]
    differences: Vec<Difference>,
    #[serde(default)]
    calls: Vec<Value>,
    #[serde(default)]
    left_out: Vec<String>,
    #[serde(default)]
    overruled: Vec<Overruled>,
    error: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Overruled {
    path: String,
    table: String,
}

#[derive(Serialize, Deserialize)]
struct Difference {
    path: String,
    from: Option<String>,
    to: Option<String>,
}

impl Preview {
    /// What counts for nothing, and on how many devices.
    fn notes(&self) -> BTreeMap<String, usize> {
        let mut notes = BTreeMap::new();
        for device in &self.items {
            let lacks = device.left_out.iter().map(|path| format!("{path}: left out, the product lacks it"));
            let filled = |Overruled { path, table }: &Overruled| {
                format!("{path}: counts for nothing, a template fills {table}")
            };
            for note in lacks.chain(device.overruled.iter().map(filled)) {
                *notes.entry(note).or_default() += 1;
            }
        }
        notes
    }
}

impl DevicePreview {
    /// A line for each difference, with the calls in the first.
    fn lines(&self) -> Vec<Value> {
        let names = self.calls.iter().filter_map(|call| call.get("method").and_then(Value::as_str));
        let calls = names.collect::<Vec<_>>().join(", ");
        if self.differences.is_empty() && !self.calls.is_empty() {
            return vec![json!({"identity": self.identity, "calls": calls})];
        }
        let line = |(index, one): (usize, &Difference)| {
            let calls = if index == 0 { calls.as_str() } else { "" };
            let Difference { path, from, to } = one;
            json!({"identity": self.identity, "path": path, "from": from, "to": to, "calls": calls})
        };
        self.differences.iter().enumerate().map(line).collect()
    }
}

pub(crate) async fn run_pools(arguments: Over<PoolCommand>) -> Answer {
    const PATH: &str = "/api/v1/pools";
    let Over { access, output, command } = arguments;
    let path = |name: &str| format!("{PATH}/{}", escaped(name));
    let draw = |name: &str, identity: &str| format!("{}/draws/{}", path(name), escaped(identity));
    let answer = match command {
        PoolCommand::List => return output::list(&access, PATH, output, &POOL_COLUMNS).await,
        PoolCommand::Show { name } => access.get(&path(&name)).await?,
        PoolCommand::Put { name, first, last } => {
            access.send(Method::PUT, &path(&name), &json!({"first": first, "last": last})).await?
        }
        PoolCommand::Delete { name } => access.delete(&path(&name)).await?,
        PoolCommand::Draws { name } => {
            return output::list(&access, &format!("{}/draws", path(&name)), output, &DRAW_COLUMNS).await;
        }
        PoolCommand::Release { name, identity } => access.delete(&draw(&name, &identity)).await?,
        PoolCommand::Reserve { name, identity, value } => {
            access.send(Method::PUT, &draw(&name, &identity), &json!({"value": value})).await?
        }
    };
    output::show(output, &answer)
}
