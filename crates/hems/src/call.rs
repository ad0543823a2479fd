//! Calls that an operator queues: which are allowed, and what becomes of one whose answer is missing.
//!
//! Reads may be repeated; what changes something never is. After a crash such a call is resolved by what
//! the device itself reports (`M Reboot`, TransferComplete, each with the CommandKey), or shown as unknown.

use cwmp::{CpeMethod, CpeResponse, EventCode, EventStruct, Fault, Text, TransferComplete, TransferStatus};
use datamodel::{Path, PathError};
use jiff::{SignedDuration, Timestamp};
use profile::{HemsUrl, TransportMode, UrlError};

use crate::{
    plan,
    store::{CallRow, Progress},
};

/// Names of one GetParameterValues. (operators read pages, not models)
const NAMES_MAX: usize = 256;
/// Characters of a path. (H-27)
const PATH_MAX: usize = 256;
/// Characters kept of an event's code. (H-27)
const EVENT_MAX: usize = 64;
/// Characters of a CommandKey. (H-27)
const KEY_MAX: usize = 32;

/// How long a cell may take for a transfer and its report: a slow line, a full night's wait, a restart.
const OVERDUE: SignedDuration = SignedDuration::from_hours(24);

/// Why a call is not queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// Templates are for this.
    #[error("{0} cannot be called by hand: write a template instead")]
    NotAllowed(&'static str),
    /// Sessions are held in CWMP 1.1, as the H(e)NB specifications ask. (TS 32.593)
    #[error("{0} came with CWMP 1.2, and cells are spoken to in 1.1")]
    TooNew(&'static str),
    /// Too many or too few names.
    #[error("there are between 1 and {NAMES_MAX} parameter names")]
    Names,
    /// No path.
    #[error("a parameter's name: {0}")]
    Path(#[from] PathError),
    /// Not one row of a table.
    #[error("`ObjectName` names one row, such as Device.Users.User.3.")]
    Row,
    /// Too long.
    #[error("`CommandKey` has at most {KEY_MAX} characters")]
    CommandKey,
    /// A password. (P-07)
    #[error("`Username` and `Password` are empty: certificates alone authenticate (TS 33.320 8.3.4)")]
    Credentials,
    /// Not https.
    #[error("`URL`: {0}")]
    Url(#[from] UrlError),
    /// It would arrive as another text.
    #[error("`{place}` has U+{:04X}, which XML cannot carry", u32::from(*.character))]
    Character { place: String, character: char },
    /// Beyond the schema. (H-27)
    #[error("`FileType` has 1 to 64 characters, `TargetFileName`, `SuccessURL` and `FailureURL` at most 256")]
    Length,
}

/// Checks a call that an operator typed: a method without an arm is not an operator's to call.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a new method is closed to operators until somebody opens it"
)]
pub(crate) fn check(method: &CpeMethod, mode: TransportMode) -> Result<(), CallError> {
    carried("", &serde_json::to_value(method).unwrap_or_default())?;
    match method {
        CpeMethod::GetRPCMethods(_)
        | CpeMethod::GetQueuedTransfers(_)
        | CpeMethod::GetAllQueuedTransfers(_)
        | CpeMethod::FactoryReset(_) => Ok(()),
        CpeMethod::GetParameterNames(call) => check_names([&*call.parameter_path].into_iter()),
        CpeMethod::GetParameterValues(call) => check_names(call.parameter_names.iter().map(|name| &**name)),
        CpeMethod::GetParameterAttributes(call) => {
            check_names(call.parameter_names.iter().map(|name| &**name))
        }
        CpeMethod::SetParameterAttributes(call) => {
            check_names(call.parameter_list.iter().map(|one| &*one.name))
        }
        CpeMethod::DeleteObject(call) => fits(is_row(&call.object_name), CallError::Row),
        CpeMethod::Reboot(call) => check_key(&call.command_key),
        CpeMethod::ScheduleInform(call) => check_key(&call.command_key),
        CpeMethod::Download(call) => {
            let others = [&call.target_file_name, &call.success_url, &call.failure_url];
            fits(others.iter().all(|text| text.len() <= PATH_MAX), CallError::Length)?;
            File {
                call: [&call.command_key, &call.file_type, &call.url],
                secrets: [&call.username, &call.password],
            }
            .check(mode)
        }
        CpeMethod::Upload(call) => File {
            call: [&call.command_key, &call.file_type, &call.url],
            secrets: [&call.username, &call.password],
        }
        .check(mode),
        CpeMethod::ScheduleDownload(_) | CpeMethod::CancelTransfer(_) | CpeMethod::ChangeDUState(_) => {
            Err(CallError::TooNew(method.name()))
        }
        other => Err(CallError::NotAllowed(other.name())),
    }
}

/// Whether every text of a call arrives as it is.
fn carried(place: &str, value: &serde_json::Value) -> Result<(), CallError> {
    use serde_json::Value;
    match value {
        Value::String(text) => match text.chars().find(|character| !cwmp::is_carried(*character)) {
            Some(character) => Err(CallError::Character { place: place.to_owned(), character }),
            None => Ok(()),
        },
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(index, item)| carried(&format!("{place}[{index}]"), item))
        }
        Value::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            let dot = if place.is_empty() { "" } else { "." };
            carried(&format!("{place}{dot}{name}"), field)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn fits(is_fine: bool, error: CallError) -> Result<(), CallError> {
    if is_fine { Ok(()) } else { Err(error) }
}

fn is_row(path: &str) -> bool {
    let number = path.strip_suffix('.').and_then(|path| path.rsplit('.').next());
    path.len() <= PATH_MAX && number.is_some_and(|number| number.parse::<u32>().is_ok())
}

fn check_key(key: &str) -> Result<(), CallError> {
    fits(key.len() <= KEY_MAX, CallError::CommandKey)
}

fn check_names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Result<(), CallError> {
    let is_count_fine = (1..=NAMES_MAX).contains(&names.len());
    fits(is_count_fine, CallError::Names)?;
    names.map(Path::parse).try_for_each(|path| path.map(drop)).map_err(CallError::Path)
}

/// What every call for a file says: its key, the kind of file and where it is; and what it must not say.
struct File<'a> {
    call: [&'a Text; 3],
    secrets: [&'a Text; 2],
}

impl File<'_> {
    fn check(&self, mode: TransportMode) -> Result<(), CallError> {
        let [key, file_type, url] = self.call;
        check_key(key)?;
        fits(self.secrets.iter().all(|secret| secret.is_empty()), CallError::Credentials)?;
        fits((1..=64).contains(&file_type.len()), CallError::Length)?;
        HemsUrl::parse(url, mode)?;
        Ok(())
    }
}

/// The methods of the two actions that the plan carries out: they are queued to be judged.
pub(crate) const LOCK: &str = "Lock";
pub(crate) const UNLOCK: &str = "Unlock";

/// The method of the action that asks a device for a session, and that action.
pub(crate) const WAKE: &str = "Wake";
pub(crate) const WAKE_ACTION: &str = r#"{"action":"wake"}"#;

/// Which AdminState an action waits for, where it waits for the plan.
pub(crate) fn wanted_state(method: &str) -> Option<bool> {
    match method {
        LOCK => Some(false),
        UNLOCK => Some(true),
        _ => None,
    }
}

/// The table whose rows a call changes: they are unknown afterwards.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other call changes rows")]
pub(crate) fn table(method: &CpeMethod) -> Option<String> {
    match method {
        CpeMethod::DeleteObject(call) => plan::table_of(&call.object_name).map(str::to_owned),
        CpeMethod::AddObject(call) => Some(call.object_name.to_string()),
        _ => None,
    }
}

/// Whether a call may leave the device another one; by its name, as it is stored.
pub(crate) fn is_change(method: &str) -> bool {
    !method.starts_with("Get") && !matches!(method, "Upload" | "ScheduleInform")
}

/// The CommandKey of a call that later reports carry, so that they find it.
#[expect(clippy::wildcard_enum_match_arm, reason = "other calls end with their response")]
pub(crate) fn command_key(method: &mut CpeMethod) -> Option<&mut Text> {
    match method {
        CpeMethod::Reboot(call) => Some(&mut call.command_key),
        CpeMethod::ScheduleInform(call) => Some(&mut call.command_key),
        CpeMethod::Download(call) => Some(&mut call.command_key),
        CpeMethod::Upload(call) => Some(&mut call.command_key),
        _ => None,
    }
}

/// What an answer makes of a call.
pub(crate) fn outcome(answer: &Result<CpeResponse, Fault>) -> Progress {
    let text = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
    match answer {
        Ok(response) => {
            let json = text(serde_json::to_string(response));
            if is_pending(response) { Progress::Accepted(json) } else { Progress::Done(json) }
        }
        Err(fault) => Progress::Failed(text(serde_json::to_string(fault))),
    }
}

/// A transfer that is not done yet reports by TransferComplete. (TR-069 A.3.2.8)
#[expect(clippy::wildcard_enum_match_arm, reason = "other calls end with their response")]
fn is_pending(response: &CpeResponse) -> bool {
    match response {
        CpeResponse::Download(download) => download.status == TransferStatus::Later,
        CpeResponse::Upload(upload) => upload.status == TransferStatus::Later,
        _ => false,
    }
}

/// Whether a transfer's report is missing for so long that it will hardly come.
pub(crate) fn is_overdue(call: &CallRow, now: Timestamp) -> bool {
    call.sent_at.unwrap_or(call.queued_at) < (now - OVERDUE).as_millisecond()
}

/// What an Inform says about calls that were sent and never answered, or never reported.
pub(crate) fn resolve(calls: &[CallRow], events: &[EventStruct], now: Timestamp) -> Vec<(i64, Progress)> {
    let rebooted = |call: &CallRow| {
        let is_it = |event: &&EventStruct| {
            event.event_code == EventCode::M_REBOOT && *event.command_key == *call.command_key
        };
        call.method == "Reboot" && events.iter().any(|event| is_it(&event))
    };
    let progress = |call: &CallRow| match call.state.as_str() {
        "queued" | "sent" if call.method == WAKE => woken(call, events),
        "sent" | "unknown" if rebooted(call) => Some(Progress::Done("{\"Event\":\"M Reboot\"}".to_owned())),
        "sent" if call.method.starts_with("Get") => Some(Progress::Queued),
        "sent" => Some(Progress::Unknown("no answer came, and it may have been carried out")),
        "accepted" => unreported(call, events, now).map(Progress::Unknown),
        _ => None,
    };
    calls.iter().filter_map(|call| Some((call.id, progress(call)?))).collect()
}

/// Why the report of a transfer is not waited for any more. One that this Inform announces comes in its session.
fn unreported(call: &CallRow, events: &[EventStruct], now: Timestamp) -> Option<&'static str> {
    let has = |code: EventCode| events.iter().any(|event| event.event_code == code);
    match () {
        () if has(EventCode::TRANSFER_COMPLETE) => None,
        () if has(EventCode::BOOTSTRAP) => Some("the device began anew before it reported the transfer"),
        () if is_overdue(call, now) => Some("the device has not reported the transfer within a day"),
        () => None,
    }
}

