//! A performance file: what each object counted in one granularity period. (TS 32.435, N-06 to N-08)
//!
//! ```text
//!   measCollecFile ─ fileHeader ─ measData ┬ managedElement
//!                  └ fileFooter            └ measInfo per class ┬ measType p=1, 2, …
//!                                                               └ measValue per object ─ r p=1, 2, … ─ suspect
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::Duration,
};

use jiff::Timestamp;
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use crate::device::{Measurement, Period};

const NAMESPACE: &str = "http://www.3gpp.org/ftp/specs/archive/32_series/32.435#measCollec";

/// The release that the elements are from.
const FORMAT: &str = "32.435 V10.0";

/// Most results in a file: a hundred cells with as many counters as TS 32.425 has for one, and still below a megabyte.
const MOST_RESULTS: usize = 10_000;

/// What stands for a value that is not there. (N-07)
const NIL: &str = "NIL";

/// Who counted, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// The row of Config.
    pub(crate) row: u32,
    /// The operator's prefix of names; may be empty.
    pub(crate) prefix: String,
    /// The local name of the cell.
    pub(crate) element: String,
    /// Who made it.
    pub(crate) vendor: String,
    /// Which image it runs.
    pub(crate) software: String,
    /// What people call it; may be empty.
    pub(crate) label: String,
    /// How long a period should be.
    pub(crate) interval: Duration,
    /// The one that was counted.
    pub(crate) period: Period,
    /// Nothing of it is missing.
    pub(crate) is_whole: bool,
    /// What came of it.
    pub(crate) measurements: Vec<Measurement>,
}

/// The results of one class of objects: by object and by counter.
type Class<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>;

impl Content {
    /// What the file is called: one network element, one period, in UTC. (TS 32.432, N-08)
    pub(crate) fn name(&self) -> String {
        let time = |at: Timestamp, format: &str| jiff::fmt::strtime::format(format, at).unwrap_or_default();
        let is_plain = |character: char| character.is_ascii_alphanumeric() || ".-".contains(character);
        let sender = self.element.rsplit('=').next().unwrap_or_default();
        let sender: String = sender.chars().filter(|character| is_plain(*character)).collect();
        let Period { begin, end } = self.period;
        format!("A{}-{}_{sender}.xml", time(begin, "%Y%m%d.%H%M+0000"), time(end, "%H%M+0000"))
    }

    /// The file.
    ///
    /// # Errors
    /// None that memory can have.
    pub(crate) fn write(&self) -> io::Result<Vec<u8>> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let file = writer.create_element("measCollecFile").with_attribute(("xmlns", NAMESPACE));
        file.write_inner_content(|writer| {
            self.header(writer)?;
            writer.create_element("measData").write_inner_content(|writer| {
                self.managed_element(writer)?;
                self.classes().iter().try_for_each(|(class, results)| self.class(writer, class, results))
            })?;
            writer.create_element("fileFooter").write_inner_content(|writer| {
                let end = time(self.period.end);
                writer.create_element("measCollec").with_attribute(("endTime", &*end)).write_empty().map(drop)
            })?;
            Ok(())
        })?;
        let mut bytes = writer.into_inner();
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn header(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let vendor = legal(&self.vendor);
        let header = writer
            .create_element("fileHeader")
            .with_attributes([("fileFormatVersion", FORMAT), ("vendorName", &vendor)]);
        let prefix = legal(&self.prefix);
        let header = if prefix.is_empty() { header } else { header.with_attribute(("dnPrefix", &*prefix)) };
        header.write_inner_content(|writer| {
            let sender = [("localDn", &*legal(&self.element)), ("elementType", "HeNB")];
            writer.create_element("fileSender").with_attributes(sender).write_empty()?;
            let begin = time(self.period.begin);
            writer.create_element("measCollec").with_attribute(("beginTime", &*begin)).write_empty().map(drop)
        })?;
        Ok(())
    }

    fn managed_element(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let (element, label, software) = (legal(&self.element), legal(&self.label), legal(&self.software));
        let facts = [("localDn", &*element), ("userLabel", &*label), ("swVersion", &*software)];
        let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
        writer.create_element("managedElement").with_attributes(facts).write_empty().map(drop)
    }

