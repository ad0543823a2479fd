//! The compact form of a model: what is committed, and what an import leaves behind.
//!
//! ```text
//!   model Device:2.17
//!   type IPv4Address : string size=0..15 pattern=…              a named type
//!   Device.DeviceInfo. ro                                       an object: access, entries=, count=, enable=, key=
//!    Manufacturer ro : string size=0..64                        its parameter: access, flags, and the type behind the colon
//!    BootFirmwareImage rw : string ref=strong,row,Device.…
//!   profile Baseline:3 extends=Baseline:2                       a profile, its objects and their parameters
//!    Device.DeviceInfo. Manufacturer ModelName
//! ```
//!
//! A row is words between spaces; what holds a space, a bar or a percent sign has it in percent form. Reading and
//! writing are each other's inverse.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt::Write,
    sync::Arc,
};

use crate::{
    Access, Definition, Kind, Notification, Object, Parameter, Path, Profile, Status,
    definition::{List, Range, Reference, Syntax, Target, Type, Word},
    value::compiled,
};

/// A table that makes no sense, with the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct TableError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

/// Everything that one table holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// The model's name and version.
    pub model: String,
    /// Objects, each before its parameters.
    pub definitions: Vec<Definition>,
    /// The profiles, by name.
    pub profiles: Vec<Profile>,
}

impl Table {
    /// A table of these definitions, in its order: each object before its parameters.
    ///
    /// What they stand in and nobody defines, as the objects that a service hangs in, is put in as single objects.
    #[must_use]
    pub fn of(model: &str, mut definitions: Vec<Definition>) -> Self {
        let known: HashSet<Path> = definitions.iter().map(|definition| definition.path().clone()).collect();
        let around: BTreeSet<Path> =
            known.iter().flat_map(Path::ancestors).filter(|path| !known.contains(path)).collect();
        definitions.extend(around.into_iter().map(|path| Definition::Object(Object::new(path))));
        definitions.sort_by_cached_key(|definition| match definition {
            Definition::Object(object) => (object.path.clone(), Path::root()),
            Definition::Parameter(parameter) => (parameter.path.parent(), parameter.path.clone()),
        });
        Self { model: model.to_owned(), definitions, profiles: Vec::new() }
    }

    /// Reads a table.
    ///
    /// # Errors
    /// The first line that makes no sense.
    pub fn read(text: &str) -> Result<Self, TableError> {
        let mut reader = Reader::default();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            reader
                .line(line)
                .ok_or_else(|| TableError { line: at + 1, what: format!("{line:?} is no row of a table") })?;
        }
        Ok(reader.table)
    }

    /// Writes the table, with `head` as its comment.
    #[must_use]
    pub fn write(&self, head: &str) -> String {
        let mut text: String = head.lines().map(|line| format!("# {line}\n")).collect();
        // Writing to a String cannot fail.
        let _ = self.write_to(&mut text);
        text
    }

    fn write_to(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "model {}", self.model)?;
        let mut types: Vec<&Arc<Type>> = self.parameters().map(|parameter| &parameter.syntax.item).collect();
        types.retain(|item| item.name.is_some());
        types.sort_by(|left, right| left.name.cmp(&right.name));
        types.dedup_by(|left, right| left.name == right.name);
        for item in types {
            writeln!(text, "type {} : {}", item.name.as_deref().unwrap_or_default(), facets(item))?;
        }
        for definition in &self.definitions {
            match definition {
                Definition::Object(object) => write_object(text, object)?,
                Definition::Parameter(parameter) => write_parameter(text, parameter)?,
            }
        }
        self.profiles.iter().try_for_each(|profile| write_profile(text, profile))
    }

    fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.definitions.iter().filter_map(|definition| match definition {
            Definition::Parameter(parameter) => Some(parameter),
            Definition::Object(_) => None,
        })
    }
}