/// A device that was asked has come when it says so; one that is not asked yet has come by itself. The outcome has the
/// event.
fn woken(call: &CallRow, events: &[EventStruct]) -> Option<Progress> {
    let is_asked = |event: &&EventStruct| event.event_code == EventCode::CONNECTION_REQUEST;
    let by_itself = || events.first().filter(|_| call.state == "queued");
    let event = events.iter().find(is_asked).or_else(by_itself)?;
    let code: String = event.event_code.as_str().chars().take(EVENT_MAX).collect();
    Some(Progress::Done(serde_json::json!({ "Event": code }).to_string()))
}

/// What a TransferComplete says about the transfer with its CommandKey. (TR-069 A.3.3.2)
pub(crate) fn transferred(calls: &[CallRow], complete: &TransferComplete) -> Vec<(i64, Progress)> {
    let text = serde_json::to_string(complete).unwrap_or_default();
    let is_fine = complete.fault_struct.fault_code.0 == 0;
    let progress = if is_fine { Progress::Done(text) } else { Progress::Failed(text) };
    let waits = |call: &&CallRow| {
        matches!(call.method.as_str(), "Download" | "Upload")
            && call.command_key == *complete.command_key
            && matches!(call.state.as_str(), "sent" | "accepted" | "unknown")
    };
    calls.iter().find(waits).map(|call| (call.id, progress)).into_iter().collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn checked(json: &str) -> Result<(), CallError> {
        let method = serde_json::from_str(json).map_err(|_| CallError::NotAllowed("no call"))?;
        check(&method, TransportMode::Public)
    }

    fn download(url: &str, password: &str) -> String {
        format!(
            r#"{{"Download": {{"CommandKey": "k", "FileType": "1 Firmware Upgrade Image", "URL": "{url}",
                "Username": "", "Password": "{password}", "FileSize": 0, "TargetFileName": "",
                "DelaySeconds": 0, "SuccessURL": "", "FailureURL": ""}}}}"#
        )
    }

    pub(crate) fn row(id: i64, method: &str, state: &str) -> CallRow {
        CallRow {
            id,
            method: method.to_owned(),
            command_key: "k".to_owned(),
            body: String::new(),
            state: state.to_owned(),
            queued_at: 0,
            sent_at: None,
            finished_at: None,
            outcome: None,
            author: String::new(),
            action: None,
        }
    }

    #[test]
    fn p07_p11_a_download_goes_over_https_and_carries_no_password() {
        assert_eq!(checked(&download("https://files.example/x", "")), Ok(()));
        assert!(matches!(checked(&download("http://files.example/x", "")), Err(CallError::Url(_))));
        assert_eq!(checked(&download("https://files.example/x", "p")), Err(CallError::Credentials));
    }

    #[test]
    fn only_some_methods_can_be_called_by_hand() {
        assert_eq!(checked(r#"{"Reboot": {"CommandKey": "x"}}"#), Ok(()));
        assert_eq!(
            checked(r#"{"DeleteObject": {"ObjectName": "Device.T.", "ParameterKey": ""}}"#),
            Err(CallError::Row)
        );
        assert_eq!(checked(r#"{"DeleteObject": {"ObjectName": "Device.T.3.", "ParameterKey": ""}}"#), Ok(()));
        let set = r#"{"SetParameterValues": {"ParameterList": [], "ParameterKey": ""}}"#;
        assert_eq!(checked(set), Err(CallError::NotAllowed("SetParameterValues")));
    }

    #[test]
    fn a_text_that_xml_cannot_carry_is_refused_with_its_place() {
        let attributes = r#"{"SetParameterAttributes": {"ParameterList": [{"Name": "Device.X_A",
            "NotificationChange": true, "Notification": 1, "AccessListChange": false, "AccessList": ["\uFFFE"]}]}}"#;
        for (call, says) in [
            (r#"{"Reboot": {"CommandKey": "a\u0000"}}"#, "`Reboot.CommandKey` has U+0000"),
            (r#"{"Reboot": {"CommandKey": "\u0001"}}"#, "`Reboot.CommandKey` has U+0001"),
            (attributes, "`SetParameterAttributes.ParameterList[0].AccessList[0]` has U+FFFE"),
        ] {
            let refused = checked(call).unwrap_err().to_string();
            assert!(refused.starts_with(says), "{refused}");
        }
        assert_eq!(checked(r#"{"Reboot": {"CommandKey": "\t\u00e9 <&>"}}"#), Ok(()));
    }

    #[test]
    fn p07_p11_every_call_for_a_file_is_held_to_the_same_rules() {
        let upload = |url: &str, password: &str| {
            checked(&format!(
                r#"{{"Upload": {{"CommandKey": "k", "FileType": "1 Vendor Configuration File", "URL": "{url}",
                    "Username": "", "Password": "{password}", "DelaySeconds": 0}}}}"#
            ))
        };
        assert_eq!(upload("https://files.example/x", ""), Ok(()));
        assert!(matches!(upload("http://files.example/x", ""), Err(CallError::Url(_))));
        assert_eq!(upload("https://files.example/x", "p"), Err(CallError::Credentials));
        let names = vec!["\"Device.X\""; NAMES_MAX + 1].join(",");
        let attributes = format!(r#"{{"GetParameterAttributes": {{"ParameterNames": [{names}]}}}}"#);
        assert_eq!(checked(&attributes), Err(CallError::Names));
    }

    #[test]
    fn a_name_that_is_no_path_is_not_asked_for() {
        let read =
            |name: &str| checked(&format!(r#"{{"GetParameterValues": {{"ParameterNames": ["{name}"]}}}}"#));
        assert_eq!((read(""), read("Device.Time."), read("Device.X_A.1.B")), (Ok(()), Ok(()), Ok(())));
        for name in ["Device..Time", "what is this", &"x".repeat(257)] {
            assert!(matches!(read(name), Err(CallError::Path(_))), "{name}");
        }
    }

    #[test]
    fn s10_a_sent_reboot_is_resolved_by_its_event_or_unknown_and_never_repeated() {
        let calls =
            [row(1, "Reboot", "sent"), row(2, "GetParameterValues", "sent"), row(3, "Reboot", "queued")];
        let event = EventStruct { event_code: EventCode::M_REBOOT, command_key: "k".into() };
        let now = Timestamp::UNIX_EPOCH;
        let resolved = resolve(&calls, std::slice::from_ref(&event), now);
        assert!(matches!(resolved[..], [(1, Progress::Done(_)), (2, Progress::Queued)]), "{resolved:?}");
        assert!(matches!(resolve(&calls[..1], &[], now)[..], [(1, Progress::Unknown(_))]));
        let late = resolve(&[row(4, "Reboot", "unknown")], &[event], now);
        assert!(matches!(late[..], [(4, Progress::Done(_))]));
    }

    #[test]
    fn r10_a_device_is_woken_when_it_says_so_or_came_by_itself_before() {
        let calls = [row(1, WAKE, "queued"), row(2, WAKE, "sent"), row(3, WAKE, "done")];
        let events = |code| [EventStruct { event_code: code, command_key: Text::new() }];
        let now = Timestamp::UNIX_EPOCH;
        let asked = resolve(&calls, &events(EventCode::CONNECTION_REQUEST), now);
        assert!(matches!(asked[..], [(1, Progress::Done(_)), (2, Progress::Done(_))]), "{asked:?}");
        let by_itself = resolve(&calls, &events(EventCode::PERIODIC), now);
        assert_eq!(by_itself, [(1, Progress::Done("{\"Event\":\"2 PERIODIC\"}".to_owned()))]);
    }

    #[test]
    fn a_transfer_without_a_report_is_unknown_after_a_day_or_a_new_beginning() {
        let sent = |hours: i64| CallRow { sent_at: Some(hours * 3_600_000), ..row(1, "Upload", "accepted") };
        let says = |call: CallRow, codes: &[EventCode], hours| {
            let event = |code: &EventCode| EventStruct { event_code: code.clone(), command_key: Text::new() };
            let events: Vec<_> = codes.iter().map(event).collect();
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
            resolve(&[call], &events, now).pop().map(|(_, progress)| progress)
        };
        let (began, complete) = (EventCode::BOOTSTRAP, EventCode::TRANSFER_COMPLETE);
        assert_eq!(says(sent(0), &[EventCode::PERIODIC], 24), None);
        assert!(matches!(says(sent(0), &[], 25), Some(Progress::Unknown(why)) if why.contains("a day")));
        assert_eq!(says(sent(9), &[], 25), None, "the day begins when it was sent");
        assert!(
            matches!(says(sent(0), std::slice::from_ref(&began), 1), Some(Progress::Unknown(why)) if why.contains("anew"))
        );
        assert_eq!(says(sent(0), &[began, complete], 25), None, "the report comes");
    }

    #[test]
    fn a_download_completes_by_transfer_complete_with_its_command_key() {
        let complete: TransferComplete = serde_json::from_str(
            r#"{"CommandKey": "k", "FaultStruct": {"FaultCode": 9010, "FaultString": "x"},
                "StartTime": "2026-11-23T10:00:00Z", "CompleteTime": "2026-11-23T10:00:01Z"}"#,
        )
        .unwrap();
        let calls = [row(1, "Download", "done"), row(2, "Download", "accepted")];
        assert!(matches!(transferred(&calls, &complete)[..], [(2, Progress::Failed(_))]));
        assert!(transferred(&calls[..1], &complete).is_empty());
    }
}
