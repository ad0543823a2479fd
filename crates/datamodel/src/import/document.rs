//! Reads one file into items. (TR-106 A.2, cwmp-datamodel-1-x.xsd)

use std::{collections::BTreeSet, path::Path as FilePath};

use roxmltree::{Node, ParsingOptions};

use super::{
    ImportError,
    item::{
        AskedObject, Component, Document, Import, Imported, Item, Life, ModelItem, ObjectItem, ParameterItem,
        ProfileItem, Sort,
    },
};
use crate::{Access, Notification, Status};

/// Deepest element that is looked at: the schema has ten levels.
const MOST_DEPTH: u32 = 32;

/// Most nodes of a file: the largest of the Forum has a tenth of it.
const MOST_NODES: u32 = 5_000_000;

/// How the Forum's own specifications begin.
const FORUM: &str = "urn:broadband-forum-org:";

/// Reads a file's text.
pub(super) fn read(file: &FilePath, text: &str) -> Result<Document, ImportError> {
    // Some of the Forum's files define entities; the parser bounds what these may grow to.
    let options = ParsingOptions { allow_dtd: true, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let tree = roxmltree::Document::parse_with_options(text, options)
        .map_err(|error| malformed(file, text, &error))?;
    let lines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
    let reader = Reader { file, lines };
    let root = tree.root_element();
    let is_model = root.tag_name().namespace().is_some_and(|name| name.contains("cwmp:datamodel-"));
    if root.tag_name().name() != "document" || !is_model {
        let what = "a data model document of the Broadband Forum (dm:document) is right";
        return Err(reader.wrong(root, what));
    }
    reader.document(root)
}

/// Where the text ends too early, the parser knows no place: it is the last line.
fn malformed(file: &FilePath, text: &str, error: &roxmltree::Error) -> ImportError {
    use roxmltree::Error::{NoRootNode, UnclosedRootNode, UnexpectedEndOfStream};
    let is_cut = matches!(error, NoRootNode | UnclosedRootNode | UnexpectedEndOfStream);
    if !is_cut {
        return ImportError::at(file, error.pos().row, format!("this is no well-formed XML: {error}"));
    }
    let last = u32::try_from(text.lines().count().max(1)).unwrap_or(u32::MAX);
    ImportError::at(file, last, "the file ends too early: what was opened is closed where it is right")
}

pub(super) struct Reader<'a> {
    file: &'a FilePath,
    /// Where each line ends.
    lines: Vec<usize>,
}

impl<'a> Reader<'a> {
    pub(super) fn line(&self, node: Node<'_, '_>) -> u32 {
        let before = self.lines.partition_point(|end| *end < node.range().start);
        u32::try_from(before).map_or(u32::MAX, |before| before.saturating_add(1))
    }

    pub(super) fn wrong(&self, node: Node<'_, '_>, what: impl Into<String>) -> ImportError {
        ImportError::at(self.file, self.line(node), what)
    }

    fn need(&self, node: Node<'a, '_>, name: &str) -> Result<String, ImportError> {
        let missing = || self.wrong(node, format!("<{}> without {name}", node.tag_name().name()));
        node.attribute(name).map(squeeze).ok_or_else(missing)
    }

    fn document(&self, root: Node<'a, '_>) -> Result<Document, ImportError> {
        let is_forums = text(root, "spec").is_some_and(|spec| spec.starts_with(FORUM));
        let mut document = Document { is_forums, ..Document::default() };
        let mut seen = BTreeSet::new();
        for node in elements(root) {
            let sort = node.tag_name().name();
            if matches!(sort, "dataType" | "component" | "model") && !seen.insert((sort, text(node, "name")))
            {
                let name = self.need(node, "name")?;
                return Err(self.wrong(node, format!("a second {sort} of the name {name}: one is right")));
            }
            match sort {
                "import" => document.imports.push(self.import(node)?),
                "dataType" => {
                    document.types.insert(self.need(node, "name")?, self.named_type(node)?);
                }
                "component" => {
                    let is_virtual = text(node, "virtual").is_some_and(|text| is_true(&text));
                    let component = Component { is_virtual, items: self.items(node, 0)? };
                    document.components.insert(self.need(node, "name")?, component);
                }
                "model" => document.models.push(self.model(node)?),
                _ => {}
            }
        }
        Ok(document)
    }

