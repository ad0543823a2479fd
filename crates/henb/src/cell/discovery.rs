//! Which H(e)MS a cell calls that no H(e)MS has taken in yet. (TR-069 3.1, D-11)

use profile::HemsUrl;

use super::Cell;
use crate::device::path;

impl Cell {
    /// Whether no H(e)MS has taken this cell's BOOTSTRAP: nobody had a chance to set a URL.
    pub(crate) fn is_new(&self) -> bool {
        self.contacted.is_none()
    }

    /// Turns to a URL that was offered, and after each failure to the other of both: an offer of whoever stands in the
    /// local network, or of an internet provider for its own boxes, cannot keep the cell from its operator.
    pub(crate) fn take_offer(&mut self, offered: Option<HemsUrl>) {
        if !self.is_new() {
            return;
        }
        let offered = offered.filter(|_| self.agenda.retry_count().is_multiple_of(2));
        let url = offered.map_or_else(|| self.configured.clone(), |url| url.to_string());
        if self.device.value(path::URL) != url {
            tracing::info!(url, "the cell looks for its H(e)MS");
            self.device.put(path::URL, &url);
        }
    }
}

#[cfg(test)]
mod tests {
    use profile::TransportMode;

    use super::*;
    use crate::cell::tests::cell;

    const OFFERED: &str = "https://offered.example/";
    const FACTORY: &str = "https://hems.example/";

    fn turn(cell: &mut Cell) -> String {
        cell.take_offer(HemsUrl::parse(OFFERED, TransportMode::Public).ok());
        cell.device.value(path::URL)
    }

    #[test]
    fn d11_an_offer_that_leads_nowhere_takes_turns_with_the_factory_s_url() {
        let mut cell = cell("2026-06-01T00:00:00Z");
        for url in [OFFERED, FACTORY, OFFERED, FACTORY] {
            assert_eq!(turn(&mut cell), url);
            cell.agenda.failed(cell.now(), 0);
        }
        cell.take_offer(None);
        assert_eq!(cell.device.value(path::URL), FACTORY);
    }

    #[test]
    fn d11_what_a_hems_set_and_who_took_the_cell_in_are_never_overruled() {
        let mut cell = cell("2026-06-01T00:00:00Z");
        let url = HemsUrl::parse(FACTORY, TransportMode::Public).unwrap();
        cell.informed(&cell.agenda.events(), &url);
        cell.device.put(path::URL, "https://serving.example/");
        assert_eq!(turn(&mut cell), "https://serving.example/");
    }

    #[test]
    fn d10_d11_after_a_factory_reset_the_offer_counts_again() {
        let mut cell = cell("2026-06-01T00:00:00Z");
        let url = HemsUrl::parse(FACTORY, TransportMode::Public).unwrap();
        cell.informed(&cell.agenda.events(), &url);
        assert_eq!(turn(&mut cell), FACTORY);
        cell.reset = true;
        cell.restart_as_promised();
        assert_eq!(turn(&mut cell), OFFERED);
    }
}
