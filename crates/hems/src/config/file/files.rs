//! What was typed about files that go to cells and come from them, and about recorded sessions.

use super::super::reader::{At, Reader, Section};

/// `[files]`: files for cells and from cells, and what they may take.
#[derive(Clone, Debug)]
pub struct Files {
    /// The folder of the contents, on a disk that every node has; made where it is missing. Default: `files` in
    /// `state_dir`.
    pub folder: Option<At<String>>,
    /// Megabytes of the largest file that a person adds: 1 to 65536. Default: 1024.
    pub file_mb: u32,
    /// Megabytes of the largest file that a cell sends: 1 to 1024. Default: 16.
    pub upload_mb: u32,
    /// Megabytes of all files of one cell: 1 to 65536. Default: 64.
    pub device_mb: u32,
    /// Megabytes of all files: 1 to 100000000. Default: 16384.
    pub total_mb: u32,
    /// Seconds after which a URL in a Download or Upload is over, however far the call is: 1 to 31622400. Default:
    /// 604800, a week.
    pub url_seconds: u32,
    /// Days that what a cell sent is kept: 1 to 3650. Default: 30.
    pub keep_days: u32,
    /// The certificates of the keys that sign firmware, as cells have them, PEM: other firmware is not taken in. Default:
    /// none, and any key may have signed what every cell checks anyhow.
    pub firmware_keys: Vec<At<String>>,
}

impl Files {
    pub(super) fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "files");
        let folder = reader.text(&mut section, "folder");
        let mut number = |key, bounds, default| reader.number(&mut section, key, bounds, default);
        let files = Self {
            folder,
            file_mb: number("file_mb", 1..65_537, 1024),
            upload_mb: number("upload_mb", 1..1025, 16),
            device_mb: number("device_mb", 1..65_537, 64),
            total_mb: number("total_mb", 1..100_000_001, 16_384),
            url_seconds: number("url_seconds", 1..31_622_401, 604_800),
            keep_days: number("keep_days", 1..3651, 30),
            firmware_keys: reader.some_texts(&mut section, "firmware_keys", "a list of certificates, PEM"),
        };
        reader.finish(section);
        files
    }
}

/// `[recordings]`: sessions that were recorded because somebody asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recordings {
    /// Days that they are kept: 1 to 90. Default: 7.
    pub keep_days: u32,
}

impl Recordings {
    pub(super) fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "recordings");
        let keep_days = reader.number(&mut section, "keep_days", 1..91, 7);
        reader.finish(section);
        Self { keep_days }
    }
}
