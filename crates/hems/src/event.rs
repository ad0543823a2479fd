//! What happened, for whoever listens: every type of event, and the envelope that it travels in. (CloudEvents 1.0.2)
//!
//! ```text
//!  a fact and its row, one commit ──▶ outbox ─┬─ every node ─▶ feed ───▶ server-sent events
//!                                             └─ one node ───▶ courier ─┬▶ webhooks
//!                                                                       └▶ NATS JetStream
//! ```
//!
//! An event says what is true since its row is durable. Who listens can lag and come back: the outbox has a running
//! number, and its retention a mark that tells a late listener that it missed something.

pub(crate) mod courier;
pub(crate) mod feed;
pub(crate) mod nats;
pub(crate) mod post;
pub(crate) mod signature;

use serde::Serialize;
use serde_json::{Value, json};

use crate::store::{OutboxRow, at};

/// What CloudEvents asks for before a type's own name: whose it is.
const NAMESPACE: &str = "org.hearth.hems";

/// Everything that is told. A new type is a line here and nothing else.
macro_rules! kinds {
    ($( $(#[$doc:meta])* $kind:ident = $name:literal; )*) => {
        /// The types of events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Kind { $( $(#[$doc])* $kind, )* }

        impl Kind {
            /// Every type.
            pub(crate) const ALL: &[Self] = &[$( Self::$kind ),*];

            /// The name in filters, in rows and in `event:`.
            pub(crate) fn name(self) -> &'static str {
                match self { $( Self::$kind => $name, )* }
            }
        }
    };
}

kinds! {
    /// A cell's Inform is durable; told where every session is.
    SessionOpened = "session.opened";
    /// A session ended; told where every session is, or where it did not end as it should.
    SessionClosed = "session.closed";
    /// One identity was admitted.
    DeviceAdmitted = "device.admitted";
    /// A list of many was admitted.
    ListAdmitted = "list.admitted";
    /// An admission was taken back.
    DeviceWithdrawn = "device.withdrawn";
    /// An identity that nobody admitted called for the first time.
    DeviceQuarantined = "device.quarantined";
    /// What is desired of a cell is known to be so, and it serves.
    DeviceInService = "device.in_service";
    /// It did, and does not any more.
    DeviceOutOfService = "device.out_of_service";
    /// A step of a cell's plan failed so often that it is not tried any more.
    DeviceDeadLetter = "device.dead_letter";
    /// Somebody is shut out.
    BlockMade = "block.made";
    /// Somebody is no longer shut out.
    BlockLifted = "block.lifted";
    /// An alarm stands.
    AlarmRaised = "alarm.raised";
    /// Its severity changed.
    AlarmChanged = "alarm.changed";
    /// It does not stand any more.
    AlarmCleared = "alarm.cleared";
    /// Somebody has seen it.
    AlarmAcknowledged = "alarm.acknowledged";
    /// Somebody took that back.
    AlarmUnacknowledged = "alarm.unacknowledged";
    /// A call that an operator queued is done, failed, or unknown.
    CallFinished = "call.finished";
    /// A template was saved.
    TemplateSaved = "template.saved";
    /// A template was deleted.
    TemplateDeleted = "template.deleted";
    /// A change of what is desired is on its way, or waits for a second person.
    ChangeBegun = "change.begun";
    /// It stopped, by itself or by somebody.
    ChangeStopped = "change.stopped";
    /// It goes on.
    ChangeResumed = "change.resumed";
    /// It is done, or was withdrawn.
    ChangeEnded = "change.ended";
    /// Nothing changes any more.
    FreezeBegun = "freeze.begun";
    /// Changes go on.
    FreezeEnded = "freeze.ended";
    /// Cells go off the air, whatever else is desired.
    RadioOffOrdered = "radio_off.ordered";
    /// What is desired of them counts again.
    RadioOffLifted = "radio_off.lifted";
    /// A webhook was asked to show that it works; told to that one alone.
    WebhookTest = "webhook.test";
}

impl Kind {
    /// The type of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Every name, for who wrote another.
    pub(crate) fn names() -> String {
        Self::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
    }
}

/// An event's identifier: unique for its source, also after a database was made anew.
pub(crate) fn id(sequence: i64, ms: i64) -> String {
    format!("{ms:x}-{sequence}")
}

/// The event as it leaves: structured JSON. (CloudEvents 1.0.2, JSON Event Format 3)
#[derive(Serialize)]
pub(crate) struct Envelope<'a> {
    specversion: &'static str,
    pub(crate) id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    time: String,
    datacontenttype: &'static str,
    data: Value,
}

impl<'a> Envelope<'a> {
    /// An event of the outbox, told by a deployment of that name.
    pub(crate) fn of(row: &'a OutboxRow, source: &'a str) -> Self {
        Self {
            specversion: "1.0",
            id: id(row.sequence, row.at),
            source,
            kind: format!("{NAMESPACE}.{}.v1", row.kind),
            subject: &row.subject,
            time: at(row.at).to_string(),
            datacontenttype: "application/json",
            data: serde_json::from_str(&row.body).unwrap_or_else(|_| json!({})),
        }
    }

    /// As text.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_has_the_attributes_of_cloudevents_1_0() {
        let row = OutboxRow {
            sequence: 7,
            kind: "alarm.raised".to_owned(),
            subject: "00005e005301.hnb.example".to_owned(),
            at: 1_700_000_000_000,
            body: r#"{"id":1}"#.to_owned(),
        };
        let envelope: Value = serde_json::from_str(&Envelope::of(&row, "/hems/one").text()).unwrap();
        let expected = json!({
            "specversion": "1.0",
            "id": "18bcfe56800-7",
            "source": "/hems/one",
            "type": "org.hearth.hems.alarm.raised.v1",
            "subject": "00005e005301.hnb.example",
            "time": "2023-11-14T22:13:20Z",
            "datacontenttype": "application/json",
            "data": {"id": 1},
        });
        assert_eq!(envelope, expected);
        // An attribute that is there is not empty.
        let nobody = OutboxRow { subject: String::new(), ..row };
        assert!(!Envelope::of(&nobody, "/hems").text().contains("subject"));
    }

    #[test]
    fn every_type_is_on_the_page_of_events() {
        let page = include_str!("../../../docs/operate/events.md");
        let is_missing = |kind: &&Kind| !page.contains(&format!("`{}`", kind.name()));
        let missing: Vec<_> = Kind::ALL.iter().filter(is_missing).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_type_has_one_name_and_is_found_by_it() {
        assert!(Kind::ALL.iter().all(|kind| Kind::named(kind.name()) == Some(*kind)));
        assert_eq!(Kind::named("alarm"), None);
    }
}
