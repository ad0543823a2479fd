//! Structs of child elements, numbers with a meaning, members of arrays: the macros of the table.
//!
//! One rule: the wire name stands beside the Rust name, so that the table reads like Annex A and a
//! search for a name of the standard finds it.

use crate::{
    DecodeError, DecodeErrorKind, Leniency,
    cursor::{Cursor, Element},
    namespace::Namespace,
    rule::Rule,
    wire::Wire,
};

/// Reports a child's place and form: its namespace, its order among `names`, and a second one.
pub(crate) fn check_child(cursor: &mut Cursor<'_>, child: &Element<'_>, names: &[&str], last: &mut usize) {
    if child.namespace != Namespace::None {
        cursor.forgive(Leniency::QualifiedChild);
    }
    // Mostly it is the next one, as it should be.
    if names.get(*last).is_some_and(|name| *name == child.local()) {
        *last += 1;
        return;
    }
    let Some(at) = names.iter().position(|name| name.eq_ignore_ascii_case(child.local())) else { return };
    if at + 1 < *last {
        cursor.forgive(Leniency::Order);
    }
    *last = at + 1;
}

/// Reports attributes that an element of this type does not have.
#[inline]
pub(crate) fn check_attributes<T: Wire>(cursor: &mut Cursor<'_>, element: &Element<'_>, rule: &Rule) {
    let said = &element.said;
    if said.xsi_type.is_some() && !T::may_be(element, rule) {
        cursor.forgive_at(Leniency::TypeAttribute, element.offset);
    }
    let is_list = !T::MEMBER.is_empty();
    if said.must_understand.is_some() || (said.array_type.is_some() && !is_list) {
        cursor.forgive_at(Leniency::UnknownAttribute, element.offset);
    }
}

/// Reports attributes of an element that has none.
pub(crate) fn check_bare(cursor: &mut Cursor<'_>, element: &Element<'_>) {
    let said = &element.said;
    if said.xsi_type.is_some() {
        cursor.forgive_at(Leniency::TypeAttribute, element.offset);
    }
    if said.must_understand.is_some() || said.array_type.is_some() {
        cursor.forgive_at(Leniency::UnknownAttribute, element.offset);
    }
}

/// Reads a child into its field, and holds it against the field's rule.
pub(crate) fn hear<T: Wire>(
    field: &mut Option<T>,
    cursor: &mut Cursor<'_>,
    child: &Element<'_>,
    rule: &Rule,
) -> Result<(), DecodeError> {
    let value = T::decode(cursor, child)?;
    value.check(cursor, child.offset, rule);
    check_attributes::<T>(cursor, child, rule);
    *field = Some(match field.take() {
        None => value,
        Some(before) => before.again(value, cursor),
    });
    Ok(())
}

/// Reads a child that is a member of a field's list without the list itself.
pub(crate) fn adopt<T: Wire>(
    field: &mut Option<T>,
    cursor: &mut Cursor<'_>,
    child: &Element<'_>,
) -> Result<(), DecodeError> {
    cursor.forgive(Leniency::Unwrapped);
    let member = T::adopt(cursor, child)?;
    *field = Some(match field.take() {
        None => member,
        Some(before) => before.joined(member),
    });
    Ok(())
}

/// Whether a child of an array's member is the first element of another one.
pub(crate) fn begins_another(
    cursor: &mut Cursor<'_>,
    child: &Element<'_>,
    names: &[&str],
    has_begun: &mut bool,
) -> bool {
    let is_first = names.first().is_some_and(|first| *first == child.local());
    let is_another = is_first && *has_begun;
    *has_begun |= is_first;
    if is_another {
        cursor.forgive(Leniency::Repeated);
        cursor.continues = true;
    }
    is_another
}

/// The field's value, or what stands for it when it is absent from the element at `offset`.
pub(crate) fn settle<T: Wire>(
    cursor: &mut Cursor<'_>,
    field: Option<T>,
    name: &'static str,
    offset: usize,
) -> Result<T, DecodeError> {
    if let Some(value) = field {
        return Ok(value);
    }
    let Some(value) = T::absent(name) else {
        return Err(cursor.error(DecodeErrorKind::Missing(name)));
    };
    if !T::IS_OPTIONAL {
        cursor.forgive_at(T::ABSENCE, offset);
    }
    Ok(value)
}

/// Reports white space in an element that holds nothing: the schema's empty type has no room for any.
pub(crate) fn check_blank(cursor: &mut Cursor<'_>, element: &Element<'_>) {
    if cursor.saw_blank {
        cursor.forgive_at(Leniency::Padding, element.offset);
    }
}

