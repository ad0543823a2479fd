//! What a model comes to: its base, what it takes in, and what it changes of both.
//!
//! ```text
//!   draft of the base ─▶ items in order: new, changed, taken in by component ─▶ checked ─▶ what is deleted goes ─▶ Table
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    ImportError, Library,
    check::{Finding, Rule, Said},
    item::{
        Component, FacetItems, Item, Life, ListItem, ModelItem, ObjectItem, Of, ParameterItem, ProfileItem,
        ReferenceItem, Scope, Sort, SyntaxItem, TypeItem,
    },
};
use crate::{
    Definition, Notification, Object, Parameter, Path, Profile, Status, Table,
    definition::{List, Reference, Syntax, Type, Word},
};

/// Deepest chain of components, of bases or of types: more is a circle.
const MOST_DEPTH: usize = 48;

/// Where services hang in a device. (TR-106 3.1)
const SERVICES: &str = "Device.Services.";

/// A model in the making.
pub(super) struct Draft<'a> {
    library: &'a Library,
    /// What stands before every path of a service.
    pub(super) mount: &'static str,
    pub(super) objects: BTreeMap<Path, Entry<Object>>,
    pub(super) parameters: BTreeMap<Path, Entry<Parameter>>,
    pub(super) profiles: BTreeMap<String, Profile>,
    /// What profiles say, to be held against the finished model.
    pub(super) said: Vec<(Spot, Said)>,
    pub(super) findings: Vec<Finding>,
}

/// A file and a line of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spot {
    pub(super) file: usize,
    pub(super) line: u32,
}

/// An object or a parameter, and where what counts of it was said.
pub(super) struct Entry<T> {
    pub(super) thing: T,
    pub(super) is_gone: bool,
    pub(super) at: Spot,
    pub(super) default_at: Spot,
    pub(super) reference_at: Spot,
    /// Of a parameter: somebody said what it is.
    pub(super) is_typed: bool,
}

impl Entry<Parameter> {
    fn say(&mut self, place: &Place, syntax: &SyntaxItem) {
        let reference = |item: &TypeItem| item.facets.reference.as_ref().map_or(item.line, |one| one.line);
        self.is_typed |= syntax.item.is_some();
        self.reference_at = syntax.item.as_ref().map_or(self.reference_at, |item| place.at(reference(item)));
        self.default_at = syntax.default.as_ref().map_or(self.default_at, |one| place.at(one.line));
    }
}

impl<T> Entry<T> {
    fn new(thing: T, at: Spot) -> Self {
        Self { thing, is_gone: false, at, default_at: at, reference_at: at, is_typed: false }
    }
}

/// Where an item stands: the file whose names count, and the object that it is relative to.
#[derive(Clone)]
struct Place {
    file: usize,
    path: String,
    depth: usize,
    /// The files that led here by extending a model or taking in a component, outermost first.
    users: Vec<usize>,
}

impl Place {
    fn at(&self, line: u32) -> Spot {
        Spot { file: self.file, line }
    }

    fn inside(&self, path: &str) -> Self {
        Self { path: format!("{}{path}", self.path), depth: self.depth + 1, ..self.clone() }
    }
}

impl<'a> Draft<'a> {
    pub(super) fn of(library: &'a Library, file: usize, model: &ModelItem) -> Result<Self, ImportError> {
        let mount = if model.is_service { SERVICES } else { "" };
        let mut draft = Self {
            library,
            mount,
            objects: BTreeMap::new(),
            parameters: BTreeMap::new(),
            profiles: BTreeMap::new(),
            said: Vec::new(),
            findings: Vec::new(),
        };
        draft.types(file)?;
        draft.model(file, model, &[])?;
        draft.check();
        Ok(draft)
    }

