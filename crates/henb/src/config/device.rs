//! What the device section means: which implementation of the device trait, and that everything it needs is there.

use std::{
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    time::Duration,
};

use datamodel::Model;
use jiff::SignedDuration;

use super::{
    DeviceKind, File, bounded,
    reader::{Reader, Typed},
};
use crate::device::{self, Program, Radio, RadioFault, Way};

/// Longest simulated delay: a radio that takes longer than ten minutes is `s1-never-up`.
const MOST_DELAY_MS: u64 = 600_000;

/// What a run or an answer may take: a H(e)MS waits 30 s for a cell's next post. (S-05)
const LIMIT_MS: (u32, u32) = (100, 25_000);

/// Longest path of a Unix socket that the kernel takes.
const SOCKET_BYTES: usize = 107;

/// The words of `device.kind`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Simulated,
    Memory,
    Command,
    File,
}

impl File {
    pub(super) fn device(&self, reader: &mut Reader<'_>, base: &Path, model: &Model) -> Option<DeviceKind> {
        let read = |text: &str| match text {
            "simulated" => Ok(Kind::Simulated),
            "memory" => Ok(Kind::Memory),
            "command" => Ok(Kind::Command),
            "file" => Ok(Kind::File),
            _ => Err("device.kind: \"simulated\", \"memory\", \"command\" or \"file\" is right".to_owned()),
        };
        let kind = self.kind.as_ref().map_or(Some(Kind::Simulated), |kind| kind.parse(reader, read));
        let radio = self.radio(reader);
        let Some(kind) = kind else {
            // Which of them was meant is not known: each that is there is judged.
            let _ = (!self.program.is_empty() || self.socket.is_some()).then(|| self.way(reader, base));
            let _ = self.stack.is_there().then(|| self.stack.meaning(reader, base, model));
            return None;
        };
        match kind {
            Kind::Simulated => Some(DeviceKind::Simulated(radio)),
            Kind::Memory => Some(DeviceKind::Memory),
            Kind::Command => self.way(reader, base).map(DeviceKind::Command),
            Kind::File => {
                self.stack.meaning(reader, base, model).map(|stack| DeviceKind::File(Box::new(stack)))
            }
        }
    }

    fn way(&self, reader: &mut Reader<'_>, base: &Path) -> Option<Way> {
        let limit = limit(reader, "device.command", self.command_timeout_ms.as_ref());
        let poll = bounded(reader, self.poll_s.as_ref(), "device.command.poll_s", (0, 3600), 10);
        match (self.program.first(), &self.socket) {
            (Some(_), None) => {
                let program = program(reader, base, "device.command.program", &self.program, limit)?;
                let poll = (poll > 0).then(|| Duration::from_secs(poll.into()));
                Some(Way::Program { program, poll })
            }
            (None, Some(typed)) => {
                let path = typed.parse(reader, |text| read_socket(&base.join(text)))?;
                Some(Way::Socket { path, limit })
            }
            (program, socket) => {
                let line =
                    program.map(|typed| typed.line).or_else(|| socket.as_ref().map(|typed| typed.line));
                let text = "device.command: either program or socket is right";
                reader.complain(line.unwrap_or(1), text.to_owned());
                None
            }
        }
    }

    fn radio(&self, reader: &mut Reader<'_>) -> Radio {
        let mut radio = Radio { delay: Duration::from_secs(1), ..Radio::default() };
        if let Some(delay) = &self.delay_ms {
            let bound = format!("device.radio.delay_ms: 0 to {MOST_DELAY_MS} is right");
            let read = u64::try_from(delay.value).ok().filter(|delay| *delay <= MOST_DELAY_MS);
            match read {
                Some(delay) => radio.delay = Duration::from_millis(delay),
                None => reader.complain(delay.line, bound),
            }
        }
        if let Some(seed) = &self.seed {
            match u64::try_from(seed.value) {
                Ok(seed) => radio.seed = seed,
                Err(_) => reader.complain(seed.line, "device.radio.seed: 0 or more is right".to_owned()),
            }
        }
        if let Some(ahead) = &self.gps_ahead_s {
            let most = 1_000_000_000;
            if (-most..=most).contains(&ahead.value) {
                radio.gps_ahead = Some(SignedDuration::from_secs(ahead.value));
            } else {
                reader.complain(ahead.line, format!("device.radio.gps_ahead_s: -{most} to {most} is right"));
            }
        }
        for fault in &self.faults {
            radio.faults.extend(fault.parse(reader, read_fault));
        }
        radio
    }
}

/// A program that is there, with what follows its name; the file is one path, never looked for in folders.
pub(super) fn program(
    reader: &mut Reader<'_>,
    base: &Path,
    name: &str,
    typed: &[Typed<String>],
    limit: Duration,
) -> Option<Program> {
    let first = reader.required(name, typed.first(), "a list of a program's path and its arguments")?;
    let file = base.join(&first.value);
    let file = first.parse(reader, |_| {
        device::check_program(&file).map(|()| file.clone()).map_err(|error| format!("{name}: {error}"))
    })?;
    let arguments = typed.iter().skip(1).map(|argument| argument.value.clone()).collect();
    Some(Program { file, arguments, limit })
}

pub(super) fn limit(reader: &mut Reader<'_>, section: &str, typed: Option<&Typed<i64>>) -> Duration {
    let limit = bounded(reader, typed, &format!("{section}.timeout_ms"), LIMIT_MS, 10_000);
    Duration::from_millis(limit.into())
}

/// The process behind it may come later than henbd.
fn read_socket(path: &Path) -> Result<PathBuf, String> {
    if path.as_os_str().len() > SOCKET_BYTES {
        return Err(format!("device.command.socket: a path of at most {SOCKET_BYTES} bytes is right"));
    }
    if path.metadata().is_ok_and(|metadata| !metadata.file_type().is_socket()) {
        return Err(format!("device.command.socket: {} is no socket", path.display()));
    }
    Ok(path.to_owned())
}

fn read_fault(text: &str) -> Result<RadioFault, String> {
    let known = RadioFault::ALL.into_iter().find(|(name, _)| *name == text);
    known.map(|(_, fault)| fault).ok_or_else(|| {
        let words: Vec<&str> = RadioFault::ALL.iter().map(|(name, _)| *name).collect();
        format!(
            "device.radio.faults: some of {} are right, not \"{}\"",
            words.join(", "),
            text.escape_debug()
        )
    })
}
