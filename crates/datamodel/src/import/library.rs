//! The files of a model, found by the names under which they import each other. (TR-106 A.2.1)
//!
//! A file is named by issue, amendment and corrigendum, and may be imported without the last of these numbers: then the
//! newest of those that the import's specification fits is meant. What is imported lies beside the importing file, or
//! among the files that were named first.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs,
    path::{Path as FilePath, PathBuf},
};

use super::{
    ImportError,
    check::Finding,
    document,
    draft::Draft,
    item::{Document, Import, ModelItem, Sort},
};
use crate::Table;

/// Deepest chain of imports: each amendment of a model imports the one before.
const MOST_IMPORTS: usize = 64;

/// What the named files define.
#[derive(Debug, Default)]
pub struct Models {
    /// A table for each model.
    pub tables: Vec<Table>,
    /// What published files break and are read nevertheless, each with file, line and the reason.
    pub warnings: Vec<String>,
}

/// Files that were read, with all that they import.
#[derive(Debug, Default)]
pub struct Library {
    files: Vec<File>,
    known: HashMap<PathBuf, usize>,
    /// Named by the caller: their models are wanted.
    wanted: Vec<usize>,
}

/// One file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) document: Document,
    /// The files of its imports, in their order.
    imports: Vec<usize>,
}

impl Library {
    /// Reads the files and everything that they import.
    ///
    /// # Errors
    /// The first file or line that is wrong: unreadable, malformed, importing what is missing or in a circle.
    pub fn open(files: &[PathBuf]) -> Result<Self, ImportError> {
        let mut library = Self::default();
        for file in files {
            let at = library.load(file, files, &mut Vec::new())?;
            library.wanted.push(at);
        }
        Ok(library)
    }

    /// The tables of all models that the named files define.
    ///
    /// # Errors
    /// The first line that makes no sense.
    pub fn tables(&self) -> Result<Models, ImportError> {
        let mut models = Models::default();
        for at in &self.wanted {
            let Some(file) = self.files.get(*at) else { continue };
            let public = file.document.models.iter().filter(|model| !model.name.starts_with('_'));
            for model in public {
                let mut draft = Draft::of(self, *at, model)?;
                for finding in std::mem::take(&mut draft.findings) {
                    models.warnings.push(self.warning(&finding)?);
                }
                models.tables.push(draft.table(&model.name));
            }
        }
        Ok(models)
    }

    /// What a published file breaks is only told; in any other file it is an error.
    fn warning(&self, finding: &Finding) -> Result<String, ImportError> {
        let file = self.files.get(finding.at.file);
        let path = file.map(|file| file.path.as_path()).unwrap_or_else(|| FilePath::new(""));
        let error = ImportError::at(path, finding.at.line, &finding.what);
        match finding.rule.reason().filter(|_| file.is_some_and(|file| file.document.is_forums)) {
            Some(reason) => Ok(format!("{error} ({reason})")),
            None => Err(error),
        }
    }

    fn load(
        &mut self,
        path: &FilePath,
        named: &[PathBuf],
        chain: &mut Vec<PathBuf>,
    ) -> Result<usize, ImportError> {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(at) = self.known.get(&real) {
            return Ok(*at);
        }
        let document = document::read(path, &text(path)?)?;
        chain.push(real.clone());
        let mut imports = Vec::with_capacity(document.imports.len());
        for import in &document.imports {
            let wrong = |what: String| ImportError::at(path, import.line, what);
            let found = find(path, import, named)
                .ok_or_else(|| wrong(format!("the imported file {} is not there", import.file)))?;
            let is_above = found.canonicalize().is_ok_and(|found| chain.contains(&found));
            if is_above || chain.len() > MOST_IMPORTS {
                return Err(wrong(format!("the import of {} leads back to where it began", import.file)));
            }
            let at = self.load(&found, named, chain)?;
            for name in &import.names {
                if self.resolve(at, name.sort, &name.target).is_none() {
                    let what = format!("{} has no {} {}", found.display(), name.sort, name.target);
                    return Err(ImportError::at(path, name.line, what));
                }
            }
            imports.push(at);
        }
        chain.pop();
        self.files.push(File { path: path.to_owned(), document, imports });
        self.known.insert(real, self.files.len() - 1);
        Ok(self.files.len() - 1)
    }

    pub(super) fn file(&self, at: usize) -> Option<&File> {
        self.files.get(at)
    }

