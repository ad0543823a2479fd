//! Lists: arrays with their members, and elements that repeat.
//!
//! One rule: no member is lost, whatever stands around it: arrays that repeat are joined, members without their
//! array or without their own element are members all the same, and each such manner is reported.

use std::mem;

use serde::{Deserialize, Serialize};

#[cfg(test)]
use crate::sample::Seed;
use crate::{
    DecodeError, Leniency, Text,
    cursor::{Cursor, Element},
    namespace::Namespace,
    record::check_attributes,
    rule::Rule,
    wire::{Wire, trimmed},
    writer::Writer,
};

/// Members of an array. (TR-069 3.5, H-14)
pub(crate) trait Member: Wire {
    /// The element's name, which is the type's.
    const ELEMENT: &'static str;
    /// The type as `arrayType` names it.
    const TYPE: &'static str;

    /// What the schema demands of each, as far as it is the same of all.
    const RULE: Rule = Rule::NONE;

    /// The first of its own elements, which begins another member where it comes again; nothing for text.
    const FIRST: &'static str = "";

    /// What members the text of a whole list makes; nothing where members are no text.
    fn listed(_text: &str) -> Option<Vec<Self>> {
        None
    }

    /// One whose element had another name, as it would have been read under its own.
    fn under_its_own_name(self, _cursor: &mut Cursor<'_>) -> Self {
        self
    }
}

impl Member for Text {
    const ELEMENT: &'static str = "string";
    const TYPE: &'static str = "xsd:string";
    // Every list of text has a bound of 64 or 256 for its members.
    const RULE: Rule = Rule::NONE.characters(256);

    fn listed(text: &str) -> Option<Vec<Self>> {
        let texts = text.split(',').map(str::trim_ascii).filter(|text| !text.is_empty());
        Some(texts.map(Self::from).collect())
    }

    fn under_its_own_name(self, cursor: &mut Cursor<'_>) -> Self {
        trimmed(cursor, self)
    }
}

/// Reads a member, and those that begin where it should have ended.
fn read<T: Member>(
    cursor: &mut Cursor<'_>,
    element: &Element<'_>,
    members: &mut Vec<T>,
) -> Result<(), DecodeError> {
    loop {
        cursor.is_member = true;
        let member = T::decode(cursor, element);
        cursor.is_member = false;
        members.push(member?);
        if !mem::take(&mut cursor.continues) {
            return Ok(());
        }
    }
}

/// The next child of an array of text, whose own text is kept.
fn next_of_text<'b>(cursor: &mut Cursor<'b>) -> Result<Option<Element<'b>>, DecodeError> {
    cursor.keeps_text = true;
    let child = cursor.child();
    cursor.keeps_text = false;
    child
}

/// Takes the text that stood in an array instead of members.
fn take_text<T: Member>(cursor: &mut Cursor<'_>, element: &Element<'_>, members: &mut Vec<T>) {
    let text = mem::take(&mut cursor.stray);
    if text.is_empty() {
        return;
    }
    if members.is_empty() {
        cursor.forgive_at(Leniency::ListAsText, element.offset);
        members.extend(T::listed(&text).unwrap_or_default());
    } else {
        cursor.forgive_at(Leniency::StrayText, element.offset);
    }
}

impl<T: Member> Wire for Vec<T> {
    fn encode(&self, out: &mut Writer, name: &str) {
        out.open_array(name, T::TYPE, self.len());
        self.iter().for_each(|member| member.encode(out, T::ELEMENT));
        out.close(name);
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        let mut members = Self::new();
        let is_text = T::FIRST.is_empty();
        while let Some(child) = if is_text { next_of_text(cursor)? } else { cursor.child()? } {
            if child.namespace != Namespace::None {
                cursor.forgive(Leniency::QualifiedChild);
            }
            if child.local() == T::ELEMENT {
                check_attributes::<T>(cursor, &child, &T::RULE);
                read(cursor, &child, &mut members)?;
            } else if !is_text && child.local() == T::FIRST {
                cursor.forgive(Leniency::Unwrapped);
                cursor.unread(child);
                read(cursor, element, &mut members)?;
                break;
            } else {
                cursor.forgive(Leniency::ArrayMember);
                read(cursor, &child, &mut members)?;
                let last = members.pop().map(|member| member.under_its_own_name(cursor));
                members.extend(last);
            }
        }
        if is_text {
            take_text(cursor, element, &mut members);
        }
        check_array_type(cursor, element, T::TYPE, members.len());
        Ok(members)
    }

