//! Reads what a value is: the type, its facets, its list, its default. (TR-106 A.2.3)
//!
//! One rule: what is said twice, backwards or in unknown words is an error here, with its line; whether a name means
//! anything, and whether a default fits, is known to the draft alone.

use roxmltree::Node;

use super::{
    ImportError,
    document::{Reader, elements, is_true, text},
    item::{
        DefaultItem, FacetItems, Life, ListItem, NamedType, Of, ReferenceItem, Scope, SyntaxItem, TypeItem,
    },
};
use crate::{
    Kind,
    definition::{Range, Target, Word},
    value,
};

/// Fewest and most of something.
type Bounds = (u32, Option<u32>);

impl<'a> Reader<'a> {
    pub(super) fn named_type(&self, node: Node<'a, '_>) -> Result<NamedType, ImportError> {
        let base = text(node, "base");
        let (kinds, facets): (Vec<_>, Vec<_>) = elements(node).partition(|child| is_of_syntax(*child));
        let mut syntax = self.syntax_of(node, kinds)?;
        let facets = self.facets(facets)?;
        if base.is_some() {
            syntax.item = Some(TypeItem { of: Of::Base, facets, line: self.line(node) });
        } else if syntax.item.is_none() {
            return Err(self.wrong(node, "a type of nothing: a base or a child such as <string> is right"));
        }
        Ok(NamedType { base, syntax, line: self.line(node) })
    }

    pub(super) fn syntax(&self, node: Node<'a, '_>) -> Result<SyntaxItem, ImportError> {
        let (kinds, others): (Vec<_>, Vec<_>) = elements(node).partition(|child| is_of_syntax(*child));
        match others.first() {
            Some(other) => {
                let kinds = Kind::NAMES.map(|(name, _)| name).join(", ");
                let found = other.tag_name().name();
                Err(self.wrong(*other, format!("<{found}> is no type: {kinds} or dataType is right")))
            }
            None => self.syntax_of(node, kinds),
        }
    }

    fn syntax_of(&self, node: Node<'a, '_>, kinds: Vec<Node<'a, '_>>) -> Result<SyntaxItem, ImportError> {
        let flag = |name: &str| text(node, name).map(|text| is_true(&text));
        let mut syntax =
            SyntaxItem { is_hidden: flag("hidden"), is_command: flag("command"), ..SyntaxItem::default() };
        for child in kinds {
            match child.tag_name().name() {
                "list" => syntax.list = Some(self.list(child)?),
                "default" => {
                    let default = self.default(child)?;
                    syntax.default = default.or_else(|| syntax.default.take());
                }
                _ if syntax.item.is_some() => {
                    return Err(self.wrong(child, "a second type: one is right"));
                }
                "dataType" => {
                    let of = text(child, "ref").or_else(|| text(child, "base"));
                    let of = of.ok_or_else(|| self.wrong(child, "<dataType> without ref"))?;
                    syntax.item = Some(self.type_item(child, Of::Named(of))?);
                }
                name => {
                    let kind = Kind::named(name).unwrap_or_default();
                    syntax.item = Some(self.type_item(child, Of::Kind(kind))?);
                }
            }
        }
        Ok(syntax)
    }

    fn type_item(&self, node: Node<'a, '_>, of: Of) -> Result<TypeItem, ImportError> {
        Ok(TypeItem { of, facets: self.facets(elements(node).collect())?, line: self.line(node) })
    }

    /// Only what a row or the factory starts with is a fact of the model.
    fn default(&self, node: Node<'a, '_>) -> Result<Option<DefaultItem>, ImportError> {
        let is_gone = self.life(node)? == Some(Life::Deleted);
        let is_start = text(node, "type").is_some_and(|sort| sort == "object" || sort == "factory");
        let value = node.attribute("value").map(str::to_owned).filter(|_| !is_gone);
        Ok((is_gone || is_start).then(|| DefaultItem { value, line: self.line(node) }))
    }

