//! What one device is asked to do, in the operator's words; each becomes a call of its next session.
//!
//! ```text
//!  hearth device VERB IDENTITY [--wake] ─▶ {"action": VERB, …} ─▶ a call, which `hearth device calls` shows
//! ```

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::{parameter, path};
use crate::{
    api::{Access, ApiError},
    commands::file::Kind,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Act {
    /// Go off the air in the next session, and stay so whatever templates want.
    Lock {
        /// The identity in its certificate.
        identity: String,
        #[command(flatten)]
        now: Now,
    },
    /// Go on the air in the next session, behind the gate.
    Unlock {
        /// The identity in its certificate.
        identity: String,
        #[command(flatten)]
        now: Now,
    },
    /// Start again in the next session.
    Reboot {
        /// The identity in its certificate.
        identity: String,
        #[command(flatten)]
        now: Now,
    },
    /// Read parameters in the next session.
    Refresh {
        /// The identity in its certificate.
        identity: String,
        /// Parameters, or what is below a path that ends in a dot.
        #[arg(required = true)]
        paths: Vec<String>,
        #[command(flatten)]
        now: Now,
    },
    /// Set parameters once in the next session, such as no template wants.
    Set {
        /// The identity in its certificate.
        identity: String,
        /// PARAMETER=VALUE; may be repeated.
        #[arg(required = true, value_parser = parameter)]
        values: Vec<(String, String)>,
        #[command(flatten)]
        now: Now,
    },
    /// Fetch a file of `hearth file list` in the next session, and take it into use.
    Download {
        /// The identity in its certificate.
        identity: String,
        /// The file's number.
        file: u64,
        #[command(flatten)]
        now: Now,
    },
    /// Send its configuration or its log in the next session; then it is in `hearth file list`.
    Upload {
        /// The identity in its certificate.
        identity: String,
        /// What to send.
        #[arg(value_enum)]
        kind: Kind,
        #[command(flatten)]
        now: Now,
    },
    /// Ask for a session now, by a Connection Request.
    ///
    /// `hearth device show` says whether it can be.
    Wake {
        /// The identity in its certificate.
        identity: String,
    },
}

/// When the device shall do it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Now {
    /// Ask the device for a session now, and do not wait until it calls.
    #[arg(long)]
    wake: bool,
}

impl Act {
    /// Asks for it.
    pub(super) async fn ask(self, access: &Access) -> Result<Value, ApiError> {
        let (identity, mut action, is_now) = self.action();
        if let (true, Some(action)) = (is_now, action.as_object_mut()) {
            action.insert("wake".to_owned(), Value::Bool(true));
        }
        access.send(Method::POST, &path(&identity, "/actions"), &action).await
    }

    /// Of whom what is asked, and whether now.
    fn action(self) -> (String, Value, bool) {
        match self {
            Self::Lock { identity, now } => (identity, json!({"action": "lock"}), now.wake),
            Self::Unlock { identity, now } => (identity, json!({"action": "unlock"}), now.wake),
            Self::Reboot { identity, now } => (identity, json!({"action": "reboot"}), now.wake),
            Self::Refresh { identity, paths, now } => {
                (identity, json!({"action": "refresh", "paths": paths}), now.wake)
            }
            Self::Set { identity, values, now } => {
                let values: BTreeMap<_, _> = values.into_iter().collect();
                (identity, json!({"action": "set", "values": values}), now.wake)
            }
            Self::Download { identity, file, now } => {
                (identity, json!({"action": "download", "file": file}), now.wake)
            }
            Self::Upload { identity, kind, now } => {
                (identity, json!({"action": "upload", "kind": kind.word()}), now.wake)
            }
            Self::Wake { identity } => (identity, json!({"action": "wake"}), false),
        }
    }
}
