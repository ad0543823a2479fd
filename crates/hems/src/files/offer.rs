//! What a cell is told to fetch: a URL made for it alone, and the Download that names it. No user name, no password.
//! (P-07, decision 10)

use cwmp::{CpeMethod, Download, Text};

use super::{Kind, token};
use crate::{Hems, people::secret::SecretError, store::NewUrl};

/// A URL for one transfer; `GET` gives a file, `PUT` takes one.
///
/// # Errors
/// The system has no randomness.
pub(crate) fn new_url(
    hems: &Hems,
    method: &'static str,
    kind: Kind,
    file: Option<i64>,
) -> Result<NewUrl, SecretError> {
    let filing = &hems.files.filing;
    Ok(NewUrl {
        token: token()?,
        method,
        kind: kind.name(),
        file,
        size_max: i64::try_from(filing.upload_bytes).unwrap_or(i64::MAX),
        expires_at: hems.now() + filing.url_lives,
    })
}

/// The Download of a file at a URL, as soon as the session is over.
pub(crate) fn download(file_type: &'static str, url: String, (name, size): (&str, i64)) -> CpeMethod {
    CpeMethod::Download(Download {
        command_key: Text::new(),
        file_type: Text::from_static(file_type),
        url: url.into(),
        username: Text::new(),
        password: Text::new(),
        // A size of zero announces nothing, which is all that can be said of more than the schema's type holds.
        file_size: u32::try_from(size).unwrap_or_default(),
        target_file_name: name.to_owned().into(),
        delay_seconds: 0,
        success_url: Text::new(),
        failure_url: Text::new(),
    })
}
