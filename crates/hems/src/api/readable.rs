//! Which paths a device can be asked for: those of the data model, those of vendors, and what the device showed itself.
//!
//! ```text
//!  Device.Time.Enable   a parameter
//!  Device.Time.         all below an object: the dot at the end says so
//!  Device.Time          neither
//! ```

use datamodel::{Model, Path};

use crate::{plan::Known, template::Complaint};

/// The root of the data model.
const ROOT: &str = "Device.";

/// What is wrong with paths that shall be read, each with its place.
pub(super) fn complaints(paths: &[String], known: &Known, model: &Model) -> Vec<Complaint> {
    let wrong = |path: &String| {
        let message = readable(path, known, model).err()?;
        Some(Complaint { place: path.chars().take(datamodel::PATH_CHARACTERS).collect(), message })
    };
    paths.iter().filter_map(wrong).collect()
}

/// Whether a text is a path below the root, with rows by their numbers.
pub(super) fn concrete(text: &str) -> Result<Path, String> {
    let path = Path::parse(text).map_err(|error| error.to_string())?;
    if !text.starts_with(ROOT) {
        return Err(format!("a path begins with the root of the data model, `{ROOT}`"));
    }
    if path.is_schema() {
        return Err("a row is named by its number, such as 1, and not by `{i}`".to_owned());
    }
    Ok(path)
}

/// Whether a vendor added it, which the model need not know.
pub(super) fn is_vendors(path: &Path) -> bool {
    path.segments().any(|segment| segment.starts_with("X_"))
}

fn readable(text: &str, known: &Known, model: &Model) -> Result<(), String> {
    let path = concrete(text)?;
    let is_object = |path: &Path| model.object(path).is_some() || model.table(path).is_some();
    if path.is_partial() {
        let is_there =
            is_object(&path) || is_vendors(&path) || known.values().any(|(name, _)| name.starts_with(text));
        return if is_there { Ok(()) } else { Err("the data model has no such object".to_owned()) };
    }
    if model.parameter(&path).is_some() || is_vendors(&path) || known.value(text).is_some() {
        return Ok(());
    }
    Err(match Path::parse(&format!("{text}.")) {
        Ok(object) if is_object(&object) => format!("is an object: `{text}.` with a dot is all below it"),
        Ok(_) | Err(_) => "the data model has no such parameter".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_parameter_or_ends_with_a_dot_and_begins_with_the_root() {
        let (known, model) = (Known::default(), Model::standard());
        let wrong = |path: &str| readable(path, &known, model).err().unwrap_or_default();
        for right in [
            "Device.",
            "Device.Time.",
            "Device.Time.Enable",
            "Device.Services.FAPService.1.FAPControl.LTE.AdminState",
            "Device.Services.FAPService.",
            "Device.Services.FAPService.1.",
            "Device.X_00005E_Lamp",
            "Device.X_00005E_Lamp.",
        ] {
            assert_eq!(wrong(right), "", "{right}");
        }
        for (path, says) in [
            ("", "begins with the root"),
            ("Time.Enable", "begins with the root"),
            ("Device", "begins with the root"),
            ("Device.Time", "`Device.Time.` with a dot"),
            ("Device..Time", "empty name"),
            ("Device.Tïme.", "a character"),
            ("Device.Tme.Enable", "no such parameter"),
            ("Device.Tme.", "no such object"),
            ("Device.Services.FAPService.{i}.", "by its number"),
        ] {
            assert!(wrong(path).contains(says), "{path}: {}", wrong(path));
        }
    }
}