    fn import(&self, node: Node<'a, '_>) -> Result<Import, ImportError> {
        let mut names = Vec::new();
        for child in elements(node) {
            let sort = match child.tag_name().name() {
                "dataType" => Sort::Type,
                "component" => Sort::Component,
                "model" => Sort::Model,
                _ => continue,
            };
            let name = self.need(child, "name")?;
            let target = text(child, "ref").unwrap_or_else(|| name.clone());
            names.push(Imported { sort, name, target, line: self.line(child) });
        }
        let file = self.need(node, "file")?;
        Ok(Import { file, spec: text(node, "spec"), line: self.line(node), names })
    }

    fn model(&self, node: Node<'a, '_>) -> Result<ModelItem, ImportError> {
        Ok(ModelItem {
            name: self.need(node, "name")?,
            base: text(node, "base"),
            is_service: text(node, "isService").is_some_and(|text| is_true(&text)),
            items: self.items(node, 0)?,
            line: self.line(node),
        })
    }

    fn items(&self, node: Node<'a, '_>, depth: u32) -> Result<Vec<Item>, ImportError> {
        if depth > MOST_DEPTH {
            return Err(self.wrong(node, format!("objects nested deeper than {MOST_DEPTH}")));
        }
        let mut items = Vec::new();
        for child in elements(node) {
            match child.tag_name().name() {
                "component" => items.push(Item::Component {
                    name: self.need(child, "ref")?,
                    path: text(child, "path").unwrap_or_default(),
                    line: self.line(child),
                }),
                "object" => items.push(Item::Object(self.object(child, depth)?)),
                "parameter" => items.push(Item::Parameter(self.parameter(child)?)),
                "profile" => items.push(Item::Profile(self.profile(child)?)),
                _ => {}
            }
        }
        Ok(items)
    }

    /// Its name, and whether that is of a thing which exists already.
    fn name(&self, node: Node<'a, '_>) -> Result<(String, bool), ImportError> {
        match (text(node, "name"), text(node, "base")) {
            (_, Some(base)) => Ok((base, true)),
            (Some(name), None) => Ok((name, false)),
            (None, None) => Err(self.wrong(node, "neither name nor base: one of them is right")),
        }
    }

    fn object(&self, node: Node<'a, '_>, depth: u32) -> Result<ObjectItem, ImportError> {
        let (name, is_base) = self.name(node)?;
        let keys = elements(node).filter(|child| child.tag_name().name() == "uniqueKey");
        let unique_keys = keys.map(|key| {
            elements(key)
                .filter(|child| child.tag_name().name() == "parameter")
                .filter_map(|child| text(child, "ref"))
                .collect()
        });
        let least = self.number(node, "minEntries")?;
        let most = text(node, "maxEntries").map(|text| self.most(node, &text)).transpose()?;
        self.ordered(node, (least.unwrap_or_default(), most.flatten()))?;
        Ok(ObjectItem {
            name,
            is_base,
            access: text(node, "access").map(|text| self.access(node, &text)).transpose()?,
            least,
            most,
            count: text(node, "numEntriesParameter"),
            enable: text(node, "enableParameter"),
            status: self.life(node)?,
            unique_keys: unique_keys.collect(),
            items: self.items(node, depth + 1)?,
            line: self.line(node),
        })
    }