    fn check(&self, cursor: &mut Cursor<'_>, offset: usize, rule: &Rule) {
        rule.check_count(cursor, offset, self.len());
        if !rule.is_none() {
            self.iter().for_each(|member| member.check(cursor, offset, rule));
        }
    }

    fn absent(_name: &str) -> Option<Self> {
        Some(Self::new())
    }

    const MEMBER: &'static str = T::ELEMENT;

    fn adopt(cursor: &mut Cursor<'_>, child: &Element<'_>) -> Result<Self, DecodeError> {
        let mut members = Self::new();
        read(cursor, child, &mut members)?;
        Ok(members)
    }

    fn joined(mut self, later: Self) -> Self {
        self.extend(later);
        self
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self {
        (0..crate::sample::members(seed, name)).map(|_| T::sample(seed, name)).collect()
    }
}

/// Reports an `arrayType` that is absent, names another type than `member`, or counts wrongly.
fn check_array_type(cursor: &mut Cursor<'_>, element: &Element<'_>, member: &str, count: usize) {
    let Some(said) = &element.said.array_type else {
        return cursor.forgive_at(Leniency::ArrayTypeMissing, element.offset);
    };
    if said.bytes().any(|byte| byte.is_ascii_whitespace()) {
        cursor.forgive_at(Leniency::Padding, element.offset);
    }
    let (name, said) = said.split_once('[').unwrap_or((said, ""));
    if local(name) != local(member) {
        cursor.forgive_at(Leniency::ArrayTypeName, element.offset);
    }
    let said = said.trim_ascii_end().strip_suffix(']').and_then(|said| said.trim_ascii().parse().ok());
    if said != Some(count) {
        cursor.forgive_at(Leniency::ArrayCount, element.offset);
    }
}

/// The name behind a prefix.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or_default().trim_ascii()
}

/// Elements that repeat under the same name without an array around them. (TR-069 A.4.1.10)
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Each<T>(pub Vec<T>);

/// What stands in [`Each`]: devices in the field put it into an array, or into an element of its type's name.
pub(crate) trait Repeated: Wire {
    /// Whether an element of this name holds one of these.
    fn is_wrapped_in(element: &str) -> bool;
}

impl<T: Repeated> Wire for Each<T> {
    fn encode(&self, out: &mut Writer, name: &str) {
        self.0.iter().for_each(|one| one.encode(out, name));
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        let says_what_it_is = element.said.xsi_type.as_deref().is_some_and(|kind| kind != "Array");
        if says_what_it_is {
            return T::decode(cursor, element).map(|one| Self(vec![one]));
        }
        let mut each = Vec::new();
        while let Some(child) = cursor.child()? {
            if !T::is_wrapped_in(child.local()) {
                cursor.unread(child);
                return T::decode(cursor, element).map(|one| Self(vec![one]));
            }
            cursor.forgive(Leniency::Wrapped);
            each.push(T::decode(cursor, &child)?);
        }
        Ok(Self(each))
    }

    fn absent(_name: &str) -> Option<Self> {
        Some(Self(Vec::new()))
    }

    // Without members there is no element to be absent.
    const ABSENCE: Leniency = Leniency::TooFew;

    fn may_be(element: &Element<'_>, rule: &Rule) -> bool {
        T::may_be(element, rule)
    }

    fn again(mut self, later: Self, _cursor: &mut Cursor<'_>) -> Self {
        self.0.extend(later.0);
        self
    }

    #[cfg(test)]
    fn sample(seed: &mut Seed, name: &str) -> Self {
        Self((0..=seed.below(3)).map(|_| T::sample(seed, name)).collect())
    }
}
