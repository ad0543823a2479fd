//! What a device last told us, each value with its age. What was never read is absent, not empty. (decision 15)
//!
//! Values lie in chunks, one per object, as the store keeps them; a chunk that changed is remembered until it is
//! written. A peer decides what stands here, so names, values and their number are bounded.

use std::collections::{BTreeMap, BTreeSet};

use cwmp::ValueKind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::step::table_of;
use crate::radio;

/// Values kept per device: a TR-196 cell has a few thousand; a peer that reports more is not believed.
const VALUES_MAX: usize = 20_000;
/// Bytes of one value: the longest TR-196 lists are a few kilobytes.
const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one path. (TR-069 A.3, H-27)
const PATH_BYTES_MAX: usize = 256;
/// Bytes of names and values kept per device: twenty times what a TR-196 cell has.
const BYTES_MAX: usize = 4 << 20;
/// Changes noted between two commits: more than a history keeps of them.
const CHANGES_MAX: usize = 1000;
/// Instances kept per object: as many as a plan would ever look at.
const INSTANCES_MAX: usize = 4096;

/// One value as the device gave it, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) value: String,
    #[serde(rename = "type")]
    pub(crate) kind: ValueKind,
    pub(crate) read_at: Timestamp,
}

/// The values of one object, and its instances where it is a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chunk {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) values: BTreeMap<String, Held>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instances: Option<BTreeSet<u32>>,
    /// Rows that we added and never wrote: whatever they hold came from the factory.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) fresh: BTreeSet<u32>,
    /// Rows that we added and no list of the device has shown since: that they are not listed does not say that they are
    /// gone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) unlisted: BTreeSet<u32>,
    /// The plan took the cell off the air, and no template wanted that: it goes on again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_held_off: bool,
}

impl Chunk {
    /// When the newest of it was read; a chunk of instances alone has no age of its own.
    pub(crate) fn read_at(&self) -> Option<Timestamp> {
        self.values.values().map(|held| held.read_at).max()
    }

    /// Bytes of the paths and values in it, where it is the chunk of `object`.
    fn bytes(&self, object: &str) -> usize {
        let value = |(name, held): (&String, &Held)| size(object, name, &held.value);
        self.values.iter().map(value).sum()
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.instances.is_none() && !self.is_held_off
    }
}

/// A value that is another than it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "ValueChange")]
pub(crate) struct Change {
    pub(crate) path: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// What the gate said about the place where the cell stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) passed: bool,
    pub(crate) policy: String,
    pub(crate) latitude: String,
    pub(crate) longitude: String,
    pub(crate) at: Timestamp,
}

/// Everything known of one device.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Known {
    chunks: BTreeMap<String, Chunk>,
    count: usize,
    bytes: usize,
    is_over_bounds: bool,
    changed: BTreeSet<String>,
    /// What was read before is read again: a device changes by other hands, too.
    believed_since: Option<Timestamp>,
    /// The tables whose instances are known since then.
    listed: BTreeSet<String>,
    /// What became unknown since the store was asked: what is read instead may be the same.
    former: BTreeMap<String, String>,
    changes: Vec<Change>,
    /// What the gate said, unless that is unknown again.
    pub(crate) gate: Option<Verdict>,
    /// The methods that the device offers, once asked.
    pub(crate) methods: Option<Vec<String>>,
}

impl Known {
    /// Takes up what the store held.
    pub(crate) fn restore(
        chunks: BTreeMap<String, Chunk>,
        gate: Option<Verdict>,
        methods: Option<Vec<String>>,
    ) -> Self {
        let count = chunks.values().map(|chunk| chunk.values.len()).sum();
        let bytes = chunks.iter().map(|(object, chunk)| chunk.bytes(object)).sum();
        Self { chunks, count, bytes, gate, methods, ..Self::default() }
    }

    /// Everything, object by object.
    pub(crate) fn chunks(&self) -> &BTreeMap<String, Chunk> {
        &self.chunks
    }

    /// The value at a path.
    pub(crate) fn value(&self, path: &str) -> Option<&Held> {
        let (object, name) = split(path)?;
        self.chunks.get(object)?.values.get(name)
    }

