//! Structs of child elements, numbers with a meaning, members of arrays: the macros of the table.
//!
//! One rule: the wire name stands beside the Rust name, so that the table reads like Annex A and a
//! search for a name of the standard finds it.

use crate::{
    DecodeError, DecodeErrorKind, Leniency,
    cursor::{Cursor, Element},
    wire::Wire,
};

/// Reports a child's place and form: its namespace, its order among `names`, and a second one.
pub(crate) fn check_child(cursor: &mut Cursor<'_>, child: &Element<'_>, names: &[&str], last: &mut usize) {
    if child.namespace.is_cwmp() {
        cursor.forgive(Leniency::QualifiedChild);
    }
    let Some(at) = names.iter().position(|name| name.eq_ignore_ascii_case(child.local())) else { return };
    if at + 1 < *last {
        cursor.forgive(Leniency::Order);
    }
    *last = at + 1;
}

/// Reads a child into its field.
pub(crate) fn hear<T: Wire>(
    field: &mut Option<T>,
    cursor: &mut Cursor<'_>,
    child: &Element<'_>,
) -> Result<(), DecodeError> {
    let value = T::decode(cursor, child)?;
    *field = Some(match field.take() {
        None => value,
        Some(before) => before.again(value, cursor),
    });
    Ok(())
}

/// The field's value, or what stands for it when it is absent.
pub(crate) fn settle<T: Wire>(
    cursor: &mut Cursor<'_>,
    field: Option<T>,
    name: &'static str,
    is_optional: bool,
) -> Result<T, DecodeError> {
    if let Some(value) = field {
        return Ok(value);
    }
    let Some(value) = T::absent(name) else {
        return Err(cursor.error(DecodeErrorKind::Missing(name)));
    };
    if !is_optional {
        cursor.forgive(Leniency::MissingElement);
    }
    Ok(value)
}

/// A struct whose fields are child elements. The wire name stands beside the Rust name.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $( $wire:literal $field:ident: $type:ty, )* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $( #[doc = concat!("`", $wire, "`")] #[serde(rename = $wire)] pub $field: $type, )*
        }

        impl $name {
            /// What stands inside the element, for types whose start tag says more than their name.
            pub(crate) fn encode_children(&self, out: &mut $crate::writer::Writer) {
                let _ = &out;
                $( $crate::wire::Wire::encode(&self.$field, out, $wire); )*
            }
        }

        impl $crate::wire::Wire for $name {
            fn encode(&self, out: &mut $crate::writer::Writer, name: &str) {
                out.open(name);
                self.encode_children(out);
                out.close(name);
            }

            fn decode(
                cursor: &mut $crate::cursor::Cursor<'_>,
                _: &$crate::cursor::Element<'_>,
            ) -> Result<Self, $crate::DecodeError> {
                const NAMES: &[&str] = &[$( $wire ),*];
                let mut last = 0;
                $( let mut $field: Option<$type> = None; )*
                let mut wrappers = 0;
                loop {
                    let Some(child) = cursor.child()? else {
                        if wrappers == 0 {
                            break;
                        }
                        wrappers -= 1;
                        continue;
                    };
                    $crate::record::check_child(cursor, &child, NAMES, &mut last);
                    match child.local() {
                        $( $wire => $crate::record::hear(&mut $field, cursor, &child)?, )*
                        $( odd if odd.eq_ignore_ascii_case($wire) => {
                            cursor.forgive($crate::Leniency::Misspelt);
                            $crate::record::hear(&mut $field, cursor, &child)?;
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
                Ok(Self { $( $field: {
                    let is_optional = stringify!($type).starts_with("Option");
                    $crate::record::settle(cursor, $field, $wire, is_optional)?
                }, )* })
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
        impl $crate::wire::Member for $name {
            const ELEMENT: &'static str = stringify!($name);
            const TYPE: &'static str = concat!("cwmp:", stringify!($name));
        }
    )* };
}
pub(crate) use members;

/// A number on the wire with a meaning each; one that the standard does not know is kept.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $( $(#[$case_doc:meta])* $case:ident = $number:literal, )* }) => {
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
                let value = Self::from(u32::decode(cursor, element)?);
                if matches!(value, Self::Other(_)) {
                    cursor.forgive($crate::Leniency::UnknownNumber);
                }
                Ok(value)
            }

            #[cfg(test)]
            fn sample(seed: &mut $crate::sample::Seed, _name: &str) -> Self {
                seed.pick(&[$( Self::$case ),*])
            }
        }
    };
}
pub(crate) use numbered;
