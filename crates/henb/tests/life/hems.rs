//! An operator's H(e)MS as cells see it: it knows sites, wants things of the cells at them, and remembers what it heard.
//!
//! It is what a careful ACS is: what it does not know for certain it asks before it calls, so that a session which broke
//! off makes nothing happen twice.
//!
//! ```text
//!   Inform ─▶ remembered ─▶ next want that is not met ─▶ look (rows, queue) ─▶ call ─▶ response: remembered
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use bytes::Bytes;
use cwmp::{
    AcsMethod, AcsResponse, AddObject, CpeMethod, CpeResponse, Download, Envelope, FactoryReset, Fault,
    FromCpe, GetAllQueuedTransfers, GetParameterNames, GetParameterValues, Inform, InformResponse, Limits,
    ParameterValueStruct, SetParameterValues, Text, TransferComplete, TransferCompleteResponse, Value,
    session::acs::{Demand, Session},
};
use henb::device::{FIRMWARE, path};
use jiff::Timestamp;
use profile::{Blocklist, CertificateFacts, Identity};
use tokio::{sync::watch, time::Instant};

/// How long it waits within a session.
const PATIENCE: Duration = Duration::from_secs(60);

/// The row that performance files go by.
pub(crate) const PM_ROW: &str = "Device.FAP.PerfMgmt.Config.1.";

/// What it wants of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Want {
    /// These values, and this key.
    Values(&'static str, Vec<(String, Value)>),
    /// One row of performance files, that go into this folder.
    Performance(&'static str),
    /// A file from this URL under this key.
    Image(&'static str, &'static str),
    /// The factory's values.
    Reset,
}

/// One Inform as it was heard.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) host: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) inform: Inform,
}

impl Heard {
    pub(crate) fn has(&self, event: &str) -> bool {
        self.inform.event.iter().any(|found| found.event_code.as_str() == event)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.inform.parameter_list.iter().find(|entry| entry.name == name).map(|entry| &*entry.value.text)
    }
}

/// What it knows of one cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// Where the initial H(e)MS sends it; nothing for a cell without a site.
    pub(crate) serving: Option<&'static str>,
    pub(crate) wants: Vec<Want>,
    pub(crate) heard: Vec<Heard>,
    pub(crate) known: BTreeMap<String, String>,
    pub(crate) completes: Vec<TransferComplete>,
    pub(crate) faults: Vec<Fault>,
    /// Files that it sent, by their URL.
    pub(crate) files: BTreeMap<String, Vec<Bytes>>,
    /// How often it was turned away at the door.
    pub(crate) refused: usize,
    /// Keys of the values that it has since its last boot.
    applied: BTreeSet<&'static str>,
    reset_at: Option<usize>,
    /// What was found out in this session.
    rows: Option<Vec<String>>,
    queued: Option<Vec<Text>>,
    has_looked: bool,
    has_sent_on: bool,
    called: Option<CpeMethod>,
}

/// The whole operator.
#[derive(Debug, Default)]
pub(crate) struct Hems {
    records: Mutex<BTreeMap<String, Record>>,
    blocked: Mutex<BTreeSet<String>>,
    changed: watch::Sender<u64>,
}

impl Hems {
    /// What it knows of a cell.
    pub(crate) fn record(&self, identity: &str) -> Record {
        self.records.lock().unwrap().get(identity).cloned().unwrap_or_default()
    }

    /// Changes what it wants of a cell.
    pub(crate) fn plan(&self, identity: &str, change: impl FnOnce(&mut Record)) {
        change(self.records.lock().unwrap().entry(identity.to_owned()).or_default());
    }

    pub(crate) fn block(&self, identity: &str) {
        self.blocked.lock().unwrap().insert(identity.to_owned());
    }

    /// Takes a file of a cell.
    pub(crate) fn keep(&self, identity: &str, url: String, content: Bytes) {
        self.plan(identity, |record| record.files.entry(url).or_default().push(content));
        self.changed.send_modify(|count| *count += 1);
    }

    /// Waits until what it knows is as wanted.
    pub(crate) async fn until(&self, identity: &str, wanted: impl Fn(&Record) -> bool) {
        let mut changed = self.changed.subscribe();
        let _ = changed.wait_for(|_| self.records.lock().unwrap().get(identity).is_some_and(&wanted)).await;
    }