    /// What is left, each object before its parameters.
    pub(super) fn table(self, model: &str) -> Table {
        let gone = self.objects.iter().filter(|(_, object)| object.is_gone);
        let gone: Vec<Path> = gone.map(|(path, _)| path.clone()).collect();
        let is_there = |path: &Path, is_gone: bool| !is_gone && gone.iter().all(|gone| !gone.contains(path));
        let mut definitions: Vec<Definition> = Vec::new();
        for (path, object) in self.objects {
            if is_there(&path, object.is_gone) {
                definitions.push(Definition::Object(object.thing));
            }
        }
        let mut types = BTreeMap::new();
        for (path, parameter) in self.parameters {
            if is_there(&path, parameter.is_gone) {
                let mut found = parameter.thing;
                share(&mut types, &mut found.syntax.item);
                definitions.push(Definition::Parameter(found));
            }
        }
        Table { profiles: self.profiles.into_values().collect(), ..Table::of(model, definitions) }
    }

    fn wrong(&self, place: &Place, line: u32, what: impl Into<String>) -> ImportError {
        let file = self.library.file(place.file).map(|file| file.path.clone()).unwrap_or_default();
        ImportError::at(&file, line, what)
    }

    /// Every type of the file comes to something, used or not.
    fn types(&self, file: usize) -> Result<(), ImportError> {
        let place = Place { file, path: self.mount.to_owned(), depth: 0, users: Vec::new() };
        let types = self.library.file(file).into_iter().flat_map(|file| &file.document.types);
        types.into_iter().try_for_each(|(name, named)| self.named(&place, name, named.line).map(drop))
    }

    /// `users` are the files and models that extend it, outermost first.
    fn model(&mut self, file: usize, model: &ModelItem, users: &[(usize, &str)]) -> Result<(), ImportError> {
        let files = users.iter().map(|(file, _)| *file).collect();
        let place = Place { file, path: self.mount.to_owned(), depth: 0, users: files };
        let chain = [users, &[(file, model.name.as_str())]].concat();
        if let Some(base) = &model.base {
            let wrong = |what: String| self.wrong(&place, model.line, what);
            let found = self.library.base(file, base);
            let (base_file, found) =
                found.ok_or_else(|| wrong(format!("there is no model {base} to extend")))?;
            if chain.contains(&(base_file, found.name.as_str())) {
                let names = chain.iter().map(|(_, name)| *name).chain([found.name.as_str()]);
                let way = names.collect::<Vec<_>>().join(", ");
                return Err(wrong(format!("the model {base} leads back to itself: {way}")));
            }
            self.model(base_file, found, &chain)?;
        }
        self.items(&place, &model.items)
    }

    fn items(&mut self, place: &Place, items: &[Item]) -> Result<(), ImportError> {
        for item in items {
            match item {
                Item::Component { name, path, line } => self.component(place, name, path, *line)?,
                Item::Object(object) => self.object(place, object)?,
                Item::Parameter(parameter) => self.parameter(place, parameter)?,
                Item::Profile(profile) => self.profile(place, profile)?,
            }
        }
        Ok(())
    }

    fn component(&mut self, place: &Place, name: &str, path: &str, line: u32) -> Result<(), ImportError> {
        if place.depth > MOST_DEPTH {
            return Err(self.wrong(place, line, format!("the component {name} contains itself")));
        }
        let found = self.resolve(place, name, Sort::Component);
        let found = found.and_then(|(file, name)| self.component_of(file, name));
        let (file, component) =
            found.ok_or_else(|| self.wrong(place, line, format!("there is no component {name}")))?;
        let (file, component) =
            self.real(place, name).filter(|_| component.is_virtual).unwrap_or((file, component));
        let mut inside = Place { file, ..place.inside(path) };
        inside.users.push(place.file);
        self.items(&inside, &component.items)
    }

    fn component_of(&self, file: usize, name: &str) -> Option<(usize, &'a Component)> {
        Some((file, self.library.file(file)?.document.components.get(name)?))
    }

    /// What stands for a virtual component: that of the outermost user that has one of its own by this name.
    fn real(&self, place: &Place, name: &str) -> Option<(usize, &'a Component)> {
        let mut known =
            place.users.iter().filter_map(|file| self.library.resolve(*file, Sort::Component, name));
        known.find_map(|(file, name)| self.component_of(file, name).filter(|(_, found)| !found.is_virtual))
    }

