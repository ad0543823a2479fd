//! The calls of the actions `download` and `upload`: each names a URL of ours that only this device can use, as long as
//! the call is open. No user name, no password. (P-07, decision 10)

use cwmp::{CpeMethod, Text, Upload};
use profile::FirmwareManifest;

use super::{Api, Problem, actions, devices};
use crate::{
    files::{self, Kind},
    people::Caller,
    radio,
    store::{DeviceRow, FileRow, NewUrl},
};

/// The Download of a file.
pub(super) async fn download(
    api: &Api,
    caller: &Caller,
    device: &DeviceRow,
    file: i64,
) -> Result<(CpeMethod, NewUrl), Problem> {
    let row = usable(api, caller, file).await?;
    let row = row.ok_or_else(|| Problem::invalid("`file` is the number of a file; there is no such one"))?;
    let kind = Kind::named(&row.kind).and_then(|kind| Some((kind, kind.to_download()?)));
    let Some((kind, file_type)) = kind else {
        return Err(Problem::invalid(format!("a cell has no use for a {} file", row.kind)));
    };
    fits(device, &row)?;
    if kind == Kind::Firmware {
        actions::wants_nothing(api, device, radio::SOFTWARE).await?;
    }
    let url = files::new_url(&api.hems, "GET", kind, Some(row.id))?;
    let place = files::url(&api.hems.url, &url.token);
    let method = files::download(file_type, place, (&row.name, row.size));
    Ok((method, url))
}

/// A file that a caller may use: one that people keep for cells, or one that a cell sent whom he sees. Any other is to
/// him as if there were none.
async fn usable(api: &Api, caller: &Caller, file: i64) -> Result<Option<FileRow>, Problem> {
    let Some(row) = api.hems.store.file(file).await? else { return Ok(None) };
    let is_usable = match &row.identity {
        Some(_) if caller.is_everywhere() => true,
        Some(identity) => devices::seen(api, caller, identity).await?.is_some(),
        None => true,
    };
    Ok(is_usable.then_some(row))
}

/// The Upload of what a cell has of one kind.
pub(super) fn upload(api: &Api, kind: Kind) -> Result<(CpeMethod, NewUrl), Problem> {
    let wrong =
        || Problem::invalid("`kind` is `configuration` or `log`: cells send these when they are asked");
    let file_type = kind.to_upload().ok_or_else(wrong)?;
    let url = files::new_url(&api.hems, "PUT", kind, None)?;
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

/// An image is made for a product, and a cell would refuse any other; here it is said before it is sent.
fn fits(device: &DeviceRow, file: &FileRow) -> Result<(), Problem> {
    let Some(FirmwareManifest { oui, product_class, .. }) = file.firmware() else { return Ok(()) };
    let is_same = |known: &Option<String>, signed: &str| {
        known.as_deref().is_none_or(|known| known.eq_ignore_ascii_case(signed))
    };
    if is_same(&device.oui, &oui) && is_same(&device.product_class, &product_class) {
        return Ok(());
    }
    let detail = format!("the image is for {oui}/{product_class}, and the device is another product");
    Err(Problem::conflict(&detail))
}