    /// One message of a session with `host`.
    pub(crate) fn hear(
        &self,
        identity: &str,
        (host, at): (&'static str, Timestamp),
        body: Bytes,
        session: &mut Option<Session>,
    ) -> Bytes {
        let post = Envelope::<FromCpe>::decode(body, &Limits::default()).unwrap().envelope;
        let mut records = self.records.lock().unwrap();
        let record = records.entry(identity.to_owned()).or_default();
        let now = Instant::now().into_std();
        let session = session.get_or_insert_with(|| Session::new(PATIENCE, now));
        let reply = match session.receive(post, now).unwrap() {
            Demand::Respond(AcsMethod::Inform(inform)) => {
                record.informed(Heard { host, at, inform });
                session.respond(Ok(AcsResponse::Inform(InformResponse { max_envelopes: 1 })))
            }
            Demand::Respond(AcsMethod::TransferComplete(call)) => {
                record.completes.push(call);
                session.respond(Ok(AcsResponse::TransferComplete(TransferCompleteResponse {})))
            }
            Demand::Respond(call) => panic!("an unexpected {}", call.name()),
            Demand::Choose { last } => {
                record.learn(last);
                record.called = record.next(host);
                match record.called.clone() {
                    Some(call) => session.call(call),
                    None => session.close(),
                }
            }
        };
        self.changed.send_modify(|count| *count += 1);
        reply.encode().into()
    }
}

impl Blocklist for Hems {
    fn blocked(&self, identity: &Identity, _: &[CertificateFacts]) -> Option<String> {
        let is_blocked = self.blocked.lock().unwrap().contains(identity.as_str());
        if is_blocked {
            self.records.lock().unwrap().entry(identity.to_string()).or_default().refused += 1;
            self.changed.send_modify(|count| *count += 1);
        }
        is_blocked.then(|| "replaced by another".to_owned())
    }
}

impl Record {
    /// The radio serves, as the cell told since it started last.
    pub(crate) fn is_on_air(&self) -> bool {
        [path::OP_STATE, path::RF_TX_STATUS]
            .iter()
            .all(|name| self.known.get(*name).is_some_and(|value| value == "true"))
    }

    /// Everything that is wanted is so.
    pub(crate) fn is_content(&self) -> bool {
        self.wants.iter().all(|want| self.is_met(want))
    }

    /// What it heard, in short.
    pub(crate) fn story(&self) -> Vec<String> {
        let events = |heard: &Heard| {
            heard.inform.event.iter().map(|event| event.event_code.to_string()).collect::<Vec<_>>()
        };
        self.heard.iter().map(|heard| format!("{} {} {:?}", heard.at, heard.host, events(heard))).collect()
    }

    /// The alarms that it read last.
    pub(crate) fn alarms(&self) -> BTreeSet<String> {
        let is_name = |name: &str| name.starts_with(path::ALARMS) && name.ends_with(".AlarmIdentifier");
        self.known.iter().filter(|(name, _)| is_name(name)).map(|(_, value)| value.clone()).collect()
    }

    /// The events of alarms that it was told: which alarm, what happened, and when.
    pub(crate) fn told(&self) -> Vec<(String, String, String)> {
        let of = |heard: &Heard, row: u32| {
            let value = |name: &str| {
                heard.value(&format!("{}{row}.{name}", path::EXPEDITED_EVENTS)).map(str::to_owned)
            };
            Some((value("AlarmIdentifier")?, value("NotificationType")?, value("EventTime")?))
        };
        self.heard.iter().flat_map(|heard| (1..=8).filter_map(move |row| of(heard, row))).collect()
    }

    fn informed(&mut self, heard: Heard) {
        (self.rows, self.queued, self.called) = (None, None, None);
        (self.has_looked, self.has_sent_on) = (false, false);
        if heard.has("1 BOOT") {
            // What the radio does is heard anew, and its permission is gone.
            self.applied.clear();
            self.known.remove(path::OP_STATE);
            self.known.remove(path::RF_TX_STATUS);
        }
        if heard.has("0 BOOTSTRAP") {
            self.known.clear();
        }
        let values = heard.inform.parameter_list.iter();
        self.known.extend(values.map(|entry| (entry.name.to_string(), entry.value.text.to_string())));
        self.heard.push(heard);
    }