    fn parameter(&self, node: Node<'a, '_>) -> Result<ParameterItem, ImportError> {
        let (name, is_base) = self.name(node)?;
        let notification = text(node, "activeNotify").map(|text| match text.as_str() {
            "forceEnabled" => Ok(Notification::AlwaysActive),
            "forceDefaultEnabled" => Ok(Notification::DefaultActive),
            "canDeny" => Ok(Notification::CanDeny),
            "normal" => Ok(Notification::Normal),
            other => Err(self.wrong(
                node,
                format!(
                    "activeNotify {other}: normal, canDeny, forceDefaultEnabled or forceEnabled is right"
                ),
            )),
        });
        let syntax = elements(node).find(|child| child.tag_name().name() == "syntax");
        Ok(ParameterItem {
            name,
            is_base,
            access: text(node, "access").map(|text| self.access(node, &text)).transpose()?,
            status: self.life(node)?,
            notification: notification.transpose()?,
            is_forced_inform: text(node, "forcedInform").map(|text| is_true(&text)),
            syntax: syntax.map(|syntax| self.syntax(syntax)).transpose()?,
            line: self.line(node),
        })
    }

    fn profile(&self, node: Node<'a, '_>) -> Result<ProfileItem, ImportError> {
        let (name, base) = match (text(node, "name"), text(node, "base")) {
            (Some(name), base) => (name, base),
            (None, Some(base)) => (base.clone(), Some(base)),
            (None, None) => return Err(self.wrong(node, "<profile> without name")),
        };
        let extends = text(node, "extends").unwrap_or_default();
        let mut objects = Vec::new();
        for child in elements(node) {
            let line = self.line(child);
            let name = self.need(child, "ref");
            match child.tag_name().name() {
                "object" => {
                    let parameters = elements(child).filter(|child| child.tag_name().name() == "parameter");
                    let asked = parameters.filter_map(|child| Some((text(child, "ref")?, self.line(child))));
                    objects.push(AskedObject { name: name?, line, parameters: asked.collect() });
                }
                "parameter" => {
                    objects.push(AskedObject { name: String::new(), line, parameters: vec![(name?, line)] });
                }
                _ => {}
            }
        }
        let extends = extends.split_whitespace().map(str::to_owned).collect();
        Ok(ProfileItem { name, base, extends, status: self.life(node)?, objects, line: self.line(node) })
    }

    fn access(&self, node: Node<'_, '_>, text: &str) -> Result<Access, ImportError> {
        match text {
            "readOnly" => Ok(Access::ReadOnly),
            // What can be made and not deleted, or written once, is writable all the same.
            "readWrite" | "writeOnce" | "writeOnceReadOnly" | "createOnly" | "deleteOnly"
            | "createDelete" | "create" | "delete" => Ok(Access::ReadWrite),
            other => Err(self.wrong(node, format!("access {other}: readOnly or readWrite is right"))),
        }
    }

    pub(super) fn life(&self, node: Node<'_, '_>) -> Result<Option<Life>, ImportError> {
        match text(node, "status").as_deref() {
            None => Ok(None),
            Some("current") => Ok(Some(Life::Status(Status::Current))),
            Some("deprecated") => Ok(Some(Life::Status(Status::Deprecated))),
            Some("obsoleted") => Ok(Some(Life::Status(Status::Obsoleted))),
            Some("deleted") => Ok(Some(Life::Deleted)),
            Some(other) => Err(self
                .wrong(node, format!("status {other}: current, deprecated, obsoleted or deleted is right"))),
        }
    }

    pub(super) fn most(&self, node: Node<'_, '_>, text: &str) -> Result<Option<u32>, ImportError> {
        if text == "unbounded" {
            return Ok(None);
        }
        text.parse()
            .map(Some)
            .map_err(|_| self.wrong(node, format!("{text:?} is no number and not \"unbounded\"")))
    }

    pub(super) fn number(&self, node: Node<'_, '_>, name: &str) -> Result<Option<u32>, ImportError> {
        let wrong = |text: &str| self.wrong(node, format!("{name} {text:?} is no number"));
        text(node, name).map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
    }
}

pub(super) fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

pub(super) fn text(node: Node<'_, '_>, name: &str) -> Option<String> {
    node.attribute(name).map(squeeze)
}

/// Names are broken over lines in some files.
fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn is_true(text: &str) -> bool {
    text == "true" || text == "1"
}
