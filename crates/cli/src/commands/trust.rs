//! `hearth trust`: before a change, and after a mistake.

use std::path::PathBuf;

use clap::Subcommand;
use hyper::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    Answer,
    api::{Access, ApiError, escaped},
    commands::Over,
    output::{self, Column, Form},
};

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Which known cells would refuse a certificate of the H(e)MS, before it is used.
    ///
    /// Exit code 1 where any would, or where its root is not the one that they are known to trust.
    Preview {
        /// The chain in PEM, the H(e)MS's own certificate first.
        #[arg(long, value_name = "FILE")]
        chain: PathBuf,
        /// For which listener it is meant; for the first, `cwmp`, where nothing is said.
        #[arg(long, value_name = "NAME")]
        listener: Option<String>,
    },
    /// The revocation lists in use: how fresh they are, and until when a stale one counts.
    Lists,
    /// Let an anchor's stale revocation lists count for longer, or see who did; every act stays on record.
    Grace {
        /// The anchor; without it the acts so far are listed.
        #[arg(long, value_name = "NAME", requires = "reason")]
        anchor: Option<String>,
        /// For how many days from now, 30 at most; 0 ends the extension.
        #[arg(long, value_name = "DAYS", default_value_t = 7)]
        days: u32,
        /// Why, for whoever asks later.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Whose certificate ends soon.
    Expiry {
        /// How many days to look ahead.
        #[arg(long, default_value_t = 90)]
        within_days: u32,
    },
}

const DOUBTS: [Column; 4] =
    [("IDENTITY", "identity"), ("CERTAIN", "certain"), ("REASON", "reason"), ("DETAIL", "detail")];
const ENDINGS: [Column; 3] = [("IDENTITY", "identity"), ("ENDS", "not_after"), ("DAYS LEFT", "days_left")];
const GRACE: &str = "/api/v1/trust/grace";
const LISTS: [Column; 8] = [
    ("ANCHOR", "anchor"),
    ("ISSUER", "issuer"),
    ("NUMBER", "number"),
    ("REVOKED", "revoked"),
    ("NEXT UPDATE", "next_update"),
    ("STANDING", "standing"),
    ("COUNTS UNTIL", "counts_until"),
    ("VERIFIED", "verified"),
];
const GRACES: [Column; 5] =
    [("ANCHOR", "anchor"), ("UNTIL", "until"), ("REASON", "reason"), ("BY", "by"), ("AT", "at")];

pub(crate) async fn run(arguments: Over<TrustCommand>) -> Answer {
    let Over { access, output, command } = arguments;
    match command {
        TrustCommand::Preview { chain, listener } => {
            let query = listener.map(|name| format!("?listener={}", escaped(&name))).unwrap_or_default();
            let preview = access.upload(&format!("/api/v1/trust/preview{query}"), &chain).await?;
            show(output, &preview, print_preview);
            let doubts = ["refuse", "unproven"].map(|key| number(&preview, key));
            Ok(doubts == [0, 0] && rows(&preview, "faults").is_empty())
        }
        TrustCommand::Lists => list(output, access.get("/api/v1/trust/lists").await?, &LISTS),
        TrustCommand::Grace { anchor: None, .. } => list(output, access.get(GRACE).await?, &GRACES),
        TrustCommand::Grace { anchor: Some(anchor), days, reason } => {
            let act = extend(&access, &anchor, days, &reason.unwrap_or_default()).await?;
            show(output, &act, |act| {
                output::rows_under(&GRACES, std::slice::from_ref(act));
            });
            Ok(true)
        }
        TrustCommand::Expiry { within_days } => {
            let expiry = access.get(&format!("/api/v1/trust/expiry?within_days={within_days}")).await?;
            show(output, &expiry, |expiry| {
                let own = expiry.pointer("/own/not_after");
                println!("Our own certificate ends at {}.", output::cell(own));
                output::rows_under(&ENDINGS, &rows(expiry, "items"));
            });
            Ok(true)
        }
    }
}

/// Extends the grace of an anchor's lists, or ends an extension.
async fn extend(access: &Access, anchor: &str, days: u32, reason: &str) -> Result<Value, ApiError> {
    if days == 0 {
        let query = format!("anchor={}&reason={}", escaped(anchor), escaped(reason));
        return access.delete(&format!("{GRACE}?{query}")).await;
    }
    let until = Timestamp::now() + SignedDuration::from_hours(24 * i64::from(days));
    let extension = json!({"anchor": anchor, "until": until, "reason": reason});
    access.send(Method::POST, GRACE, &extension).await
}

fn list(form: Form, mut page: Value, columns: &[Column]) -> Answer {
    output::items(form, output::rows(&mut page), columns)
}

fn show(form: Form, value: &Value, table: impl FnOnce(&Value)) {
    match form {
        Form::Table => table(value),
        Form::Json => println!("{value}"),
    }
}

fn rows(value: &Value, key: &str) -> Vec<Value> {
    value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

fn print_preview(preview: &Value) {
    let [cells, refuse, at_risk, unknown, unproven] =
        ["cells", "refuse", "at_risk", "unknown", "unproven"].map(|key| number(preview, key));
    if let Some(root) = preview.get("unproven_root") {
        println!(
            "{unproven} of {cells} cells would refuse this certificate unless they were given its root first:"
        );
        println!("{}.", output::cell(Some(root)));
    }
    println!("{refuse} of {cells} cells would refuse this certificate whatever roots they have.");
    println!("{at_risk} more would after a power cut; of {unknown} the clock is not known.");
    for fault in rows(preview, "faults") {
        println!("Every cell would refuse it: {}", output::cell(Some(&fault)));
    }
    let doubts = rows(preview, "doubts");
    if !doubts.is_empty() {
        output::rows_under(&DOUBTS, &doubts);
    }
}