    /// What a name means in a file, or else in the files that took its component in, or else in those that it imports:
    /// the Forum's own files name types that they forgot to import.
    fn resolve(&self, place: &Place, name: &str, sort: Sort) -> Option<(usize, &'a str)> {
        let library = self.library;
        let users = place.users.iter().rev();
        let known = [place.file].iter().chain(users).find_map(|file| library.resolve(*file, sort, name));
        known.or_else(|| library.among_imports(place.file, sort, name))
    }

    fn path(&self, place: &Place, name: &str, line: u32) -> Result<Path, ImportError> {
        let text = format!("{}{name}", place.path);
        Path::parse(&text).map_err(|error| self.wrong(place, line, format!("{text}: {error}")))
    }

    fn object(&mut self, place: &Place, item: &ObjectItem) -> Result<(), ImportError> {
        let path = self.path(place, &item.name, item.line)?;
        if item.is_base && !self.objects.contains_key(&path) {
            return Err(self.wrong(place, item.line, format!("there is no object {path} to change")));
        }
        let at = place.at(item.line);
        if !item.is_base && self.objects.get(&path).is_some_and(|known| !known.is_gone) {
            self.find(at, Rule::Twice, format!("{path} is there already: base in place of name changes it"));
        }
        let entry = self.objects.entry(path.clone()).or_insert_with(|| Entry::new(Object::new(path), at));
        let object = &mut entry.thing;
        object.access = item.access.unwrap_or(object.access);
        object.entries.0 = item.least.unwrap_or(object.entries.0);
        object.entries.1 = item.most.unwrap_or(object.entries.1);
        object.count = item.count.clone().or_else(|| object.count.take());
        object.enable = item.enable.clone().or_else(|| object.enable.take());
        for key in item.unique_keys.iter().filter(|key| !key.is_empty()) {
            if !object.unique_keys.contains(key) {
                object.unique_keys.push(key.clone());
            }
        }
        live(&mut object.status, &mut entry.is_gone, item.status);
        self.items(&place.inside(&item.name), &item.items)
    }

    fn parameter(&mut self, place: &Place, item: &ParameterItem) -> Result<(), ImportError> {
        let path = self.path(place, &item.name, item.line)?;
        let at = place.at(item.line);
        let old = self.parameters.remove(&path);
        if item.is_base && old.is_none() {
            return Err(self.wrong(place, item.line, format!("there is no parameter {path} to change")));
        }
        if !item.is_base && old.as_ref().is_some_and(|known| !known.is_gone) {
            self.find(at, Rule::Twice, format!("{path} is there already: base in place of name changes it"));
        }
        let mut entry = old.unwrap_or_else(|| Entry::new(fresh(path.clone()), at));
        let parameter = &mut entry.thing;
        parameter.access = item.access.unwrap_or(parameter.access);
        parameter.notification = item.notification.unwrap_or(parameter.notification);
        parameter.is_forced_inform = item.is_forced_inform.unwrap_or(parameter.is_forced_inform);
        live(&mut parameter.status, &mut entry.is_gone, item.status);
        if let Some(syntax) = &item.syntax {
            self.refine(place, &mut parameter.syntax, syntax)?;
            entry.say(place, syntax);
        }
        self.parameters.insert(path, entry);
        Ok(())
    }

    fn refine(&self, place: &Place, syntax: &mut Syntax, change: &SyntaxItem) -> Result<(), ImportError> {
        if let Some(item) = &change.item {
            let (item, list) = self.item(place, &syntax.item, item)?;
            syntax.item = Arc::new(item);
            syntax.list = list.or_else(|| syntax.list.take());
        }
        if let Some(list) = &change.list {
            syntax.list = Some(merged(syntax.list.take(), list));
        }
        if let Some(default) = &change.default {
            syntax.default.clone_from(&default.value);
        }
        syntax.is_hidden = change.is_hidden.unwrap_or(syntax.is_hidden);
        syntax.is_command = change.is_command.unwrap_or(syntax.is_command);
        Ok(())
    }

