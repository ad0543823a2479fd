//! Requests for certificates: what an operator sends to the CA of a production network. (RFC 2986)
//!
//! A request asks for what the profile demands, so that a CA which copies extensions issues a certificate that works;
//! what both ends would refuse is not asked for.

use std::path::Path;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::stack::Stack;
use openssl::x509::extension::BasicConstraints;
use openssl::x509::{X509Req, X509ReqBuilder};

use super::{Key, LeafOrder, PkiError, Purpose, der, extended_key_usage, extension, files, key_usage, name};
use crate::pki::{LAB_BITS, is_fqdn};
use crate::profile::{KeyKind, Profile};

/// Writes a PKCS #10 request, with the key of a file, which is made where there is none. Nothing of it is the lab's.
///
/// # Errors
/// A name that is no host's, or a key that `profile` refuses.
pub fn request(order: &LeafOrder, profile: &Profile, key: &Path, request: &Path) -> Result<(), PkiError> {
    let is_name = |name: &Vec<u8>| std::str::from_utf8(name).is_ok_and(is_fqdn);
    if !order.dns_names.iter().all(is_name) {
        return Err(PkiError::NotAHost);
    }
    let made = if key.exists() {
        let found = Key::load(key)?;
        found.is_taken(order, profile).map_err(|wanted| {
            let (path, found) = (key.into(), found.describe());
            PkiError::Key { path, found, wanted }
        })?;
        found
    } else {
        let made = Key::generate(LAB_BITS)?;
        files::replace(key, &made.pem()?, files::SECRET)?;
        made
    };
    files::replace(request, &order.request(&made)?, files::PUBLIC)
}

impl Key {
    /// The kind that profiles know it by.
    fn kind(&self) -> Option<KeyKind> {
        match self.0.id() {
            Id::RSA => Some(KeyKind::Rsa),
            Id::EC => match self.0.ec_key().ok()?.group().curve_name()? {
                Nid::X9_62_PRIME256V1 => Some(KeyKind::P256),
                Nid::SECP384R1 => Some(KeyKind::P384),
                _ => None,
            },
            _ => None,
        }
    }

    fn describe(&self) -> String {
        self.kind().filter(|kind| *kind != KeyKind::Rsa).map_or_else(
            || {
                let kind = if self.0.id() == Id::RSA { "RSA" } else { "of another kind," };
                format!("{kind} with {} bits", self.0.bits())
            },
            |kind| kind.name().to_owned(),
        )
    }

    /// Whether both ends would take a certificate of this key, or what they would take. Who signs files shakes no
    /// hands: any kind that is strong will do.
    fn is_taken(&self, order: &LeafOrder, profile: &Profile) -> Result<(), String> {
        let is_end =
            [Purpose::ServerAuth, Purpose::ClientAuth].iter().any(|one| order.purposes.contains(one));
        let kinds = if is_end { profile.keys } else { &[KeyKind::Rsa, KeyKind::P256, KeyKind::P384] };
        let kind = self.kind().filter(|kind| kinds.contains(kind));
        if kind.is_some_and(|kind| kind != KeyKind::Rsa || self.0.bits() >= profile.min_rsa_bits) {
            return Ok(());
        }
        let name = |kind: &KeyKind| match kind {
            KeyKind::Rsa => format!("RSA of {} bits at least", profile.min_rsa_bits),
            KeyKind::P256 | KeyKind::P384 => kind.name().to_owned(),
        };
        let kinds: Vec<_> = kinds.iter().map(name).collect();
        let whose = if is_end { profile.name } else { "a cell" };
        Err(format!("{whose} takes {}", kinds.join(", ")))
    }
}

impl LeafOrder {
    /// A PKCS #10 request for this certificate, in PEM.
    pub fn request(&self, key: &Key) -> Result<Vec<u8>, PkiError> {
        Ok(self.sign_request(key)?.to_pem()?)
    }

    fn sign_request(&self, key: &Key) -> Result<X509Req, ErrorStack> {
        let mut builder = X509ReqBuilder::new()?;
        builder.set_version(0)?;
        builder.set_subject_name(name(None, None, &self.common_name)?.as_ref())?;
        builder.set_pubkey(&key.0)?;
        let mut extensions = Stack::new()?;
        extensions.push(BasicConstraints::new().critical().build()?)?;
        extensions.push(key_usage(self)?)?;
        extensions.push(extended_key_usage(&self.purposes)?)?;
        if !self.dns_names.is_empty() || !self.addresses.is_empty() {
            let names = der::alternative_names(&self.dns_names, &self.addresses);
            extensions.push(extension("2.5.29.17", false, &names)?)?;
        }
        builder.add_extensions(&extensions)?;
        builder.sign(&key.0, MessageDigest::sha256())?;
        Ok(builder.build())
    }
}