/// A struct whose fields are child elements: wire name, Rust name, type, and where the schema has
/// them a bound (`[32 characters]`, `[16 members]`) and a form of its text (`where oui`).
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $(
        $wire:literal $field:ident: $type:ty $([$most:literal $of:ident $($each:ident)?])? $([$some:ident])?
            $(where $form:ident)?,
    )* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $(
                #[doc = concat!(
                    "`", $wire, "`",
                    $( ": at most ", $most, " ", stringify!($of), $( " ", stringify!($each), )? )?
                    $( ", ", stringify!($some), )?
                    $( ", of the [form](crate::forms) `", stringify!($form), "`", )?
                )]
                #[serde(rename = $wire)]
                pub $field: $type,
            )*
        }

        impl $name {
            /// Its elements on the wire, in the schema's order.
            pub(crate) const NAMES: &[&str] = &[$( $wire ),*];

            /// What stands inside the element, for types whose start tag says more than their name.
            pub(crate) fn encode_children(&self, out: &mut $crate::writer::Writer) {
                let _ = &out;
                $( $crate::wire::Wire::encode(&self.$field, out, $wire); )*
            }
        }

        impl $crate::wire::Wire for $name {
            const STRUCT: &str = stringify!($name);

            fn encode(&self, out: &mut $crate::writer::Writer, name: &str) {
                out.open(name);
                self.encode_children(out);
                out.close(name);
            }

            fn decode(
                cursor: &mut $crate::cursor::Cursor<'_>,
                element: &$crate::cursor::Element<'_>,
            ) -> Result<Self, $crate::DecodeError> {
                const NAMES: &[&str] = $name::NAMES;
                let (mut last, mut has_begun) = (0, false);
                let is_member = std::mem::take(&mut cursor.is_member);
                cursor.saw_blank = false;
                $( let mut $field: Option<$type> = None; )*
                let mut wrappers = 0;
                while let Some(child) = cursor.child_within(&mut wrappers)? {
                    let may_end = is_member && wrappers == 0;
                    if may_end && $crate::record::begins_another(cursor, &child, NAMES, &mut has_begun) {
                        cursor.unread(child);
                        break;
                    }
                    $crate::record::check_child(cursor, &child, NAMES, &mut last);
                    match child.local() {
                        $( $wire => {
                            const RULE: $crate::rule::Rule =
                                $crate::rule::Rule::NONE$(.$of($most))?$(.$some())?$(.like($crate::rule::$form))?;
                            $crate::record::hear(&mut $field, cursor, &child, &RULE)?;
                        } )*
                        $( odd if odd.eq_ignore_ascii_case($wire) => {
                            cursor.forgive($crate::Leniency::Misspelt);
                            $crate::record::hear(&mut $field, cursor, &child, &$crate::rule::Rule::NONE)?;
                        } )*
                        $( member if member == <$type as $crate::wire::Wire>::MEMBER => {
                            $crate::record::adopt(&mut $field, cursor, &child)?;
                        } )*
                        // Seen in the field: the type's name around its own elements.
                        wrapper if wrapper.ends_with("Struct") => {
                            cursor.forgive($crate::Leniency::Wrapped);
                            wrappers += 1;
                        }
                        _ => {
                            cursor.forgive($crate::Leniency::UnknownElement);
                            cursor.skip()?;
                        }
                    }
                }
                let _ = last;
                if NAMES.is_empty() {
                    $crate::record::check_blank(cursor, element);
                }
                Ok(Self { $( $field: $crate::record::settle(cursor, $field, $wire, element.offset)?, )* })
            }

            fn absent(name: &str) -> Option<Self> {
                if $crate::wire::INDISPENSABLE.contains(&name) {
                    return None;
                }
                Some(Self { $( $field: <$type as $crate::wire::Wire>::absent($wire)?, )* })
            }

            #[cfg(test)]
            fn sample(seed: &mut $crate::sample::Seed, _name: &str) -> Self {
                let _ = &seed;
                Self { $( $field: $crate::wire::Wire::sample(seed, $wire), )* }
            }
        }
    };
}
pub(crate) use record;

/// Marks records that are members of arrays under their own name.
macro_rules! members {
    ($( $name:ident )*) => { $(
        impl $crate::array::Member for $name {
            const ELEMENT: &'static str = stringify!($name);
            const FIRST: &'static str = match Self::NAMES {
                [first, ..] => first,
                [] => "",
            };
            const TYPE: &'static str = concat!("cwmp:", stringify!($name));
        }
    )* };
}
pub(crate) use members;

/// A number on the wire with a meaning each, and the one that stands for none; one that the standard does not
/// know is kept.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident or $neutral:ident {
        $( $(#[$case_doc:meta])* $case:ident = $number:literal, )*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(into = "u32", from = "u32")]
        pub enum $name {
            $( $(#[$case_doc])* $case, )*
            /// A number that the standard does not know.
            Other(u32),
        }

        impl From<$name> for u32 {
            fn from(value: $name) -> Self {
                match value {
                    $( $name::$case => $number, )*
                    $name::Other(number) => number,
                }
            }
        }

        impl From<u32> for $name {
            fn from(number: u32) -> Self {
                match number {
                    $( $number => Self::$case, )*
                    _ => Self::Other(number),
                }
            }
        }

        impl $crate::wire::Wire for $name {
            fn encode(&self, out: &mut $crate::writer::Writer, name: &str) {
                u32::from(*self).encode(out, name);
            }

            fn decode(
                cursor: &mut $crate::cursor::Cursor<'_>,
                element: &$crate::cursor::Element<'_>,
            ) -> Result<Self, $crate::DecodeError> {
                let value: Self = $crate::wire::numbered(cursor, element)?;
                if matches!(value, Self::Other(_)) {
                    cursor.forgive($crate::Leniency::UnknownNumber);
                }
                Ok(value)
            }

            fn absent(_name: &str) -> Option<Self> {
                Some(Self::$neutral)
            }

            #[cfg(test)]
            fn sample(seed: &mut $crate::sample::Seed, _name: &str) -> Self {
                seed.pick(&[$( Self::$case ),*])
            }
        }
    };
}
pub(crate) use numbered;