fn write_object(text: &mut String, object: &Object) -> std::fmt::Result {
    write!(text, "{} {}", object.path, access_name(object.access))?;
    if object.entries != Object::new(object.path.clone()).entries {
        write!(text, " entries={}", show_bounds(object.entries))?;
    }
    for (name, value) in [("count", &object.count), ("enable", &object.enable)] {
        if let Some(value) = value {
            write!(text, " {name}={value}")?;
        }
    }
    for key in &object.unique_keys {
        write!(text, " key={}", key.join(","))?;
    }
    write_status(text, object.status)?;
    writeln!(text)
}

fn write_parameter(text: &mut String, parameter: &Parameter) -> std::fmt::Result {
    let syntax = &parameter.syntax;
    write!(text, " {} {}", parameter.path.last(), access_name(parameter.access))?;
    if let Some(notification) = NOTIFICATIONS.iter().find(|(_, one)| *one == parameter.notification) {
        write!(text, " {}", notification.0)?;
    }
    let flags = [
        (parameter.is_forced_inform, "inform"),
        (syntax.is_hidden, "hidden"),
        (syntax.is_command, "command"),
    ];
    for (_, name) in flags.iter().filter(|(is_set, _)| *is_set) {
        write!(text, " {name}")?;
    }
    write_status(text, parameter.status)?;
    if let Some(default) = &syntax.default {
        write!(text, " default={}", escape(default))?;
    }
    if let Some(list) = &syntax.list {
        write!(text, " list={}/{}", show_bounds(list.items), show_bounds(list.characters))?;
    }
    match &syntax.item.name {
        Some(name) => writeln!(text, " : @{name}"),
        None => writeln!(text, " : {}", facets(&syntax.item)),
    }
}

fn write_status(text: &mut String, status: Status) -> std::fmt::Result {
    let name = STATUSES.iter().find(|(_, one)| *one == status);
    name.map_or(Ok(()), |(name, _)| write!(text, " {name}"))
}

