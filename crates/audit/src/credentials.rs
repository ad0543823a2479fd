//! What a prober shows and signs with: a real certificate chain and, where the case needs it, its key.

use rsa::pkcs8::DecodePrivateKey;
use rsa::signature::digest::Digest;
use rsa::{Pkcs1v15Sign, PrivateKey};
use sha2::Sha256;
use x509_parser::pem::Pem;

use crate::error::AuditError;
use crate::wire::{TLS12, sized3};

/// A certificate chain, and a key that need not belong to it.
#[derive(Debug, Clone)]
pub struct Credentials {
    chain: Vec<Vec<u8>>,
    key: Option<PrivateKey>,
}

impl Credentials {
    /// From PEM: the chain, leaf first, and an RSA key in PKCS #8.
    pub fn new(chain: &[u8], key: &[u8]) -> Result<Self, AuditError> {
        let key = std::str::from_utf8(key).ok().and_then(|pem| PrivateKey::from_pkcs8_pem(pem).ok());
        let key = key.ok_or(AuditError::Credentials("RSA key"))?;
        Ok(Self { key: Some(key), ..Self::without_key(chain)? })
    }

    /// From PEM, for one who has seen a certificate and does not hold its key: its signatures are zeros.
    pub fn without_key(chain: &[u8]) -> Result<Self, AuditError> {
        let chain = Pem::iter_from_buffer(chain).map(|pem| pem.map(|pem| pem.contents));
        let chain = chain.collect::<Result<_, _>>().map_err(|_| AuditError::Credentials("chain"))?;
        Ok(Self { chain, key: None })
    }

    /// The content of a Certificate message. (RFC 5246 7.4.2)
    pub(crate) fn message(&self) -> Vec<u8> {
        let list: Vec<u8> = self.chain.iter().flat_map(|certificate| sized3(certificate)).collect();
        sized3(&list)
    }

    /// A signature as the version has it, behind its algorithm and length. (RFC 5246 4.7, RFC 4346 7.4.8)
    pub(crate) fn sign(&self, version: u16, text: &[u8]) -> Result<Vec<u8>, AuditError> {
        let signature = match &self.key {
            None => vec![0; 256],
            Some(key) if version >= TLS12 => {
                key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text)).map_err(unable)?
            }
            Some(key) => key.sign(Pkcs1v15Sign::new_unprefixed(), &legacy_digest(text)).map_err(unable)?,
        };
        let algorithm: &[u8] = if version >= TLS12 { &[4, 1] } else { &[] };
        Ok([algorithm, &crate::wire::sized(&signature)].concat())
    }
}

fn unable(_: rsa::Error) -> AuditError {
    AuditError::Unable("cannot sign with this key")
}

/// MD5 and SHA-1 side by side: the fixed form of TLS 1.1.
pub(crate) fn legacy_digest(text: &[u8]) -> Vec<u8> {
    [md5::Md5::digest(text).as_slice(), sha1::Sha1::digest(text).as_slice()].concat()
}
