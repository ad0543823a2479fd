//! What a cell knows of Connection Requests: who lets it hear them, and where it says that it does.

use cwmp::EventCode;
use datamodel::Path;

use super::Cell;
use crate::device::path;

impl Cell {
    /// What its owner chose about Connection Requests; another choice than before wins over what an ACS has set.
    pub(crate) fn may_listen(&mut self, listens: bool) {
        if self.listens != listens {
            self.listens = listens;
            self.device.put(path::CONNECTION_REQUEST_ENABLE, &listens.to_string());
        }
    }

    /// Whether the ACS lets the cell listen for Connection Requests now. (C-31, R-03)
    pub(crate) fn takes_connection_requests(&self) -> bool {
        [path::ENABLE_CWMP, path::CONNECTION_REQUEST_ENABLE]
            .iter()
            .all(|place| self.device.value(place) == "true")
    }

    /// Where Connection Requests go from now on; true when that is new, and told as its attributes say. (C-18)
    pub(crate) fn show_connection_request_url(&mut self, url: &str) -> bool {
        let Ok(path) = Path::parse(path::CONNECTION_REQUEST_URL) else { return false };
        if self.device.value(path.as_str()) == url {
            return false;
        }
        self.device.put(path.as_str(), url);
        let attributes = self.device.attributes(&path).ok().and_then(|mut list| list.pop());
        let notification = attributes.map_or(0, |attributes| attributes.notification);
        if notification > 0 {
            self.changed.insert(path);
        }
        if notification > 1 {
            self.agenda.raise(EventCode::VALUE_CHANGE, "");
        }
        true
    }
}
