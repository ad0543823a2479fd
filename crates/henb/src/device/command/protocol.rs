//! What agent and vendor say to one another: one JSON object each way, the same words on both ways.
//!
//! ```text
//!   request   {"operation": "set", "arguments": [], "values": {PATH: TEXT}}        over the socket with "id"
//!   answer    {"fault": {…}}  or  {"values": {…}, "alarms": […], …}                over the socket with its "id"
//!   news      an answer without "id", whenever the vendor likes                    over the socket alone
//! ```
//!
//! A word that is not known is an error: a typing error of a vendor is found at once. docs/how-to/drive-a-radio.md is
//! the same for vendors.

use std::collections::BTreeMap;

use cwmp::{Fault, FaultCode, SetParameterValuesFault};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::super::{AlarmNews, Measurement, measurement::Scalar};

/// Most different parameters whose news waits for the agent: as many as a GetParameterValues may answer.
const MOST_VALUES: usize = 5_000;

/// Most rows whose news waits for the agent, in all tables together: four tables that are full.
const MOST_ROWS: usize = 1_024;

/// Most news of alarms that waits for the agent: each of the alarms that may stand, raised and cleared twice.
const MOST_ALARMS: usize = 256;

/// Longest text of a fault that the H(e)MS gets to read. (TR-069 A.5)
const FAULT_CHARACTERS: usize = 256;

/// The operation that everything else has to wait for.
pub(super) const START: &str = "start";
/// The operations that may take long.
pub(super) const INSTALL: &str = "install";
pub(super) const BOOT: &str = "boot";

/// Values by path, as the data model writes them.
pub(super) type Values = BTreeMap<String, String>;

/// The columns of each row of a table, by the table's path.
pub(super) type Tables = BTreeMap<String, Vec<Values>>;

/// What the vendor shall do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Request {
    pub(super) operation: &'static str,
    pub(super) arguments: Vec<String>,
    pub(super) values: Values,
}

impl Request {
    pub(super) fn new(operation: &'static str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { operation, arguments, values: Values::new() }
    }

    pub(super) fn with(mut self, values: Values) -> Self {
        self.values = values;
        self
    }
}

/// What the vendor says, asked or not.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Said {
    pub(super) id: Option<u64>,
    pub(super) fault: Option<Refusal>,
    pub(super) measurements: Vec<Measurement>,
    #[serde(deserialize_with = "read_values")]
    pub(super) values: Values,
    /// Tables of the radio's own, each with all its rows.
    #[serde(deserialize_with = "read_tables")]
    pub(super) rows: Tables,
    pub(super) alarms: Vec<AlarmNews>,
    /// The link to the operator's network. (X-05)
    pub(super) link: Option<bool>,
    /// The hosting party is authenticated, or need not be. (X-06)
    pub(super) hosting_party: Option<bool>,
    /// What a satellite receiver found. (decision 6)
    pub(super) gps_time: Option<Timestamp>,
}

impl Said {
    /// Reads an answer; nothing at all is the shortest way to say "done".
    pub(super) fn read(text: &[u8]) -> Result<Self, serde_json::Error> {
        match text.trim_ascii().first() {
            None => Ok(Self::default()),
            Some(b'{') => serde_json::from_slice(text),
            // A list would be read as the fields in their order.
            Some(_) => Err(serde::de::Error::custom("an object is right")),
        }
    }

    /// Adds what was said later, the later value of a parameter wins; false where it is too much to keep.
    #[must_use]
    pub(super) fn add(&mut self, later: Self) -> bool {
        self.values.extend(later.values);
        self.rows.extend(later.rows);
        self.alarms.extend(later.alarms);
        self.link = later.link.or(self.link);
        self.hosting_party = later.hosting_party.or(self.hosting_party);
        self.gps_time = later.gps_time.or(self.gps_time);
        let rows = self.rows.values().map(|rows| rows.len().max(1)).sum::<usize>();
        self.values.len() <= MOST_VALUES && rows <= MOST_ROWS && self.alarms.len() <= MOST_ALARMS
    }
}

