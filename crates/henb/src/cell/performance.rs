//! What a cell counts and whom it tells: rows of Config, who refers to them, and the files of periods that ended. (N-01 to N-09)
//!
//! ```text
//!   Config.{i} ◀─PMConfig─ FAPService.{i}: only what the radio of a row's referrers counted is in its file
//! ```

use std::time::Duration;

use cwmp::{FaultCode, ParameterValueStruct, SetParameterValuesFault};
use jiff::Timestamp;
use profile::{HemsUrl, UrlError};

use super::Cell;
use crate::{
    device::{Device, Measurement, path},
    dn,
    performance::{
        Ended, Wanted,
        file::Content,
        spool::{Fresh, Waiting},
    },
};

fn column(row: u32, name: &str) -> String {
    format!("{}{row}.{name}", path::PERFORMANCE)
}

/// The row that a reference names, with or without the last dot, or in the form of older versions of the model.
fn referred(text: &str) -> Option<u32> {
    let text = text.strip_prefix("Device.").unwrap_or(text);
    text.strip_prefix("FAP.PerfMgmt.Config.")?.trim_end_matches('.').parse().ok()
}

/// Whether an entry names the row that a radio's counters go by.
fn is_reference(name: &str) -> bool {
    name.starts_with(path::SERVICES) && name.ends_with(path::PM_CONFIG)
}

impl Cell {
    /// What the files of the periods that ended say; they are whose that takes them.
    pub(crate) fn performance_files(&mut self) -> Vec<Fresh> {
        let now = self.now();
        let wanted = self.wanted_files();
        self.counting.set(&wanted, now);
        let ended = self.counting.ended(now);
        ended.into_iter().filter_map(|ended| self.performance_file(ended)).collect()
    }

    fn performance_file(&mut self, ended: Ended) -> Option<Fresh> {
        let services = self.referrers(ended.row);
        let measured =
            if services.is_empty() { Ok(Vec::new()) } else { self.device.measurements(&ended.period) };
        let measured = measured.unwrap_or_else(|fault| {
            tracing::warn!(%fault, "the radio does not say what it counted");
            Vec::new()
        });
        let content = content(self.device.as_ref(), ended, of_services(measured, &services));
        let waiting = Waiting::new(ended.period.end, ended.row, content.name());
        let written = content.write().inspect_err(|error| tracing::error!(%error, "no performance file"));
        Some(Fresh { waiting, content: written.ok()? })
    }

    /// The rows that an ACS has enabled. (N-01, N-03)
    fn wanted_files(&self) -> Vec<Wanted> {
        let rows = self.device.rows(path::PERFORMANCE).into_iter();
        let rows = rows.filter(|row| self.device.value(&column(*row, "Enable")) == "true");
        rows.filter_map(|row| {
            let seconds = self.device.value(&column(row, "PeriodicUploadInterval")).parse().ok()?;
            let phase = self.device.value(&column(row, "PeriodicUploadTime"));
            let interval = Duration::from_secs(seconds);
            Some(Wanted { row, interval, phase: self.phase(phase) })
        })
        .collect()
    }

    /// The FAPServices that refer to a row. (N-04)
    fn referrers(&self, row: u32) -> Vec<u32> {
        let place = |service: u32| format!("{}{service}{}", path::SERVICES, path::PM_CONFIG);
        let services = self.device.rows(path::SERVICES).into_iter();
        services.filter(|service| referred(&self.device.value(&place(*service))) == Some(row)).collect()
    }

    /// A row that goes leaves no reference behind. (TR-196)
    pub(crate) fn forget_performance(&mut self) {
        let rows = self.device.rows(path::PERFORMANCE);
        for service in self.device.rows(path::SERVICES) {
            let place = format!("{}{service}{}", path::SERVICES, path::PM_CONFIG);
            let value = self.device.value(&place);
            if !value.is_empty() && referred(&value).is_none_or(|row| !rows.contains(&row)) {
                self.device.put(&place, "");
            }
        }
    }

    /// Where a file goes: to the URL as it stands, or into the folder that it names. Nothing for a row that is gone or
    /// disabled. (N-05)
    pub(crate) fn performance_url(&self, waiting: &Waiting) -> Option<Result<HemsUrl, UrlError>> {
        if self.device.value(&column(waiting.row, "Enable")) != "true" {
            return None;
        }
        let mut url = self.device.value(&column(waiting.row, "URL"));
        if url.ends_with('/') {
            url.push_str(&waiting.name);
        }
        Some(HemsUrl::parse(&url, self.mode))
    }

    /// When the next period ends.
    pub(super) fn performance_deadline(&self) -> Option<Timestamp> {
        self.counting.deadline()
    }

    /// A reference names a row that there is, or nothing. (TR-196, N-04)
    pub(crate) fn performance_refusals(&self, list: &[ParameterValueStruct]) -> Vec<SetParameterValuesFault> {
        let rows = self.device.rows(path::PERFORMANCE);
        let is_wrong = |text: &str| !text.is_empty() && referred(text).is_none_or(|row| !rows.contains(&row));
        let wrong = list.iter().filter(|entry| is_reference(&entry.name) && is_wrong(&entry.value.text));
        wrong
            .map(|entry| SetParameterValuesFault {
                parameter_name: entry.name.clone(),
                fault_code: FaultCode::INVALID_PARAMETER_VALUE,
                fault_string: format!("a row of {} or nothing is right", path::PERFORMANCE).into(),
            })
            .collect()
    }
}

fn content(device: &dyn Device, ended: Ended, measurements: Vec<Measurement>) -> Content {
    let fact = |name: &str| device.value(&format!("Device.DeviceInfo.{name}"));
    let Ended { row, interval, period, is_whole } = ended;
    Content {
        row,
        prefix: dn::prefix(device, 1),
        element: dn::element(device),
        vendor: fact("Manufacturer"),
        software: fact("SoftwareVersion"),
        label: device.value(&format!("{}1.AccessMgmt.LTE.HNBName", path::SERVICES)),
        interval,
        period,
        is_whole,
        measurements,
    }
}

/// What was counted below these services, and what belongs to none: FAPService 2 is ENBFunction 2. (N-04)
fn of_services(measured: Vec<Measurement>, services: &[u32]) -> Vec<Measurement> {
    let service = |object: &str| {
        let number = object.split(',').find_map(|part| part.strip_prefix("ENBFunction="));
        number.and_then(|number| number.parse().ok())
    };
    let is_theirs = |one: &Measurement| service(&one.object).is_none_or(|number| services.contains(&number));
    measured.into_iter().filter(is_theirs).collect()
}

#[cfg(test)]
#[path = "performance_tests.rs"]
mod tests;
