//! The calls of the actions `download` and `upload`: each names a URL of ours that only this device can use, as long as
//! the call is open. No user name, no password. (P-07, decision 10)

use cwmp::{CpeMethod, Download, Text, Upload};

use super::{Api, Problem};
use crate::{
    files::{self, Kind},
    store::{DeviceRow, FileRow, NewUrl},
};

/// The Download of a file.
pub(super) async fn download(
    api: &Api,
    device: &DeviceRow,
    file: i64,
) -> Result<(CpeMethod, NewUrl), Problem> {
    let row = api.hems.store.file(file).await?;
    let row = row.ok_or_else(|| Problem::invalid("`file` is the number of a file; there is no such one"))?;
    let kind = Kind::named(&row.kind).and_then(|kind| Some((kind, kind.to_download()?)));
    let Some((kind, file_type)) = kind else {
        return Err(Problem::invalid(format!("a cell has no use for a {} file", row.kind)));
    };
    fits(device, &row)?;
    let url = new_url(api, "GET", kind, Some(row.id))?;
    let method = CpeMethod::Download(Download {
        command_key: Text::new(),
        file_type: Text::from_static(file_type),
        url: files::url(&api.hems.url, &url.token).into(),
        username: Text::new(),
        password: Text::new(),
        // A size of zero announces nothing, which is all that can be said of more than the schema's type holds.
        file_size: u32::try_from(row.size).unwrap_or_default(),
        target_file_name: row.name.into(),
        delay_seconds: 0,
        success_url: Text::new(),
        failure_url: Text::new(),
    });
    Ok((method, url))
}

/// The Upload of what a cell has of one kind.
pub(super) fn upload(api: &Api, kind: Kind) -> Result<(CpeMethod, NewUrl), Problem> {
    let wrong =
        || Problem::invalid("`kind` is `configuration` or `log`: cells send these when they are asked");
    let file_type = kind.to_upload().ok_or_else(wrong)?;
    let url = new_url(api, "PUT", kind, None)?;
    let method = CpeMethod::Upload(Upload {
        command_key: Text::new(),
        file_type: Text::from_static(file_type),
        url: files::url(&api.hems.url, &url.token).into(),
        username: Text::new(),
        password: Text::new(),
        delay_seconds: 0,
    });
    Ok((method, url))
}

fn new_url(api: &Api, method: &'static str, kind: Kind, file: Option<i64>) -> Result<NewUrl, Problem> {
    let filing = &api.hems.files.filing;
    Ok(NewUrl {
        token: files::token()?,
        method,
        kind: kind.name(),
        file,
        size_max: i64::try_from(filing.upload_bytes).unwrap_or(i64::MAX),
        expires_at: api.hems.now() + filing.url_lives,
    })
}

/// An image is made for a product, and a cell would refuse any other; here it is said before it is sent.
fn fits(device: &DeviceRow, file: &FileRow) -> Result<(), Problem> {
    let Some(manifest) = file.manifest.as_deref().map(super::json) else { return Ok(()) };
    let of = |key: &str| manifest.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let (oui, product_class) = (of("oui"), of("product_class"));
    let is_same = |known: &Option<String>, signed: &str| {
        known.as_deref().is_none_or(|known| known.eq_ignore_ascii_case(signed))
    };
    if is_same(&device.oui, &oui) && is_same(&device.product_class, &product_class) {
        return Ok(());
    }
    let detail = format!("the image is for {oui}/{product_class}, and the device is another product");
    Err(Problem::conflict(&detail))
}
