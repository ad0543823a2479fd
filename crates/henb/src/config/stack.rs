//! The section about a radio stack that reads a configuration file: its template and its programs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use datamodel::Model;

use super::{
    device::{limit, program},
    reader::{Reader, Typed},
};
use crate::device::{Format, INSTALL_LIMIT, Stack, Template};

/// Largest template: a hundred times srsRAN's own file.
const TEMPLATE_BYTES: u64 = 1 << 20;

/// `[device.file]`: the radio stack of kind "file", see [Drive a radio](../how-to/drive-a-radio.md). A program is a list of
/// its path and its arguments.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// A file with placeholders for parameters. Required.
    template: Option<Typed<String>>,
    /// The file that the stack reads; it is replaced whole. Required.
    output: Option<Typed<String>>,
    /// How values are written: "conf", "json" or "env". Default "conf".
    format: Option<Typed<String>>,
    /// The program that starts the stack, or starts it again. Required.
    restart: Vec<Typed<String>>,
    /// The program that stops the stack. Required.
    stop: Vec<Typed<String>>,
    /// The program that ends with 0 while the stack serves; run every ten seconds. Default none: a stack that was started
    /// serves.
    probe: Vec<Typed<String>>,
    /// The program that starts a firmware image; it gets `--`, the version and the image's path, for the factory's image no
    /// path, and has 256 seconds. Default none: the cell takes no firmware.
    boot: Vec<Typed<String>>,
    /// How long each of the others may take, 100 to 25000. Default 10000.
    timeout_ms: Option<Typed<i64>>,
}

impl Section {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            template: reader.text("device.file", "template"),
            output: reader.text("device.file", "output"),
            format: reader.text("device.file", "format"),
            restart: reader.texts("device.file", "restart"),
            stop: reader.texts("device.file", "stop"),
            probe: reader.texts("device.file", "probe"),
            boot: reader.texts("device.file", "boot"),
            timeout_ms: reader.integer("device.file", "timeout_ms"),
        }
    }

    /// Whether anything of it was typed.
    pub(super) fn is_there(&self) -> bool {
        self.template.is_some() || self.output.is_some() || !self.restart.is_empty() || !self.stop.is_empty()
    }

    pub(super) fn meaning(&self, reader: &mut Reader<'_>, base: &Path, model: &Model) -> Option<Stack> {
        let limit = limit(reader, "device.file", self.timeout_ms.as_ref());
        let format =
            self.format.as_ref().map_or(Some(Format::Conf), |typed| typed.parse(reader, read_format));
        let template = self.template(reader, base, model, format);
        let output =
            reader.required("device.file.output", self.output.as_ref(), "the file that the stack reads");
        let output = output.and_then(|typed| typed.parse(reader, |text| read_output(&base.join(text))));
        let restart = program(reader, base, "device.file.restart", &self.restart, limit);
        let stop = program(reader, base, "device.file.stop", &self.stop, limit);
        let mut where_said = |name, typed: &[Typed<String>], limit| {
            (!typed.is_empty()).then(|| program(reader, base, name, typed, limit)).flatten()
        };
        let probe = where_said("device.file.probe", &self.probe, limit);
        let boot = where_said("device.file.boot", &self.boot, INSTALL_LIMIT);
        Some(Stack { template: template?, output: output?, restart: restart?, stop: stop?, probe, boot })
    }

    /// Each complaint about a template names its line there.
    fn template(
        &self,
        reader: &mut Reader<'_>,
        base: &Path,
        model: &Model,
        format: Option<Format>,
    ) -> Option<Template> {
        let name = "device.file.template";
        let typed = reader.required(name, self.template.as_ref(), "a file with placeholders")?;
        let path = base.join(&typed.value);
        let text = match read_template(&path) {
            Ok(text) => text,
            Err(error) => {
                reader.complain(typed.line, format!("{name}: {error}"));
                return None;
            }
        };
        match Template::parse(&text, format?, model) {
            Ok(template) => Some(template),
            Err(errors) => {
                for error in errors {
                    let text = format!("{name}: {}:{}: {}", path.display(), error.line, error.text);
                    reader.complain(typed.line, text);
                }
                None
            }
        }
    }
}

fn read_output(path: &Path) -> Result<PathBuf, String> {
    let has_folder = path.parent().is_some_and(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    if has_folder && !path.is_dir() {
        return Ok(path.to_owned());
    }
    Err(format!("device.file.output: there is no folder for the file {}", path.display()))
}

fn read_template(path: &Path) -> Result<String, String> {
    let cannot = |error| format!("cannot read {}: {error}", path.display());
    let length = path.metadata().map_err(cannot)?.len();
    if length > TEMPLATE_BYTES {
        return Err(format!("{} has more than {TEMPLATE_BYTES} bytes", path.display()));
    }
    fs::read_to_string(path).map_err(cannot)
}

fn read_format(text: &str) -> Result<Format, String> {
    let known = Format::ALL.into_iter().find(|(word, _)| *word == text);
    known.map(|(_, format)| format).ok_or_else(|| {
        let words = Format::ALL.map(|(word, _)| format!("\"{word}\""));
        format!("device.file.format: one of {} is right", words.join(", "))
    })
}