fn write_profile(text: &mut String, profile: &Profile) -> std::fmt::Result {
    write!(text, "profile {}", profile.name)?;
    if !profile.extends.is_empty() {
        write!(text, " extends={}", profile.extends.join(","))?;
    }
    writeln!(text)?;
    for (object, parameters) in &profile.objects {
        writeln!(
            text,
            " {}",
            [object.as_str()]
                .into_iter()
                .chain(parameters.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(" ")
        )?;
    }
    Ok(())
}

fn facets(item: &Type) -> String {
    let mut words = vec![item.kind.name().to_owned()];
    words.extend(item.sizes.iter().map(|size| format!("size={}", show_bounds(*size))));
    words.extend(item.ranges.iter().map(show_range));
    words.extend(item.patterns.iter().map(|pattern| format!("pattern={}", escape(pattern))));
    words.extend(item.units.iter().map(|units| format!("units={}", escape(units))));
    words.extend(item.reference.iter().map(|reference| {
        let strength = if reference.is_strong { "strong" } else { "weak" };
        let mut parts = vec![strength, reference.target.name()];
        parts.extend(reference.parents.iter().map(String::as_str));
        format!("ref={}", parts.join(","))
    }));
    if !item.words.is_empty() {
        let show =
            |word: &Word| format!("{}{}", if word.is_read_only { "~" } else { "" }, escape(&word.text));
        words.push(format!("words={}", item.words.iter().map(show).collect::<Vec<_>>().join("|")));
    }
    words.join(" ")
}

fn show_bounds((least, most): (u32, Option<u32>)) -> String {
    format!("{least}..{}", most.map_or_else(String::new, |most| most.to_string()))
}

fn show_range(range: &Range) -> String {
    let show = |bound: Option<f64>| bound.map_or_else(String::new, |number| number.to_string());
    let step = range.step.map_or_else(String::new, |step| format!("/{step}"));
    format!("range={}..{}{step}", show(range.from), show(range.to))
}

/// What stands between a row's spaces must hold none.
fn escape(text: &str) -> String {
    if text.is_empty() {
        return "%".to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '%' | '|' | '~' | '=' | '#' => {
                let _ = write!(escaped, "%{:02X}", u32::from(character));
            }
            _ if character.is_whitespace() && character.is_ascii() => {
                let _ = write!(escaped, "%{:02X}", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

fn unescape(text: &str) -> Option<String> {
    if text == "%" {
        return Some(String::new());
    }
    let mut parts = text.split('%');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        plain.push(char::from(u8::from_str_radix(code, 16).ok()?));
        plain.push_str(rest);
    }
    Some(plain)
}

const NOTIFICATIONS: [(&str, Notification); 3] = [
    ("candeny", Notification::CanDeny),
    ("active", Notification::DefaultActive),
    ("always", Notification::AlwaysActive),
];

const STATUSES: [(&str, Status); 2] = [("deprecated", Status::Deprecated), ("obsoleted", Status::Obsoleted)];

fn access_name(access: Access) -> &'static str {
    if access == Access::ReadWrite { "rw" } else { "ro" }
}

fn read_access(text: &str) -> Option<Access> {
    match text {
        "rw" => Some(Access::ReadWrite),
        "ro" => Some(Access::ReadOnly),
        _ => None,
    }
}

/// What has been read, and what the next row stands in.
#[derive(Default)]
struct Reader<'a> {
    table: Table,
    types: HashMap<&'a str, Arc<Type>>,
    /// Types without name, by what stands behind the colon: most rows have the type of another.
    same: HashMap<&'a str, Arc<Type>>,
    object: Option<Path>,
    in_profile: bool,
}

impl<'a> Reader<'a> {
    /// Nothing where the line makes no sense.
    fn line(&mut self, line: &'a str) -> Option<()> {
        if let Some(row) = line.strip_prefix(' ') {
            return if self.in_profile { self.profile_row(row) } else { self.parameter(row) };
        }
        let mut words = line.split(' ');
        match words.next()? {
            "model" => self.table.model = words.next()?.to_owned(),
            "type" => {
                let (name, facets) = line.strip_prefix("type ")?.split_once(" : ")?;
                let item = Type { name: Some(name.to_owned()), ..read_type(facets)? };
                self.types.insert(name, Arc::new(item));
            }
            "profile" => {
                self.in_profile = true;
                let (name, extends) = (words.next()?, words.next());
                let extends =
                    extends.map(|list| list.strip_prefix("extends=")).map_or(Some(""), |list| list)?;
                let extends = extends.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
                self.table.profiles.push(Profile { name: name.to_owned(), extends, objects: Vec::new() });
            }
            path => {
                self.in_profile = false;
                let object = read_object(Path::parse(path).ok()?, words)?;
                self.object = Some(object.path.clone());
                self.table.definitions.push(Definition::Object(object));
            }
        }
        Some(())
    }

    fn parameter(&mut self, row: &'a str) -> Option<()> {
        let (facts, facets) = row.split_once(" : ")?;
        let mut words = facts.split(' ');
        let path = Path::parse(&format!("{}{}", self.object.as_ref()?, words.next()?)).ok()?;
        let access = read_access(words.next()?)?;
        let item = self.item(facets)?;
        let mut parameter = Parameter {
            path,
            access,
            syntax: Syntax { item, ..Syntax::default() },
            is_forced_inform: false,
            notification: Notification::Normal,
            status: Status::Current,
        };
        words.try_for_each(|word| read_flag(&mut parameter, word))?;
        self.table.definitions.push(Definition::Parameter(parameter));
        Some(())
    }

    fn item(&mut self, facets: &'a str) -> Option<Arc<Type>> {
        if let Some(name) = facets.strip_prefix('@') {
            return self.types.get(name).cloned();
        }
        if let Some(known) = self.same.get(facets) {
            return Some(Arc::clone(known));
        }
        let item = Arc::new(read_type(facets)?);
        self.same.insert(facets, Arc::clone(&item));
        Some(item)
    }

    fn profile_row(&mut self, row: &str) -> Option<()> {
        let mut words = row.split(' ');
        let object = Path::parse(words.next()?).ok()?;
        let profile = self.table.profiles.last_mut()?;
        profile.objects.push((object, words.map(str::to_owned).collect()));
        Some(())
    }
}

fn read_object<'a>(path: Path, mut words: impl Iterator<Item = &'a str>) -> Option<Object> {
    let mut object = Object { access: read_access(words.next()?)?, ..Object::new(path) };
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("entries", bounds) => object.entries = read_bounds(bounds)?,
            ("count", name) => object.count = Some(name.to_owned()),
            ("enable", name) => object.enable = Some(name.to_owned()),
            ("key", names) => object.unique_keys.push(names.split(',').map(str::to_owned).collect()),
            (status, "") => object.status = named(&STATUSES, status)?,
            _ => return None,
        }
    }
    Some(object)
}

