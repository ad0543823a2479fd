//! The software that a device shall run: which image it fetches, and what became of the Download before. (record 0051)
//!
//! A Download for it is a call like an operator's, under the plan's own action, so that it is durable before it is sent,
//! has a URL of its own, and ends with its TransferComplete. Whether it went well is what the device says it runs.
//!
//! ```text
//!  other software ─▶ latest Download: open ──────────────────────▶ under way, for a day
//!                                     done, for this version ────▶ failed: it still runs another
//!                                     none, failed ─▶ image? ─┬──▶ ready
//!                                                             └──▶ absent
//! ```

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    call,
    plan::{Desired, Image, Known, Step},
    radio,
    store::{Binding, CallRow, FileRow, Store, StoreError},
};

/// Who is shown as the author of what the plan queues.
pub(crate) const AUTHOR: &str = "plan";
/// What the plan's action begins with as JSON; no operator's does.
pub(crate) const ACTION: &str = r#"{"action":"software""#;

/// What the plan asks a device for.
#[derive(Debug, Serialize, Deserialize)]
struct Fetch {
    action: Tag,
    file: i64,
    version: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tag {
    Software,
}

/// How a device stands to another software.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may be fetched.
    Ready(Image),
    /// No image is for this product: the deed that cannot be done, and why.
    Absent(Step, String),
    /// A Download has not been reported yet.
    UnderWay,
    /// A Download led to nothing: the call, the deed, and why.
    Failed(i64, Step, String),
}

/// The action that fetches an image, as JSON.
pub(crate) fn action(image: &Image, version: &str) -> String {
    let fetch = Fetch { action: Tag::Software, file: image.file, version: version.to_owned() };
    serde_json::to_string(&fetch).unwrap_or_default()
}

/// The deed that a call carries out, where it is the plan's.
pub(crate) fn deed(call: &CallRow) -> Option<Step> {
    let action = call.action.as_deref().filter(|action| action.starts_with(ACTION))?;
    let Fetch { version, .. } = serde_json::from_str(action).ok()?;
    Some(Step::Software { version })
}

/// How a device stands to the software that is desired of it; nothing where it runs that, or any will do.
pub(crate) async fn standing(
    store: &Store,
    (identity, binding): (&str, &Binding),
    (desired, known): (&Desired, &Known),
    now: Timestamp,
) -> Result<Option<Standing>, StoreError> {
    let Some(version) = desired.other_software(known) else { return Ok(None) };
    if let Some(standing) = store.latest_fetch(identity).await?.and_then(|call| judge(&call, version, now)) {
        return Ok(Some(standing));
    }
    let image = store.firmware().await?.iter().find_map(|file| image(file, version, binding, known));
    Ok(Some(image.map_or_else(|| absent(version, binding), Standing::Ready)))
}

/// What the latest Download says; nothing where another may come.
fn judge(call: &CallRow, version: &str, now: Timestamp) -> Option<Standing> {
    let deed = deed(call)?;
    let is_overdue = call::is_overdue(call, now);
    let failed = |deed, why: &str| Some(Standing::Failed(call.id, deed, why.to_owned()));
    match call.state.as_str() {
        "queued" => Some(Standing::UnderWay),
        "sent" | "accepted" | "unknown" if is_overdue => {
            failed(deed, "the device has not reported the transfer within a day")
        }
        "sent" | "accepted" | "unknown" => Some(Standing::UnderWay),
        "done" if (Step::Software { version: version.to_owned() }) == deed => {
            failed(deed, "the device reported the transfer as complete, and runs another software")
        }
        _ => None,
    }
}

/// The image in a file, where it has this version and is for this product and board.
fn image(file: &FileRow, version: &str, binding: &Binding, known: &Known) -> Option<Image> {
    let manifest = file.firmware()?;
    let is_its = manifest.version == version
        && manifest.oui.eq_ignore_ascii_case(&binding.oui)
        && manifest.product_class.eq_ignore_ascii_case(&binding.product_class)
        && known
            .text(radio::HARDWARE)
            .is_none_or(|board| manifest.hardware_versions.iter().any(|one| one == board));
    is_its.then(|| Image { file: file.id, name: file.name.clone(), size: file.size })
}

fn absent(version: &str, binding: &Binding) -> Standing {
    let Binding { oui, product_class, .. } = binding;
    let why =
        format!("no file of firmware has version {version:.64} for {oui}/{product_class} and its board");
    Standing::Absent(Step::Software { version: version.to_owned() }, why)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::call::tests::row;

    fn call(state: &str, version: &str) -> CallRow {
        let image = Image { file: 1, name: "cell".to_owned(), size: 10 };
        CallRow { action: Some(action(&image, version)), ..row(7, "Download", state) }
    }

    fn after(hours: i64, state: &str, version: &str) -> Option<Standing> {
        judge(&call(state, version), "2", Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours))
    }

    #[test]
    fn w02_a_download_that_is_open_holds_up_any_other_for_a_day() {
        for state in ["sent", "accepted", "unknown"] {
            assert_eq!(after(24, state, "1"), Some(Standing::UnderWay), "{state}");
            let deed = Step::Software { version: "1".to_owned() };
            assert!(matches!(after(25, state, "1"), Some(Standing::Failed(7, failed, _)) if failed == deed));
        }
        assert_eq!(after(25, "queued", "2"), Some(Standing::UnderWay), "it is sent in this session");
    }

    #[test]
    fn w02_what_ended_says_something_of_its_own_version_alone() {
        assert!(matches!(after(1, "done", "2"), Some(Standing::Failed(..))));
        assert_eq!([after(1, "done", "1"), after(1, "failed", "2")], [None, None]);
    }

    #[test]
    fn only_the_plans_own_calls_are_deeds_of_the_plan() {
        assert_eq!(deed(&call("sent", "2")), Some(Step::Software { version: "2".to_owned() }));
        let operators = r#"{"action":"download","file":1}"#.to_owned();
        assert_eq!(deed(&CallRow { action: Some(operators), ..call("sent", "2") }), None);
    }
}