    /// The results by the class of their objects, which is what the last part of a name says.
    fn classes(&self) -> BTreeMap<&str, Class<'_>> {
        let mut classes: BTreeMap<&str, Class<'_>> = BTreeMap::new();
        if self.measurements.len() > MOST_RESULTS {
            tracing::warn!("the radio has more than {MOST_RESULTS} results: the rest is left out");
        }
        for Measurement { object, counter, value } in self.measurements.iter().take(MOST_RESULTS) {
            let last = object.rsplit(',').next().unwrap_or_default();
            let class = last.split('=').next().unwrap_or_default();
            let results = classes.entry(class).or_default().entry(object).or_default();
            results.insert(counter, value);
        }
        classes
    }

    fn class(&self, writer: &mut Writer<Vec<u8>>, class: &str, results: &Class<'_>) -> io::Result<()> {
        let counters: BTreeSet<&str> = results.values().flat_map(BTreeMap::keys).copied().collect();
        let (duration, end) = (format!("PT{}S", self.interval.as_secs()), time(self.period.end));
        let info = writer.create_element("measInfo").with_attribute(("measInfoId", &*legal(class)));
        info.write_inner_content(|writer| {
            writer.create_element("job").with_attribute(("jobId", &*self.row.to_string())).write_empty()?;
            let period = [("duration", &*duration), ("endTime", &*end)];
            writer.create_element("granPeriod").with_attributes(period).write_empty()?;
            writer.create_element("repPeriod").with_attribute(("duration", &*duration)).write_empty()?;
            for (number, counter) in counters.iter().enumerate() {
                text(writer, "measType", Some(number), counter)?;
            }
            results.iter().try_for_each(|(object, values)| self.object(writer, object, values, &counters))
        })?;
        Ok(())
    }

    fn object(
        &self,
        writer: &mut Writer<Vec<u8>>,
        object: &str,
        values: &BTreeMap<&str, &str>,
        counters: &BTreeSet<&str>,
    ) -> io::Result<()> {
        let found: Vec<&str> = counters
            .iter()
            .map(|counter| values.get(counter).copied().filter(|value| is_number(value)).unwrap_or(NIL))
            .collect();
        let is_suspect = !self.is_whole || found.contains(&NIL);
        let value = writer.create_element("measValue").with_attribute(("measObjLdn", &*legal(object)));
        value.write_inner_content(|writer| {
            for (number, value) in found.iter().enumerate() {
                text(writer, "r", Some(number), value)?;
            }
            if is_suspect { text(writer, "suspect", None, "true") } else { Ok(()) }
        })?;
        Ok(())
    }
}

/// An element with a text, and with its place in the list of counters where it has one.
fn text(writer: &mut Writer<Vec<u8>>, name: &str, place: Option<usize>, content: &str) -> io::Result<()> {
    let number = place.map(|place| (place + 1).to_string());
    let element = writer.create_element(name);
    let element = match &number {
        Some(number) => element.with_attribute(("p", &**number)),
        None => element,
    };
    element.write_text_content(BytesText::new(&legal(content))).map(drop)
}

/// A decimal number as XML Schema has it: nothing but sign, digits and point.
fn is_number(value: &str) -> bool {
    value.bytes().all(|byte| b"+-.0123456789".contains(&byte)) && value.parse::<f64>().is_ok()
}

/// What XML 1.0 can say of a text; a radio may send anything.
fn legal(text: &str) -> String {
    let is_legal = |character: &char| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(is_legal).collect()
}