    fn list(&self, node: Node<'a, '_>) -> Result<ListItem, ImportError> {
        let most = text(node, "maxItems").map(|text| self.most(node, &text)).transpose()?.flatten();
        let items = self.ordered(node, (self.number(node, "minItems")?.unwrap_or_default(), most))?;
        let size = elements(node).find(|child| child.tag_name().name() == "size");
        Ok(ListItem { items, size: size.map(|size| self.size(size)).transpose()? })
    }

    fn facets(&self, nodes: Vec<Node<'a, '_>>) -> Result<FacetItems, ImportError> {
        let mut facets = FacetItems::default();
        for child in nodes {
            match child.tag_name().name() {
                "size" => facets.sizes.push(self.size(child)?),
                "range" => facets.ranges.push(self.range(child)?),
                "pattern" => facets.patterns.push(self.pattern(child)?),
                "enumeration" => facets.words.push(self.word(child)?),
                "units" => facets.units = text(child, "value"),
                "pathRef" | "enumerationRef" | "instanceRef" => {
                    facets.reference = Some(self.reference(child)?);
                }
                "description" => {}
                other => {
                    let right = "size, range, pattern, enumeration, units or a reference is right";
                    return Err(self.wrong(child, format!("<{other}> bounds no value: {right}")));
                }
            }
        }
        Ok(facets)
    }

    fn range(&self, node: Node<'_, '_>) -> Result<Range, ImportError> {
        let (from, to) = (self.decimal(node, "minInclusive")?, self.decimal(node, "maxInclusive")?);
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            let right = "minInclusive is not above maxInclusive";
            return Err(self.wrong(node, format!("a range that nothing is in: {right} where it is right")));
        }
        let is_wide = |step: &f64| *step > 0.0 && (*step - 1.0).abs() > f64::EPSILON;
        Ok(Range { from, to, step: self.decimal(node, "step")?.filter(is_wide) })
    }

    fn pattern(&self, node: Node<'_, '_>) -> Result<String, ImportError> {
        let pattern = node.attribute("value").unwrap_or_default();
        match value::compiled(pattern) {
            Ok(_) => Ok(pattern.to_owned()),
            Err(error) => {
                Err(self.wrong(node, format!("the pattern {pattern:?} cannot be understood: {error}")))
            }
        }
    }

    fn word(&self, node: Node<'_, '_>) -> Result<(Word, bool), ImportError> {
        let value = node.attribute("value").unwrap_or_default().to_owned();
        let is_read_only = text(node, "access").is_some_and(|access| access == "readOnly");
        let is_gone = self.life(node)? == Some(Life::Deleted);
        Ok((Word { text: value, is_read_only }, is_gone))
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
            line: self.line(node),
        })
    }

    fn size(&self, node: Node<'_, '_>) -> Result<Bounds, ImportError> {
        let least = self.number(node, "minLength")?.unwrap_or_default();
        self.ordered(node, (least, self.number(node, "maxLength")?))
    }

    pub(super) fn ordered(&self, node: Node<'_, '_>, (least, most): Bounds) -> Result<Bounds, ImportError> {
        match most {
            Some(most) if most < least => {
                Err(self.wrong(node, format!("{least} at least and {most} at most: nothing is so")))
            }
            _ => Ok((least, most)),
        }
    }

    fn decimal(&self, node: Node<'_, '_>, name: &str) -> Result<Option<f64>, ImportError> {
        let wrong = |text: &str| self.wrong(node, format!("{name} {text:?} is no number"));
        let read = |text: &String| text.parse().ok().filter(|number: &f64| number.is_finite());
        text(node, name).map(|text| read(&text).ok_or_else(|| wrong(&text))).transpose()
    }
}

/// What stands in a `<syntax>`; what else stands in a named type are facets.
fn is_of_syntax(node: Node<'_, '_>) -> bool {
    let name = node.tag_name().name();
    matches!(name, "list" | "default" | "dataType") || Kind::named(name).is_some()
}