    /// Follows a name through imports to the file that defines it, and to its name there.
    pub(super) fn resolve(&self, at: usize, sort: Sort, name: &str) -> Option<(usize, &str)> {
        let mut place = (at, name.to_owned());
        for _ in 0..MOST_IMPORTS {
            let file = self.files.get(place.0)?;
            if let Some(here) = file.defined(sort, &place.1) {
                return Some((place.0, here));
            }
            let (import, target) = file.imported(sort, &place.1)?;
            place = (import, target.to_owned());
        }
        None
    }

    /// A name that one of the imported files defines, although the import does not say so.
    pub(super) fn among_imports(&self, at: usize, sort: Sort, name: &str) -> Option<(usize, &str)> {
        let imports = &self.files.get(at)?.imports;
        imports.iter().find_map(|import| Some((*import, self.files.get(*import)?.defined(sort, name)?)))
    }

    /// The model that another one extends: its own name may be the imported one's too.
    pub(super) fn base(&self, at: usize, base: &str) -> Option<(usize, &ModelItem)> {
        let file = self.files.get(at)?;
        let (at, name) = match file.imported(Sort::Model, base) {
            Some((import, target)) => self.resolve(import, Sort::Model, target)?,
            None => self.resolve(at, Sort::Model, base)?,
        };
        let found = self.files.get(at)?.document.models.iter().find(|found| found.name == name)?;
        Some((at, found))
    }
}

impl File {
    fn defined(&self, sort: Sort, name: &str) -> Option<&str> {
        let key = match sort {
            Sort::Type => self.document.types.get_key_value(name)?.0,
            Sort::Component => self.document.components.get_key_value(name)?.0,
            Sort::Model => return self.model(name),
        };
        Some(key)
    }

    /// A model's name without its last number means the newest with one.
    fn model(&self, name: &str) -> Option<&str> {
        let mut names = self.document.models.iter().map(|model| model.name.as_str());
        let exact = names.clone().find(|found| *found == name);
        let corrected = |found: &str| found.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        exact.or_else(|| names.rfind(|found| corrected(found)))
    }

    fn imported(&self, sort: Sort, name: &str) -> Option<(usize, &str)> {
        self.document.imports.iter().zip(&self.imports).find_map(|(import, at)| {
            let known = import.names.iter().find(|known| known.sort == sort && known.name == name)?;
            Some((*at, known.target.as_str()))
        })
    }
}

/// A file's text; what is no UTF-8 has a line too.
fn text(path: &FilePath) -> Result<String, ImportError> {
    let bytes = fs::read(path).map_err(|source| ImportError::Read { file: path.to_owned(), source })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        let what = "an octet that is no UTF-8: a file in UTF-8 is right";
        ImportError::at(path, u32::try_from(line).unwrap_or(u32::MAX), what)
    })
}

/// The file that an import means.
fn find(from: &FilePath, import: &Import, named: &[PathBuf]) -> Option<PathBuf> {
    let wanted = FilePath::new(&import.file).file_name()?;
    if let Some(file) = named.iter().find(|file| file.file_name() == Some(wanted)) {
        return Some(file.clone());
    }
    let folder =
        from.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| FilePath::new("."));
    let beside = folder.join(wanted);
    if beside.is_file() {
        return Some(beside);
    }
    let wanted = Numbered::of(wanted)?;
    let there = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let newer = there.chain(named.iter().cloned()).filter_map(|path| {
        let found = Numbered::of(path.file_name()?)?;
        wanted.means(&found).then_some((found.numbers, path))
    });
    let spec = import.spec.as_deref().and_then(Numbered::of_spec);
    let fits = |numbers: &[u32]| spec.as_ref().is_some_and(|spec| numbers.starts_with(&spec.numbers));
    let newest = newer.max_by_key(|(numbers, _)| (fits(numbers), numbers.clone()))?;
    Some(newest.1)
}

/// A name such as `tr-181-2-17-0-ip.xml`, taken apart.
struct Numbered {
    numbers: Vec<u32>,
    label: String,
}

impl Numbered {
    fn of(name: &OsStr) -> Option<Self> {
        Self::of_spec(name.to_str()?.strip_suffix(".xml")?)
    }

    /// The same of a specification's URN: its last part is named like a file.
    fn of_spec(spec: &str) -> Option<Self> {
        let name = spec.rsplit(':').next()?.strip_prefix("tr-")?;
        let mut numbers = Vec::new();
        let mut rest = name;
        while !rest.is_empty() {
            let (part, after) = rest.split_once('-').unwrap_or((rest, ""));
            let Ok(number) = part.parse() else { break };
            numbers.push(number);
            rest = after;
        }
        Some(Self { numbers, label: rest.to_owned() })
    }

    fn means(&self, found: &Self) -> bool {
        self.label == found.label && found.numbers.starts_with(&self.numbers)
    }
}