    /// The text of the value at a path.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.value(path).map(|held| held.value.as_str())
    }

    /// Whether the value at a path is known and true.
    pub(crate) fn is_true(&self, path: &str) -> bool {
        self.text(path).is_some_and(|text| text == "true" || text == "1")
    }

    /// The instances of a table, where they were asked for.
    pub(crate) fn instances(&self, object: &str) -> Option<&BTreeSet<u32>> {
        self.chunks.get(object)?.instances.as_ref()
    }

    /// Believes only what is read from now on, and goes on knowing the rest.
    pub(crate) fn doubt(&mut self, now: Timestamp) {
        self.believed_since = Some(now);
        self.listed.clear();
    }

    /// From when on.
    pub(crate) fn believed_since(&self) -> Option<Timestamp> {
        self.believed_since
    }

    /// Whether the value at a path, or the instances of a table, are known from before the time from which on anything
    /// is believed.
    pub(crate) fn is_doubted(&self, path: &str) -> bool {
        let Some(since) = self.believed_since else { return false };
        if path.ends_with('.') {
            return self.instances(path).is_some() && !self.listed.contains(path);
        }
        self.value(path).is_some_and(|held| held.read_at < since)
    }

    /// Whether the cell is off the air by the plan and by no template's wish.
    pub(crate) fn is_held_off(&self) -> bool {
        self.chunks.get(radio::CONTROL).is_some_and(|chunk| chunk.is_held_off)
    }

    /// Notes whether it is.
    pub(crate) fn hold_off(&mut self, is_held: bool) {
        if self.is_held_off() != is_held {
            self.chunks.entry(radio::CONTROL.to_owned()).or_default().is_held_off = is_held;
            self.changed.insert(radio::CONTROL.to_owned());
        }
    }

    /// All values with their full paths.
    pub(crate) fn values(&self) -> impl Iterator<Item = (String, &Held)> {
        self.chunks.iter().flat_map(|(object, chunk)| {
            chunk.values.iter().map(move |(name, held)| (format!("{object}{name}"), held))
        })
    }

    /// Takes up one value; false where it is beyond a bound and was not taken.
    pub(crate) fn learn(&mut self, path: &str, value: &str, kind: ValueKind, at: Timestamp) -> bool {
        let Some((object, name)) = split(path) else { return false };
        let before = self.value(path).map(|held| size(object, name, &held.value));
        let bytes = self.bytes - before.unwrap_or_default() + size(object, name, value);
        if path.len() > PATH_BYTES_MAX
            || path.bytes().any(|byte| byte.is_ascii_control())
            || value.len() > VALUE_BYTES_MAX
            || bytes > BYTES_MAX
            || (before.is_none() && self.count >= VALUES_MAX)
        {
            self.is_over_bounds = true;
            return false;
        }
        self.count += usize::from(before.is_none());
        self.bytes = bytes;
        self.note_change(path, value);
        let held = Held { value: value.to_owned(), kind, read_at: at };
        if !self.changed.contains(object) {
            self.changed.insert(object.to_owned());
        }
        if !self.chunks.contains_key(object) {
            self.chunks.insert(object.to_owned(), Chunk::default());
        }
        if let Some(chunk) = self.chunks.get_mut(object) {
            chunk.values.insert(name.to_owned(), held);
        }
        true
    }

    /// Takes up which instances a table has; values of rows that are gone go with them.
    pub(crate) fn learn_instances(&mut self, object: &str, numbers: impl IntoIterator<Item = u32>) {
        let numbers: BTreeSet<u32> = numbers.into_iter().take(INSTANCES_MAX).collect();
        let gone: Vec<String> = self
            .chunks
            .range(object.to_owned()..)
            .map_while(|(path, _)| Some((path, path.strip_prefix(object)?)))
            .filter_map(|(path, rest)| {
                let number = rest.split_once('.')?.0.parse().ok()?;
                (!numbers.contains(&number)).then(|| path.clone())
            })
            .collect();
        for path in gone {
            self.drop_chunk(&path);
        }
        self.changed.insert(object.to_owned());
        if self.believed_since.is_some() {
            self.listed.insert(object.to_owned());
        }
        let chunk = self.chunks.entry(object.to_owned()).or_default();
        chunk.fresh.retain(|number| numbers.contains(number));
        chunk.unlisted.retain(|number| numbers.contains(number));
        chunk.instances = Some(numbers);
    }

    /// Takes up the instances that the device lists. A row that we added goes with a list only after one had it: some
    /// devices list no rows at all.
    pub(crate) fn learn_list(&mut self, object: &str, numbers: &[u32]) {
        let unlisted = self.chunks.get(object).map(|chunk| chunk.unlisted.clone()).unwrap_or_default();
        self.learn_instances(object, numbers.iter().chain(&unlisted).copied());
        if let Some(chunk) = self.chunks.get_mut(object) {
            chunk.unlisted.retain(|number| !numbers.contains(number));
        }
    }

    /// Takes up a row that we just added; false where the table has that number already.
    pub(crate) fn learn_row(&mut self, object: &str, number: u32) -> bool {
        let mut numbers = self.instances(object).cloned().unwrap_or_default();
        if !numbers.insert(number) {
            return false;
        }
        self.learn_instances(object, numbers);
        let chunk = self.chunks.entry(object.to_owned()).or_default();
        chunk.fresh.insert(number);
        chunk.unlisted.insert(number);
        true
    }

    /// Whether we added a row and never wrote it.
    pub(crate) fn is_fresh(&self, object: &str, number: u32) -> bool {
        self.chunks.get(object).is_some_and(|chunk| chunk.fresh.contains(&number))
    }

    /// A row was written, named with its number and dot: it is as we want it, or its key is its own.
    pub(crate) fn wrote_row(&mut self, row: &str) {
        let Some(object) = table_of(row) else { return };
        let number = row.strip_prefix(object).and_then(|rest| rest.strip_suffix('.')?.parse().ok());
        let (Some(chunk), Some(number)) = (self.chunks.get_mut(object), number) else { return };
        if chunk.fresh.remove(&number) {
            self.changed.insert(object.to_owned());
        }
    }

    /// Whether the device told more than is kept.
    pub(crate) fn is_over_bounds(&self) -> bool {
        self.is_over_bounds
    }

    /// Makes a parameter unknown again, or an object with all that is below it (a path that ends in a dot).
    pub(crate) fn forget(&mut self, path: &str) {
        if !path.ends_with('.') {
            return self.forget_value(path);
        }
        let below: Vec<String> = self
            .chunks
            .range(path.to_owned()..)
            .map(|(key, _)| key.clone())
            .take_while(|key| key.starts_with(path))
            .collect();
        for key in below {
            self.drop_chunk(&key);
        }
    }

    /// Forgets what a change concerned whose answer is lost. Where that was the transmitter, the plan may hold it off, and
    /// is taken to.
    pub(crate) fn forget_unanswered(&mut self, object: &str) {
        self.forget(object);
        if object == radio::CONTROL {
            self.hold_off(true);
        }
    }

    /// Forgets everything: the device was reset. (TR-069 3.7.1.5, event `0 BOOTSTRAP`)
    pub(crate) fn forget_all(&mut self) {
        self.hold_off(false);
        for object in self.chunks.keys().cloned().collect::<Vec<_>>() {
            self.drop_chunk(&object);
        }
        self.gate = None;
        self.methods = None;
    }

    /// Forgets what a restart may have changed by itself. (decision 23)
    pub(crate) fn forget_states(&mut self) {
        for path in radio::SERVICE_STATES {
            self.forget(path);
        }
        self.gate = None;
    }

    /// The chunks that changed since they were last taken; `None` is one that is gone.
    pub(crate) fn take_changed(&mut self) -> Vec<(String, Option<Chunk>)> {
        std::mem::take(&mut self.changed)
            .into_iter()
            .map(|object| {
                let chunk = self.chunks.get(&object).filter(|chunk| !chunk.is_empty()).cloned();
                (object, chunk)
            })
            .collect()
    }

    /// The values that are others now than they were, since they were last taken.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Takes them.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// A value that was never read has not changed, and what counts by itself does so all the time.
    fn note_change(&mut self, path: &str, after: &str) {
        let former = self.former.remove(path);
        let Some(before) = self.text(path).or(former.as_deref()).filter(|before| *before != after) else {
            return;
        };
        if !radio::RUNNING.contains(&path) && self.changes.len() < CHANGES_MAX {
            let (path, after) = (path.to_owned(), after.to_owned());
            self.changes.push(Change { path, before: before.to_owned(), after });
        }
    }

    fn forget_value(&mut self, path: &str) {
        let Some((object, name)) = split(path) else { return };
        let Some(chunk) = self.chunks.get_mut(object) else { return };
        if let Some(held) = chunk.values.remove(name) {
            self.count -= 1;
            self.bytes -= size(object, name, &held.value);
            self.changed.insert(object.to_owned());
            self.former.insert(path.to_owned(), held.value);
        }
    }

    fn drop_chunk(&mut self, object: &str) {
        if let Some(chunk) = self.chunks.remove(object) {
            self.count -= chunk.values.len();
            self.bytes -= chunk.bytes(object);
            self.changed.insert(object.to_owned());
            if chunk.is_held_off {
                self.chunks.insert(object.to_owned(), Chunk { is_held_off: true, ..Chunk::default() });
            }
            let values = chunk.values.into_iter();
            self.former.extend(values.map(|(name, held)| (format!("{object}{name}"), held.value)));
        }
    }
}

fn size(object: &str, name: &str, value: &str) -> usize {
    object.len() + name.len() + value.len()
}

/// A parameter's path as its object (with the dot) and its name.
fn split(path: &str) -> Option<(&str, &str)> {
    let dot = path.rfind('.')?;
    let (object, name) = path.split_at_checked(dot + 1)?;
    (!name.is_empty()).then_some((object, name))
}

/// Whether two texts are the same value of a type: `1` is `true`, `007` is `7`.
pub(crate) fn is_same(kind: ValueKind, left: &str, right: &str) -> bool {
    left == right
        || match kind {
            ValueKind::Boolean => boolean(left).is_some() && boolean(left) == boolean(right),
            ValueKind::Int | ValueKind::UnsignedInt | ValueKind::Long | ValueKind::UnsignedLong => {
                number(left).is_some() && number(left) == number(right)
            }
            ValueKind::HexBinary => left.eq_ignore_ascii_case(right),
            ValueKind::String | ValueKind::DateTime | ValueKind::Base64 => false,
        }
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn number(text: &str) -> Option<i128> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests;