fn read_flag(parameter: &mut Parameter, word: &str) -> Option<()> {
    let syntax = &mut parameter.syntax;
    match word.split_once('=').unwrap_or((word, "")) {
        ("inform", _) => parameter.is_forced_inform = true,
        ("hidden", _) => syntax.is_hidden = true,
        ("command", _) => syntax.is_command = true,
        ("default", text) => syntax.default = Some(unescape(text)?),
        ("list", bounds) => {
            let (items, characters) = bounds.split_once('/')?;
            syntax.list = Some(List { items: read_bounds(items)?, characters: read_bounds(characters)? });
        }
        (word, _) => match named(&NOTIFICATIONS, word) {
            Some(notification) => parameter.notification = notification,
            None => parameter.status = named(&STATUSES, word)?,
        },
    }
    Some(())
}

fn named<T: Copy>(names: &[(&str, T)], name: &str) -> Option<T> {
    names.iter().find(|(known, _)| *known == name).map(|(_, one)| *one)
}

fn read_type(text: &str) -> Option<Type> {
    let mut words = text.split(' ');
    let mut item = Type { kind: Kind::named(words.next()?)?, ..Type::default() };
    for word in words {
        let (name, value) = word.split_once('=')?;
        match name {
            "size" => item.sizes.push(read_bounds(value)?),
            "range" => item.ranges.push(read_range(value)?),
            "pattern" => item.patterns.push(unescape(value).filter(|text| compiled(text).is_ok())?),
            "units" => item.units = Some(unescape(value)?),
            "ref" => item.reference = Some(read_reference(value)?),
            "words" => item.words = value.split('|').map(read_word).collect::<Option<_>>()?,
            _ => return None,
        }
    }
    Some(item)
}

fn read_word(text: &str) -> Option<Word> {
    let plain = text.strip_prefix('~');
    Some(Word { text: unescape(plain.unwrap_or(text))?, is_read_only: plain.is_some() })
}

fn read_reference(text: &str) -> Option<Reference> {
    let mut parts = text.split(',');
    let is_strong = match parts.next()? {
        "strong" => true,
        "weak" => false,
        _ => return None,
    };
    let target = Target::named(parts.next()?)?;
    Some(Reference { is_strong, parents: parts.map(str::to_owned).collect(), target })
}

fn read_bounds(text: &str) -> Option<(u32, Option<u32>)> {
    let (least, most) = text.split_once("..")?;
    let most = if most.is_empty() { None } else { Some(most.parse().ok()?) };
    Some((least.parse().ok()?, most))
}

fn read_range(text: &str) -> Option<Range> {
    let (bounds, step) = text.split_once('/').map_or((text, None), |(bounds, step)| (bounds, Some(step)));
    let (from, to) = bounds.split_once("..")?;
    let bound = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    Some(Range { from: bound(from)?, to: bound(to)?, step: step.map(str::parse).transpose().ok()? })
}