/// The vendor's "no".
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Refusal {
    code: Option<u32>,
    text: String,
    parameters: Vec<BadParameter>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct BadParameter {
    name: String,
    #[serde(default)]
    code: Option<u32>,
    #[serde(default)]
    text: String,
}

impl Refusal {
    /// What the H(e)MS gets: one fault, and one detail for each bad parameter that it had named. (C-13)
    pub(super) fn fault(self, request: &Request) -> Fault {
        let named = self.parameters.into_iter().filter(|bad| request.values.contains_key(&bad.name));
        let details: Vec<_> = named.map(BadParameter::detail).collect();
        if !details.is_empty() {
            return Fault { details, ..Fault::from(FaultCode::INVALID_ARGUMENTS) };
        }
        let code = known(self.code, FaultCode::INTERNAL_ERROR);
        let text = if self.text.is_empty() { code.meaning().to_owned() } else { cut(&self.text) };
        Fault::new(code, text)
    }
}

impl BadParameter {
    fn detail(self) -> SetParameterValuesFault {
        SetParameterValuesFault {
            parameter_name: self.name.into(),
            fault_code: known(self.code, FaultCode::INVALID_PARAMETER_VALUE),
            fault_string: cut(&self.text).into(),
        }
    }
}

/// A code that a CPE may use, the standard's or a vendor's. (TR-069 A.5)
fn known(code: Option<u32>, otherwise: FaultCode) -> FaultCode {
    code.filter(|code| matches!(code, 9000..=9032 | 9800..=9899)).map_or(otherwise, FaultCode)
}

fn cut(text: &str) -> String {
    text.chars().take(FAULT_CHARACTERS).collect()
}

fn read_values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Values, D::Error> {
    BTreeMap::deserialize(deserializer).map(texts)
}

fn read_tables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tables, D::Error> {
    let tables = BTreeMap::<String, Vec<BTreeMap<String, Scalar>>>::deserialize(deserializer)?;
    Ok(tables.into_iter().map(|(table, rows)| (table, rows.into_iter().map(texts).collect())).collect())
}

fn texts(values: BTreeMap<String, Scalar>) -> Values {
    values.into_iter().map(|(name, value)| (name, value.text())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Said {
        Said::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn nothing_is_done_and_values_may_be_json_s_own() {
        assert_eq!(read(" \n"), Said::default());
        let said = read(r#"{"values": {"A": true, "B": -3, "C": "x"}, "link": false}"#);
        let values: Vec<_> = said.values.values().map(String::as_str).collect();
        assert_eq!((values, said.link), (vec!["true", "-3", "x"], Some(false)));
        let said = read(r#"{"measurements": [{"object": "Cell=1", "counter": "RRC.X", "value": 1.5}]}"#);
        assert_eq!(said.measurements[0].value, "1.5");
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for text in ["{\"valeus\": {}}", "[]", "{", "done", r#"{"values": {"A": []}}"#, r#"{"alarms": [{}]}"#]
        {
            assert!(Said::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_alarm_has_the_data_model_s_words() {
        let said = read(
            r#"{"alarms": [{"NotificationType": "NewAlarm", "AlarmIdentifier": "s1", "EventType": "Communications Alarm",
                "ProbableCause": "Link Failure", "PerceivedSeverity": "Major"},
                {"NotificationType": "ClearedAlarm", "AlarmIdentifier": "s1"}]}"#,
        );
        let AlarmNews::Raised(alarm) = &said.alarms[0] else { panic!("{said:?}") };
        assert_eq!(
            (alarm.probable_cause.as_str(), alarm.managed_object_instance.as_str()),
            ("Link Failure", "Device.")
        );
        assert_eq!(said.alarms[1], AlarmNews::Cleared { alarm_identifier: "s1".to_owned() });
    }

    #[test]
    fn c13_a_refusal_keeps_codes_of_a_cpe_and_details_of_what_was_asked() {
        let request = Request::new("set", &[]).with(Values::from([("A".to_owned(), "1".to_owned())]));
        let fault = |text: &str| read(&format!("{{\"fault\": {text}}}")).fault.unwrap().fault(&request);
        assert_eq!(fault(r#"{"code": 9007, "text": "no"}"#), Fault::new(FaultCode(9007), "no"));
        assert_eq!(fault(r#"{"code": 9812}"#).code, FaultCode(9812));
        for code in [0, 8005, 9033, 9900] {
            assert_eq!(fault(&format!("{{\"code\": {code}}}")).code, FaultCode::INTERNAL_ERROR, "{code}");
        }
        let details = fault(r#"{"parameters": [{"name": "A", "text": "even"}, {"name": "B"}]}"#);
        assert_eq!(details.code, FaultCode::INVALID_ARGUMENTS);
        let [detail] = &details.details[..] else { panic!("{details:?}") };
        assert_eq!((&*detail.parameter_name, detail.fault_code), ("A", FaultCode::INVALID_PARAMETER_VALUE));
    }

    #[test]
    fn news_that_waits_has_a_bound_and_the_later_value_wins() {
        let mut news = Said::default();
        for number in 0..10_000 {
            assert!(news.add(read(&format!("{{\"values\": {{\"A\": {number}}}}}"))));
        }
        assert_eq!(news.values["A"], "9999");
        let flood: Values = (0..=MOST_VALUES).map(|number| (number.to_string(), String::new())).collect();
        assert!(!news.add(Said { values: flood, ..Said::default() }));
        let rows = vec![Values::new(); MOST_ROWS + 1];
        assert!(
            !Said::default().add(Said { rows: Tables::from([("A.".to_owned(), rows)]), ..Said::default() })
        );
    }
}
