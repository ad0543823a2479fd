//! What CWMP reads of an element's attributes, in whatever namespace a device put them.
//!
//! One rule: an attribute that means something elsewhere is taken as meant and reported; one that
//! means nothing is passed over and reported.

use quick_xml::events::BytesStart;

use crate::{
    DecodeError, Leniency,
    cursor::{Cursor, Said},
    namespace::{Namespace, Scopes},
};

impl<'b> Cursor<'b> {
    /// Binds the prefixes that an element declares.
    pub(crate) fn declare(&mut self, start: &BytesStart<'b>) -> Result<(), DecodeError> {
        for (count, attribute) in start.attributes().enumerate() {
            self.within("attributes of an element", count + 1, self.limits.attributes)?;
            let attribute = attribute.map_err(|error| self.malformed(&error.to_string()))?;
            let Some(prefix) = declared(attribute.key.0) else { continue };
            let bound = self.scopes.bind(self.depth, prefix, &attribute.value);
            self.within("namespace bindings", bound.map_or(Scopes::MOST + 1, |_| 0), Scopes::MOST)?;
            if let Some(leniency) = bound.flatten() {
                self.forgive(leniency);
            }
            if let (None, Some(Namespace::Cwmp(version))) = (self.version, self.scopes.resolve(prefix)) {
                self.version = Some(version);
            }
        }
        Ok(())
    }

    /// Reads what is no declaration.
    pub(crate) fn read_attributes(
        &mut self,
        start: &BytesStart<'b>,
        said: &mut Said<'b>,
        is_envelope: bool,
    ) -> Result<(), DecodeError> {
        for (count, attribute) in start.attributes().enumerate() {
            self.within("attributes of an element", count + 1, self.limits.attributes)?;
            let attribute = attribute.map_err(|error| self.malformed(&error.to_string()))?;
            if declared(attribute.key.0).is_some() {
                continue;
            }
            let (prefix, local) = attribute.key.0.split_once(':').unwrap_or(("", attribute.key.0));
            let namespace = self.resolve_attribute(prefix)?;
            let home = match local {
                "type" => Namespace::Xsi,
                "arrayType" => Namespace::Encoding,
                "mustUnderstand" => Namespace::Soap,
                _ => {
                    self.read_other(said, (namespace, local), &attribute.value, is_envelope);
                    continue;
                }
            };
            if namespace != home {
                self.forgive(Leniency::AttributeNamespace);
            }
            self.read_attribute(said, local, &attribute.value);
        }
        Ok(())
    }

    fn read_attribute(&mut self, said: &mut Said<'b>, local: &str, value: &str) {
        match local {
            "type" => self.read_type(said, value),
            "arrayType" => said.array_type = Some(self.borrow(value)),
            _ => {
                said.must_understand = Some(matches!(value.trim_ascii(), "1" | "true" | "TRUE" | "True"));
                if !matches!(value, "0" | "1") {
                    self.forgive(Leniency::MustUnderstand);
                }
            }
        }
    }

    /// Splits the value of `xsi:type`, which is a name with a prefix of its own.
    fn read_type(&mut self, said: &mut Said<'b>, value: &str) {
        let value = value.trim_ascii();
        let (prefix, local) = value.rsplit_once(':').unwrap_or(("", value));
        said.xsi_type = Some(self.borrow(local));
        said.type_namespace = self.scopes.resolve(prefix);
        if matches!(said.type_namespace, None | Some(Namespace::None)) {
            self.forgive(Leniency::TypePrefix);
        }
    }

    /// What may stand on an element without a meaning to us, and what may not.
    fn read_other(&mut self, said: &mut Said<'b>, name: (Namespace, &str), value: &str, is_envelope: bool) {
        match name {
            (Namespace::Xsi, "nil") => {
                said.is_nil = matches!(value, "1" | "true");
                self.forgive(Leniency::Nil);
            }
            (Namespace::Soap, "encodingStyle") if is_envelope => {}
            (_, "encodingStyle") => self.forgive(Leniency::EncodingStyle),
            (Namespace::Xsi, "schemaLocation" | "noNamespaceSchemaLocation") => {}
            (Namespace::Soap, "actor") => {}
            (Namespace::None | Namespace::Soap, _) => self.forgive(Leniency::UnknownAttribute),
            _ if is_envelope => {}
            _ => self.forgive(Leniency::UnknownAttribute),
        }
    }

    /// An attribute without a prefix is in no namespace, whatever the default is. (Namespaces in XML 1.0 6.2)
    fn resolve_attribute(&self, prefix: &str) -> Result<Namespace, DecodeError> {
        if prefix.is_empty() { Ok(Namespace::None) } else { self.resolve_prefix(prefix) }
    }
}

/// The prefix that an attribute declares, if it is a declaration.
fn declared(key: &str) -> Option<&str> {
    let rest = key.strip_prefix("xmlns")?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix(':') }
}