    /// The type that an element says, on top of what was there.
    fn item(&self, place: &Place, old: &Type, item: &TypeItem) -> Result<(Type, Option<List>), ImportError> {
        let (mut found, list) = match &item.of {
            Of::Kind(kind) if *kind == old.kind => (old.clone(), None),
            Of::Kind(kind) => (Type { kind: *kind, ..Type::default() }, None),
            Of::Named(name) if old.name.as_ref() == Some(name) => (old.clone(), None),
            Of::Named(name) => self.named(place, name, item.line)?,
            Of::Base => (old.clone(), None),
        };
        let is_same = refine(&mut found, &item.facets);
        if let Some(reference) = &item.facets.reference {
            found.reference = Some(self.reference(place, reference));
        }
        if !is_same || matches!(item.of, Of::Kind(_)) {
            found.name = None;
        }
        Ok((found, list))
    }

    fn named(&self, place: &Place, name: &str, line: u32) -> Result<(Type, Option<List>), ImportError> {
        let library = self.library;
        let found = self.resolve(place, name, Sort::Type);
        let found =
            found.and_then(|(file, name)| Some((file, library.file(file)?.document.types.get(name)?)));
        let wrong = |what: String| self.wrong(place, line, what);
        let (file, named) = found.ok_or_else(|| wrong(format!("there is no data type {name}")))?;
        if place.depth > MOST_DEPTH {
            return Err(wrong(format!("the data type {name} leads back to itself")));
        }
        let there = Place { file, depth: place.depth + 1, ..place.clone() };
        let (base, list) = match &named.base {
            Some(base) => self.named(&there, base, named.line)?,
            None => (Type::default(), None),
        };
        let (mut item, own) = match &named.syntax.item {
            Some(item) => self.item(&there, &base, item)?,
            None => (base, None),
        };
        item.name = Some(name.to_owned());
        let list = own.or(list);
        let list = named.syntax.list.as_ref().map(|own| merged(list.clone(), own)).or(list);
        Ok((item, list))
    }

    fn reference(&self, place: &Place, item: &ReferenceItem) -> Reference {
        let parents = item.parents.iter().map(|parent| self.absolute(place, parent, item.scope)).collect();
        Reference { is_strong: item.is_strong, parents, target: item.target }
    }

    /// A relative place of a reference, from the root. (TR-106 A.2.3.4)
    fn absolute(&self, place: &Place, parent: &str, scope: Scope) -> String {
        let root = if self.mount.is_empty() {
            place.path.split_inclusive('.').next().unwrap_or_default()
        } else {
            self.mount
        };
        let tail = parent.trim_start_matches(['#', '.']);
        let hashes = parent.bytes().filter(|byte| *byte == b'#').count();
        if hashes > 0 {
            return format!("{}{tail}", above(&place.path, hashes));
        }
        match scope {
            Scope::Normal
                if parent.starts_with("Device.") || parent.starts_with("InternetGatewayDevice.") =>
            {
                parent.to_owned()
            }
            Scope::Model => format!("{root}{tail}"),
            Scope::Normal if parent.starts_with('.') => format!("{root}{tail}"),
            Scope::Normal | Scope::Object => format!("{}{tail}", place.path),
        }
    }

