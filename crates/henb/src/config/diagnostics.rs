//! The section about diagnostics: whether the H(e)MS may have them run, and where to. (C-39, decision 29)

use super::{
    meaning::DiagnosticsCare,
    reader::{Reader, Typed},
};
use crate::diagnostics::reach::Network;

/// Most networks: each probe is compared with all of them.
const MOST_NETWORKS: usize = 64;

/// `[diagnostics]`: whether and where to the H(e)MS may have the cell ping, trace, download and upload.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// Whether diagnostics run at all; else each ends with an error. Default true.
    enabled: Option<Typed<bool>>,
    /// Networks that they may go to beside the H(e)MS's own host, such as "10.45.0.0/16", at most 64. Default none.
    networks: Vec<Typed<String>>,
}

impl Section {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        const NAME: &str = "diagnostics";
        Self { enabled: reader.boolean(NAME, "enabled"), networks: reader.texts(NAME, "networks") }
    }

    pub(super) fn meaning(&self, reader: &mut Reader<'_>) -> DiagnosticsCare {
        if let Some(more) = self.networks.get(MOST_NETWORKS) {
            reader.complain(more.line, format!("diagnostics.networks: at most {MOST_NETWORKS} are right"));
        }
        let networks = self.networks.iter().filter_map(|network| network.parse(reader, read)).collect();
        DiagnosticsCare { enabled: self.enabled.as_ref().is_none_or(|typed| typed.value), networks }
    }
}

fn read(text: &str) -> Result<Network, String> {
    let right = "diagnostics.networks: an address or a network such as \"10.45.0.0/16\" is right";
    text.parse().map_err(|()| right.to_owned())
}
