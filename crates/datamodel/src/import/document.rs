//! Reads one file into items. (TR-106 A.2, cwmp-datamodel-1-x.xsd)

use std::path::Path as FilePath;

use roxmltree::{Node, ParsingOptions};

use super::{
    ImportError,
    item::{
        Component, Document, FacetItems, Import, Imported, Item, Life, ListItem, ModelItem, NamedType,
        ObjectItem, Of, ParameterItem, ProfileItem, ReferenceItem, Scope, Sort, SyntaxItem, TypeItem,
    },
};
use crate::{
    Access, Kind, Notification, Status,
    definition::{Range, Target, Word},
};

/// Deepest element that is looked at: the schema has ten levels.
const MOST_DEPTH: u32 = 32;

/// Most nodes of a file: the largest of the Forum has a tenth of it.
const MOST_NODES: u32 = 5_000_000;

/// Reads a file's text.
pub(super) fn read(file: &FilePath, text: &str) -> Result<Document, ImportError> {
    // Some of the Forum's files define entities; the parser bounds what these may grow to.
    let options = ParsingOptions { allow_dtd: true, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let tree = roxmltree::Document::parse_with_options(text, options).map_err(|error| {
        ImportError::at(file, error.pos().row, format!("this is no well-formed XML: {error}"))
    })?;
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

struct Reader<'a> {
    file: &'a FilePath,
    /// Where each line ends.
    lines: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn line(&self, node: Node<'_, '_>) -> u32 {
        let before = self.lines.partition_point(|end| *end < node.range().start);
        u32::try_from(before).map_or(u32::MAX, |before| before.saturating_add(1))
    }

    fn wrong(&self, node: Node<'_, '_>, what: impl Into<String>) -> ImportError {
        ImportError::at(self.file, self.line(node), what)
    }

    fn need(&self, node: Node<'a, '_>, name: &str) -> Result<String, ImportError> {
        let missing = || self.wrong(node, format!("<{}> without {name}", node.tag_name().name()));
        node.attribute(name).map(squeeze).ok_or_else(missing)
    }

    fn document(&self, root: Node<'a, '_>) -> Result<Document, ImportError> {
        let mut document = Document::default();
        for node in elements(root) {
            match node.tag_name().name() {
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
            names.push(Imported { sort, name, target });
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
        let most = text(node, "maxEntries").map(|text| self.most(node, &text)).transpose()?;
        Ok(ObjectItem {
            name,
            is_base,
            access: text(node, "access").map(|text| self.access(node, &text)).transpose()?,
            least: self.number(node, "minEntries")?,
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

    fn named_type(&self, node: Node<'a, '_>) -> Result<NamedType, ImportError> {
        let base = text(node, "base");
        let mut syntax = self.syntax(node)?;
        if base.is_some() {
            let facets = self.facets(node)?;
            syntax.item = Some(TypeItem { of: Of::Base, facets, line: self.line(node) });
        }
        Ok(NamedType { base, syntax, line: self.line(node) })
    }

    fn syntax(&self, node: Node<'a, '_>) -> Result<SyntaxItem, ImportError> {
        let flag = |name: &str| text(node, name).map(|text| is_true(&text));
        let mut syntax =
            SyntaxItem { is_hidden: flag("hidden"), is_command: flag("command"), ..SyntaxItem::default() };
        for child in elements(node) {
            match child.tag_name().name() {
                "list" => syntax.list = Some(self.list(child)?),
                "default" => {
                    let is_gone = self.life(child)? == Some(Life::Deleted);
                    let is_start =
                        text(child, "type").is_some_and(|sort| sort == "object" || sort == "factory");
                    if is_gone || is_start {
                        let value = child.attribute("value").map(str::to_owned);
                        syntax.default = Some(value.filter(|_| !is_gone));
                    }
                }
                "dataType" => {
                    let of = text(child, "ref").or_else(|| text(child, "base"));
                    let of = of.ok_or_else(|| self.wrong(child, "<dataType> without ref"))?;
                    syntax.item = Some(TypeItem {
                        of: Of::Named(of),
                        facets: self.facets(child)?,
                        line: self.line(child),
                    });
                }
                name => {
                    if let Some(kind) = Kind::named(name) {
                        syntax.item = Some(TypeItem {
                            of: Of::Kind(kind),
                            facets: self.facets(child)?,
                            line: self.line(child),
                        });
                    }
                }
            }
        }
        Ok(syntax)
    }

    fn list(&self, node: Node<'a, '_>) -> Result<ListItem, ImportError> {
        let most = text(node, "maxItems").map(|text| self.most(node, &text)).transpose()?.flatten();
        let least = self.number(node, "minItems")?.unwrap_or_default();
        let size = elements(node).find(|child| child.tag_name().name() == "size");
        Ok(ListItem { items: (least, most), size: size.map(|size| self.size(size)).transpose()? })
    }

    fn facets(&self, node: Node<'a, '_>) -> Result<FacetItems, ImportError> {
        let mut facets = FacetItems::default();
        for child in elements(node) {
            match child.tag_name().name() {
                "size" => facets.sizes.push(self.size(child)?),
                "range" => facets.ranges.push(Range {
                    from: self.decimal(child, "minInclusive")?,
                    to: self.decimal(child, "maxInclusive")?,
                    step: self
                        .decimal(child, "step")?
                        .filter(|step| *step > 0.0 && (*step - 1.0).abs() > f64::EPSILON),
                }),
                "pattern" => facets.patterns.push(child.attribute("value").unwrap_or_default().to_owned()),
                "enumeration" => {
                    let value = child.attribute("value").unwrap_or_default().to_owned();
                    let is_read_only = text(child, "access").is_some_and(|access| access == "readOnly");
                    let is_gone = self.life(child)? == Some(Life::Deleted);
                    facets.words.push((Word { text: value, is_read_only }, is_gone));
                }
                "units" => facets.units = text(child, "value"),
                "pathRef" | "enumerationRef" | "instanceRef" => {
                    facets.reference = Some(self.reference(child)?);
                }
                _ => {}
            }
        }
        Ok(facets)
    }

    fn reference(&self, node: Node<'a, '_>) -> Result<ReferenceItem, ImportError> {
        let sort = node.tag_name().name();
        let parents = text(node, "targetParent").or_else(|| text(node, "targetParam")).unwrap_or_default();
        let scope = text(node, "targetParentScope").or_else(|| text(node, "targetParamScope"));
        let scope = match scope.as_deref() {
            None | Some("normal") => Scope::Normal,
            Some("model") => Scope::Model,
            Some("object") => Scope::Object,
            Some(other) => {
                return Err(self.wrong(node, format!("the scope {other}: normal, model or object is right")));
            }
        };
        let target = match (sort, text(node, "targetType").as_deref()) {
            ("enumerationRef", _) => Target::Word,
            ("instanceRef", _) => Target::Number,
            (_, None | Some("any")) => Target::Any,
            (_, Some("single")) => Target::Single,
            (_, Some(name)) => Target::named(name)
                .ok_or_else(|| self.wrong(node, format!("the target type {name} is unknown")))?,
        };
        Ok(ReferenceItem {
            is_strong: text(node, "refType").is_some_and(|sort| sort == "strong"),
            parents: parents.split_whitespace().map(str::to_owned).collect(),
            scope,
            target,
        })
    }

    fn profile(&self, node: Node<'a, '_>) -> Result<ProfileItem, ImportError> {
        let (name, base) = match (text(node, "name"), text(node, "base")) {
            (Some(name), base) => (name, base),
            (None, Some(base)) => (base.clone(), Some(base)),
            (None, None) => return Err(self.wrong(node, "<profile> without name")),
        };
        let extends = text(node, "extends").unwrap_or_default();
        let mut objects: Vec<(String, Vec<String>)> = Vec::new();
        for child in elements(node) {
            let named = |node: Node<'a, '_>| {
                let parameters = elements(node).filter(|child| child.tag_name().name() == "parameter");
                parameters.filter_map(|child| text(child, "ref")).collect::<Vec<_>>()
            };
            match child.tag_name().name() {
                "object" => objects.push((self.need(child, "ref")?, named(child))),
                "parameter" => objects.push((String::new(), vec![self.need(child, "ref")?])),
                _ => {}
            }
        }
        let extends = extends.split_whitespace().map(str::to_owned).collect();
        Ok(ProfileItem { name, base, extends, status: self.life(node)?, objects })
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

    fn life(&self, node: Node<'_, '_>) -> Result<Option<Life>, ImportError> {
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

    fn size(&self, node: Node<'_, '_>) -> Result<(u32, Option<u32>), ImportError> {
        Ok((self.number(node, "minLength")?.unwrap_or_default(), self.number(node, "maxLength")?))
    }

    fn most(&self, node: Node<'_, '_>, text: &str) -> Result<Option<u32>, ImportError> {
        if text == "unbounded" {
            return Ok(None);
        }
        text.parse()
            .map(Some)
            .map_err(|_| self.wrong(node, format!("{text:?} is no number and not \"unbounded\"")))
    }

    fn number(&self, node: Node<'_, '_>, name: &str) -> Result<Option<u32>, ImportError> {
        let wrong = |text: &str| self.wrong(node, format!("{name} {text:?} is no number"));
        text(node, name).map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
    }

    fn decimal(&self, node: Node<'_, '_>, name: &str) -> Result<Option<f64>, ImportError> {
        let wrong = |text: &str| self.wrong(node, format!("{name} {text:?} is no number"));
        text(node, name).map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
    }
}

fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

fn text(node: Node<'_, '_>, name: &str) -> Option<String> {
    node.attribute(name).map(squeeze)
}

/// Names are broken over lines in some files.
fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_true(text: &str) -> bool {
    text == "true" || text == "1"
}
