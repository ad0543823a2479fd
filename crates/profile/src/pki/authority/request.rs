//! Requests for certificates: what an operator sends to the CA of a production network. (RFC 2986)
//!
//! A request asks for what the profile demands, so that a CA which copies extensions issues a certificate that works.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::stack::Stack;
use openssl::x509::extension::BasicConstraints;
use openssl::x509::{X509Req, X509ReqBuilder};

use super::{Key, LeafOrder, PkiError, der, extended_key_usage, extension, key_usage, name};

impl LeafOrder {
    /// A PKCS #10 request for this certificate, in PEM.
    pub fn request(&self, key: &Key) -> Result<Vec<u8>, PkiError> {
        Ok(self.sign_request(key)?.to_pem()?)
    }

    fn sign_request(&self, key: &Key) -> Result<X509Req, ErrorStack> {
        let mut builder = X509ReqBuilder::new()?;
        builder.set_version(0)?;
        builder.set_subject_name(name(&self.common_name, None)?.as_ref())?;
        builder.set_pubkey(&key.0)?;
        let mut extensions = Stack::new()?;
        extensions.push(BasicConstraints::new().critical().build()?)?;
        extensions.push(key_usage(self)?)?;
        extensions.push(extended_key_usage(&self.purposes)?)?;
        if !self.dns_names.is_empty() {
            let names = der::alternative_names(&self.dns_names, &self.addresses);
            extensions.push(extension("2.5.29.17", false, &names)?)?;
        }
        builder.add_extensions(&extensions)?;
        builder.sign(&key.0, MessageDigest::sha256())?;
        Ok(builder.build())
    }
}
