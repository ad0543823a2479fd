//! Diagnostics as an ACS sees them: parameters that start and stop them, results, and the event. (C-38, TR-181)

use cwmp::{EventCode, ParameterValueStruct};

use super::Cell;
use crate::diagnostics::{Failure, Kind, Order, Outcome};

const STATE: &str = "DiagnosticsState";

impl Cell {
    /// After a start nothing runs; results stay. (TR-181)
    pub(super) fn clear_diagnostics(&mut self) {
        for kind in Kind::ALL {
            self.diagnostics.stop(kind);
            if ["Requested", ""].contains(&&*self.device.value(&format!("{}{STATE}", kind.object()))) {
                self.put_result(kind, STATE, "None");
            }
        }
    }

    /// An ACS wrote these: Requested starts a diagnostic once the session is over, and anything else stops it.
    pub(crate) fn diagnostics_written(&mut self, list: &[ParameterValueStruct]) {
        for kind in Kind::ALL {
            let written: Vec<_> =
                list.iter().filter_map(|entry| entry.name.strip_prefix(kind.object())).collect();
            if written.is_empty() {
                continue;
            }
            let state = self.device.value(&format!("{}{STATE}", kind.object()));
            if written.contains(&STATE) && state == "Requested" {
                self.diagnostics.request(kind);
            } else {
                self.diagnostics.stop(kind);
                self.put_result(kind, STATE, "None");
            }
        }
    }

    /// What shall run, by the parameters as they stand; what the last run found is gone.
    pub(crate) fn begin_diagnostic(&mut self, kind: Kind) -> Result<Order, Failure> {
        for (name, value) in kind.blank() {
            self.put_result(kind, name, value);
        }
        if kind == Kind::TraceRoute {
            self.device.put_rows(&format!("{}RouteHops.", kind.object()), &[]);
        }
        Order::read(kind, self.mode, |name| self.device.value(&format!("{}{name}", kind.object())))
    }

    /// A diagnostic ended: results, state and event become one change. What was given up meanwhile is not told.
    pub(crate) fn end_diagnostic(&mut self, outcome: &Outcome) {
        let Some(kind) = self.diagnostics.end() else { return };
        for (name, value) in &outcome.values {
            self.put_result(kind, name, value);
        }
        if kind == Kind::TraceRoute {
            self.device.put_rows(&format!("{}RouteHops.", kind.object()), &outcome.hops);
        }
        let state = outcome.failure.as_ref().map_or("Complete", |failure| failure.state(kind));
        match &outcome.failure {
            Some(failure) => tracing::warn!(object = kind.object(), state, "a diagnostic failed: {failure}"),
            None => tracing::info!(object = kind.object(), "a diagnostic is complete"),
        }
        self.put_result(kind, STATE, state);
        self.agenda.raise(EventCode::DIAGNOSTICS_COMPLETE, "");
    }

    fn put_result(&mut self, kind: Kind, name: &str, value: &str) {
        self.device.put(&format!("{}{name}", kind.object()), value);
    }
}