    fn profile(&mut self, place: &Place, item: &ProfileItem) -> Result<(), ImportError> {
        if item.status == Some(Life::Deleted) {
            self.profiles.remove(&item.name);
            return Ok(());
        }
        let mut objects = Vec::new();
        for asked in &item.objects {
            let path = self.path(place, &asked.name, asked.line)?;
            self.said.push((place.at(asked.line), Said::Object(path.clone())));
            for (name, line) in &asked.parameters {
                let parameter = self.path(place, &format!("{}{name}", asked.name), *line)?;
                self.said.push((place.at(*line), Said::Parameter(parameter)));
            }
            let names = asked.parameters.iter().map(|(name, _)| name.clone());
            objects.push((path, names.collect::<Vec<_>>()));
        }
        let at = place.at(item.line);
        if item.extends.contains(&item.name) {
            self.find(at, Rule::Circle, format!("the profile {} extends itself", item.name));
        }
        let fresh = || Profile { name: item.name.clone(), extends: Vec::new(), objects: Vec::new() };
        let profile = self.profiles.entry(item.name.clone()).or_insert_with(fresh);
        let extends = item.base.iter().chain(&item.extends).filter(|base| **base != item.name);
        for base in extends {
            self.said.push((at, Said::Profile(item.name.clone(), base.clone())));
            if !profile.extends.contains(base) {
                profile.extends.push(base.clone());
            }
        }
        for (path, parameters) in objects {
            match profile.objects.iter_mut().find(|(known, _)| *known == path) {
                Some((_, known)) => known.extend(parameters),
                None => profile.objects.push((path, parameters)),
            }
        }
        // The Forum's own files name some parameters twice.
        for (_, parameters) in &mut profile.objects {
            let mut seen = BTreeSet::new();
            parameters.retain(|name| seen.insert(name.clone()));
        }
        profile.objects.sort();
        Ok(())
    }
}

/// A parameter of which nothing was said yet.
fn fresh(path: Path) -> Parameter {
    Parameter {
        path,
        access: crate::Access::ReadOnly,
        syntax: Syntax::default(),
        is_forced_inform: false,
        notification: Notification::Normal,
        status: Status::Current,
    }
}

/// Upwards by so many objects; a row and its table are one.
fn above(path: &str, steps: usize) -> String {
    let mut rest = path;
    for _ in 0..steps {
        rest = rest.trim_end_matches("{i}.");
        rest = rest.strip_suffix('.').unwrap_or(rest);
        rest = rest.get(..rest.rfind('.').map_or(0, |dot| dot + 1)).unwrap_or_default();
    }
    rest.to_owned()
}

fn live(status: &mut Status, is_gone: &mut bool, life: Option<Life>) {
    match life {
        Some(Life::Deleted) => *is_gone = true,
        Some(Life::Status(new)) => *status = new,
        None => {}
    }
}

fn merged(old: Option<List>, item: &ListItem) -> List {
    let old = old.unwrap_or_default();
    let items = if item.items == (0, None) { old.items } else { item.items };
    List { items, characters: item.size.unwrap_or(old.characters) }
}

/// Puts facets on a type; false when they change it.
fn refine(item: &mut Type, facets: &FacetItems) -> bool {
    let before = item.clone();
    if !facets.sizes.is_empty() {
        item.sizes.clone_from(&facets.sizes);
    }
    if !facets.ranges.is_empty() {
        item.ranges.clone_from(&facets.ranges);
    }
    if !facets.patterns.is_empty() {
        item.patterns.clone_from(&facets.patterns);
    }
    if facets.units.is_some() {
        item.units.clone_from(&facets.units);
    }
    refine_words(&mut item.words, &facets.words);
    *item == before
}

/// A change that names every word tells their order too; any other one adds behind.
fn refine_words(words: &mut Vec<Word>, changes: &[(Word, bool)]) {
    let is_named = |word: &Word| changes.iter().any(|(change, _)| change.text == word.text);
    if words.iter().all(is_named) {
        words.clear();
    }
    for (word, is_gone) in changes {
        match words.iter().position(|known| known.text == word.text) {
            Some(at) if *is_gone => drop(words.remove(at)),
            Some(at) => words.splice(at..=at, [word.clone()]).for_each(drop),
            None if *is_gone => {}
            None => words.push(word.clone()),
        }
    }
}

/// One value for all parameters of a type; a second type of the same name loses it.
fn share(types: &mut BTreeMap<String, Arc<Type>>, item: &mut Arc<Type>) {
    let Some(name) = &item.name else { return };
    let known = types.entry(name.clone()).or_insert_with(|| Arc::clone(item));
    if **known == **item {
        *item = Arc::clone(known);
    } else {
        *item = Arc::new(Type { name: None, ..(**item).clone() });
    }
}
