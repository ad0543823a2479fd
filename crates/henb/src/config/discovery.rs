//! The section about discovery: whether the cell takes a hint of where its H(e)MS is. (D-11)

use std::path::{Path, PathBuf};

use super::reader::{Reader, Typed};

/// `[discovery]`: where the cell looks for its H(e)MS beside `hems.url`, as long as none has taken it in.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// A file in which a DHCP client's hook leaves the URL, or the options 43, 125 or 17 that it is in, see
    /// [Discovery](discovery.md). Default none: `hems.url` alone counts.
    dhcp: Option<Typed<String>>,
}

impl Section {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self { dhcp: reader.text("discovery", "dhcp") }
    }

    /// The file may come later than henbd, its folder may not.
    pub(super) fn meaning(&self, reader: &mut Reader<'_>, base: &Path) -> Option<PathBuf> {
        let read = |text: &str| {
            let path = base.join(text);
            let has_folder = path.parent().is_some_and(Path::is_dir) && !path.is_dir();
            has_folder
                .then(|| path.clone())
                .ok_or_else(|| format!("discovery.dhcp: there is no folder for the file {}", path.display()))
        };
        self.dhcp.as_ref().and_then(|dhcp| dhcp.parse(reader, read))
    }
}