    fn learn(&mut self, last: Option<Result<CpeResponse, Fault>>) {
        match (self.called.take(), last) {
            (_, None) => {}
            (_, Some(Err(fault))) => self.faults.push(fault),
            (Some(CpeMethod::SetParameterValues(call)), Some(Ok(_))) => {
                let keys = self.wants.iter().filter_map(Want::key);
                self.applied.extend(keys.filter(|key| *key == &*call.parameter_key));
            }
            (_, Some(Ok(CpeResponse::GetParameterNames(found)))) => {
                self.rows = Some(found.parameter_list.iter().map(|info| info.name.to_string()).collect());
            }
            (_, Some(Ok(CpeResponse::AddObject(added)))) => {
                self.rows = Some(vec![format!("{}{}.", path::PERFORMANCE, added.instance_number)]);
            }
            (_, Some(Ok(CpeResponse::GetAllQueuedTransfers(found)))) => {
                self.queued = Some(found.transfer_list.iter().map(|one| one.command_key.clone()).collect());
            }
            (_, Some(Ok(CpeResponse::GetParameterValues(found)))) => {
                self.known.retain(|name, _| !name.starts_with(path::ALARMS));
                let values = found.parameter_list.into_iter();
                self.known.extend(values.map(|entry| (entry.name.to_string(), entry.value.text.to_string())));
            }
            (Some(CpeMethod::FactoryReset(_)), Some(Ok(_))) => {}
            (Some(CpeMethod::Download(call)), Some(Ok(_))) => {
                self.queued.get_or_insert_default().push(call.command_key);
            }
            (call, response) => panic!("{response:?} to {call:?}"),
        }
    }

    fn is_met(&self, want: &Want) -> bool {
        match want {
            Want::Values(key, _) => self.applied.contains(key),
            Want::Performance(_) => self.applied.contains("pm"),
            Want::Image(key, _) => self.completes.iter().any(|told| told.command_key == *key),
            Want::Reset => self
                .reset_at
                .is_some_and(|at| self.heard.iter().skip(at).any(|heard| heard.has("0 BOOTSTRAP"))),
        }
    }

    /// What it looks at in each session, and then the call for the first want that is not met.
    fn next(&mut self, host: &str) -> Option<CpeMethod> {
        if !std::mem::replace(&mut self.has_looked, true) {
            return Some(
                GetParameterValues { parameter_names: vec![path::ALARMS.into(), path::TIME_STATUS.into()] }
                    .into(),
            );
        }
        if host == super::INITIAL {
            let is_first = !std::mem::replace(&mut self.has_sent_on, true);
            let url = self.serving.filter(|_| is_first)?;
            return Some(set("serving", vec![(path::URL.to_owned(), Value::string(url.to_owned()))]));
        }
        let wants: Vec<Want> = self.wants.iter().filter(|want| !self.is_met(want)).cloned().collect();
        wants.into_iter().find_map(|want| self.call_for(want))
    }

    fn call_for(&mut self, want: Want) -> Option<CpeMethod> {
        match (want, &self.rows, &self.queued) {
            (Want::Values(key, values), _, _) => Some(set(key, values)),
            (Want::Performance(_), None, _) => {
                Some(GetParameterNames { parameter_path: path::PERFORMANCE.into(), next_level: true }.into())
            }
            (Want::Performance(_), Some(rows), _) if !rows.iter().any(|row| row == PM_ROW) => {
                Some(AddObject { object_name: path::PERFORMANCE.into(), parameter_key: "pm".into() }.into())
            }
            (Want::Performance(folder), Some(_), _) => Some(set("pm", performance(folder))),
            (Want::Image(..), _, None) => Some(GetAllQueuedTransfers {}.into()),
            (Want::Image(key, _), _, Some(queued)) if queued.iter().any(|queued| *queued == key) => None,
            (Want::Image(key, url), ..) => Some(download(key, url)),
            (Want::Reset, ..) if self.reset_at == Some(self.heard.len()) => None,
            (Want::Reset, ..) => {
                self.reset_at = Some(self.heard.len());
                Some(FactoryReset {}.into())
            }
        }
    }
}

impl Want {
    fn key(&self) -> Option<&'static str> {
        match self {
            Self::Values(key, _) => Some(key),
            Self::Performance(_) => Some("pm"),
            Self::Image(..) | Self::Reset => None,
        }
    }
}

fn performance(folder: &str) -> Vec<(String, Value)> {
    let column = |name: &str| format!("{PM_ROW}{name}");
    vec![
        ("Device.Services.FAPService.1.FAPControl.LTE.PMConfig".to_owned(), Value::string(PM_ROW)),
        (column("URL"), Value::string(folder.to_owned())),
        (column("PeriodicUploadInterval"), Value::unsigned_int(300)),
        (column("Enable"), Value::boolean(true)),
    ]
}

fn set(key: &'static str, values: Vec<(String, Value)>) -> CpeMethod {
    let entries = values.into_iter().map(|(name, value)| ParameterValueStruct::new(name, value));
    SetParameterValues { parameter_list: entries.collect(), parameter_key: key.into() }.into()
}

fn download(key: &'static str, url: &'static str) -> CpeMethod {
    Download {
        command_key: key.into(),
        file_type: FIRMWARE.into(),
        url: url.into(),
        username: Text::new(),
        password: Text::new(),
        file_size: 0,
        target_file_name: Text::new(),
        delay_seconds: 0,
        success_url: Text::new(),
        failure_url: Text::new(),
    }
    .into()
}
