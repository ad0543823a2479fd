//! What the list of devices shows of what is known of one, and when its next Inform is overdue.

use cwmp::Quirks;

use super::Device;
use crate::{
    plan::{self, Desired, Known},
    radio,
    store::Summary,
};

impl Device {
    pub(super) fn summary(&self) -> Summary {
        let nothing = Desired::default();
        summarise(self.desired.as_deref().unwrap_or(&nothing), &self.known, &self.quirks)
    }
}

/// What the list of devices shows of what is known.
fn summarise(desired: &Desired, known: &Known, quirks: &Quirks) -> Summary {
    let text = |path: &str| known.text(path).map(str::to_owned);
    let rows = known.instances(radio::PLMN_LIST).into_iter().flatten();
    let plmns: Vec<&str> =
        rows.filter_map(|row| known.text(&format!("{}{row}.PLMNID", radio::PLMN_LIST))).collect();
    Summary {
        software: text(radio::SOFTWARE),
        plmn: (!plmns.is_empty()).then(|| plmns.join(",")),
        tac: text(radio::TAC),
        pci: text(radio::PCI),
        admin_state: text(radio::ADMIN_STATE),
        op_state: text(radio::OP_STATE),
        rf_tx_status: text(radio::RF_TX_STATUS),
        is_in_service: plan::is_in_service(desired, known, quirks),
    }
}

/// How long after an Inform the next one is overdue: one and a half of its intervals.
pub(super) fn patience(known: &Known) -> Option<i64> {
    let is_enabled = known.text(radio::PERIODIC_ENABLE).is_some_and(|text| text == "true" || text == "1");
    let seconds: i64 = known.text(radio::PERIODIC_INTERVAL)?.parse().ok()?;
    is_enabled.then(|| seconds.saturating_mul(1_500))
}