fn time(at: Timestamp) -> String {
    jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%S+00:00", at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn measurement(object: &str, counter: &str, value: &str) -> Measurement {
        Measurement { object: object.to_owned(), counter: counter.to_owned(), value: value.to_owned() }
    }

    fn content(measurements: Vec<Measurement>) -> Content {
        Content {
            row: 3,
            prefix: "DC=example,SubNetwork=1".to_owned(),
            element: "ManagedElement=00005E005301".to_owned(),
            vendor: "A & B".to_owned(),
            software: "1.0.0".to_owned(),
            label: String::new(),
            interval: Duration::from_secs(900),
            period: Period {
                begin: "2026-11-28T23:45:00Z".parse().unwrap(),
                end: "2026-11-29T00:00:00Z".parse().unwrap(),
            },
            is_whole: true,
            measurements,
        }
    }

    fn written(content: &Content) -> String {
        String::from_utf8(content.write().unwrap()).unwrap()
    }

    #[test]
    fn n06_n07_a_file_has_the_elements_of_the_standard_and_says_what_is_missing() {
        let cell = "ENBFunction=1,EUtranGenericCell=1";
        let other = "ENBFunction=1,EUtranGenericCell=2";
        let content = content(vec![
            measurement(cell, "RRC.ConnEstabAtt.Sum", "17"),
            measurement(cell, "RRC.ConnEstabSucc.Sum", "16"),
            measurement(other, "RRC.ConnEstabAtt.Sum", "0.5"),
            measurement("ENBFunction=1", "EQPT.MeanProcessorUsage", "<many>"),
        ]);
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <measCollecFile xmlns="http://www.3gpp.org/ftp/specs/archive/32_series/32.435#measCollec">
              <fileHeader fileFormatVersion="32.435 V10.0" vendorName="A &amp; B" dnPrefix="DC=example,SubNetwork=1">
                <fileSender localDn="ManagedElement=00005E005301" elementType="HeNB"/>
                <measCollec beginTime="2026-11-28T23:45:00+00:00"/>
              </fileHeader>
              <measData>
                <managedElement localDn="ManagedElement=00005E005301" swVersion="1.0.0"/>
                <measInfo measInfoId="ENBFunction">
                  <job jobId="3"/>
                  <granPeriod duration="PT900S" endTime="2026-11-29T00:00:00+00:00"/>
                  <repPeriod duration="PT900S"/>
                  <measType p="1">EQPT.MeanProcessorUsage</measType>
                  <measValue measObjLdn="ENBFunction=1">
                    <r p="1">NIL</r>
                    <suspect>true</suspect>
                  </measValue>
                </measInfo>
                <measInfo measInfoId="EUtranGenericCell">
                  <job jobId="3"/>
                  <granPeriod duration="PT900S" endTime="2026-11-29T00:00:00+00:00"/>
                  <repPeriod duration="PT900S"/>
                  <measType p="1">RRC.ConnEstabAtt.Sum</measType>
                  <measType p="2">RRC.ConnEstabSucc.Sum</measType>
                  <measValue measObjLdn="ENBFunction=1,EUtranGenericCell=1">
                    <r p="1">17</r>
                    <r p="2">16</r>
                  </measValue>
                  <measValue measObjLdn="ENBFunction=1,EUtranGenericCell=2">
                    <r p="1">0.5</r>
                    <r p="2">NIL</r>
                    <suspect>true</suspect>
                  </measValue>
                </measInfo>
              </measData>
              <fileFooter>
                <measCollec endTime="2026-11-29T00:00:00+00:00"/>
              </fileFooter>
            </measCollecFile>
        "#]]
        .assert_eq(&written(&content));
    }

    #[test]
    fn n07_a_period_that_is_not_whole_is_suspect_in_every_value() {
        let mut content = content(vec![measurement("ENBFunction=1", "RRC.ConnEstabAtt.Sum", "1")]);
        assert!(!written(&content).contains("suspect"));
        content.is_whole = false;
        assert!(written(&content).contains("<suspect>true</suspect>"));
    }

    #[test]
    fn n08_a_name_says_which_period_and_whose() {
        let mut content = content(Vec::new());
        assert_eq!(content.name(), "A20261128.2345+0000-0000+0000_00005E005301.xml");
        content.element = "ManagedElement=../../x y".to_owned();
        assert_eq!(content.name(), "A20261128.2345+0000-0000+0000_....xy.xml", "no folder");
    }

    #[test]
    fn n06_what_a_radio_says_cannot_break_the_file() {
        let content = content(vec![measurement("a\u{0}<=\"'&,\u{ffff}", "]]>\u{b}<", "1e9")]);
        let text = written(&content);
        let document = roxmltree::Document::parse(&text).unwrap();
        let result = document.descendants().find(|node| node.has_tag_name((NAMESPACE, "r"))).unwrap();
        assert_eq!(result.text(), Some(NIL));
    }
}
