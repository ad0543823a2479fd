//! What the section `firmware` means: who signs, where images are, how a new one is tried. (decision 10)

use std::{path::Path, time::Duration};

use profile::MOST_FIRMWARE_KEYS;

use super::{File, FirmwareCare, Reader, bounded, existing};

impl File {
    pub(super) fn firmware(&self, reader: &mut Reader<'_>, base: &Path) -> FirmwareCare {
        let keys = self.firmware_keys.iter();
        let keys = keys.filter_map(|file| existing(reader, base, "firmware.keys", Some(file))).collect();
        if let Some(more) = self.firmware_keys.get(MOST_FIRMWARE_KEYS) {
            reader.complain(more.line, format!("firmware.keys: at most {MOST_FIRMWARE_KEYS} are right"));
        }
        let revoked = self.firmware_revoked.iter().filter_map(|id| id.parse(reader, check_key_id)).collect();
        let trial = bounded(reader, self.trial_s.as_ref(), "firmware.trial_s", (60, 86_400), 3600);
        let most = bounded(reader, self.most_mb.as_ref(), "firmware.most_mb", (1, 4096), 64);
        FirmwareCare {
            keys,
            revoked,
            dir: self.firmware_dir.as_ref().map(|dir| base.join(&dir.value)),
            trial: Duration::from_secs(trial.into()),
            most_bytes: u64::from(most) << 20,
        }
    }
}

/// SHA-256 in hexadecimal.
fn check_key_id(text: &str) -> Result<String, String> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("firmware.revoked: ids of 64 hexadecimal digits are right".to_owned())
    }
}
