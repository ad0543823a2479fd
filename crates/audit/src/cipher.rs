//! The key schedule and the record protection of TLS 1.1 and 1.2 with AES-CBC, for a prober that has to be able
//! to get each detail wrong. The primitives come from RustCrypto; only their order is here. (RFC 5246 5 and 6)

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use aes::{Aes128, Aes256};
use hmac::{Hmac, KeyInit, Mac};
use rsa::BoxedUint;
use rsa::hazmat::rsa_encrypt;
use rsa::signature::digest::Digest;
use rsa::traits::PublicKeyParts;
use sha1::Sha1;
use sha2::Sha256;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::credentials::legacy_digest;
use crate::error::AuditError;
use crate::wire::{Record, TLS12, record};

/// The block of AES.
pub(crate) const BLOCK: usize = 16;
/// The vector of every record that is sent.
const VECTOR: [u8; BLOCK] = [0x16; BLOCK];

/// The suites that this prober speaks: RSA and DHE_RSA with AES-CBC. (RFC 5246 A.5)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) is_dhe: bool,
    key: usize,
    is_sha256: bool,
}

impl Suite {
    pub(crate) fn of(code: u16) -> Option<Self> {
        let (is_dhe, key, is_sha256) = match code {
            0x002F => (false, 16, false),
            0x0035 => (false, 32, false),
            0x003C => (false, 16, true),
            0x003D => (false, 32, true),
            0x0033 => (true, 16, false),
            0x0039 => (true, 32, false),
            0x0067 => (true, 16, true),
            0x006B => (true, 32, true),
            _ => return None,
        };
        Some(Self { is_dhe, key, is_sha256 })
    }

    /// How long a MAC is.
    pub(crate) fn mac_size(self) -> usize {
        if self.is_sha256 { 32 } else { 20 }
    }
}

fn hmac<D>(key: &[u8], parts: &[&[u8]]) -> Vec<u8>
where
    D: Mac + KeyInit,
{
    let Ok(mut mac) = <D as KeyInit>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// `P_hash`. (RFC 5246 5)
fn expand<D>(secret: &[u8], seed: &[u8], size: usize) -> Vec<u8>
where
    D: Mac + KeyInit,
{
    let mut out = Vec::new();
    let mut link = seed.to_vec();
    while out.len() < size {
        link = hmac::<D>(secret, &[&link]);
        out.extend(hmac::<D>(secret, &[&link, seed]));
    }
    out.truncate(size);
    out
}

/// The pseudorandom function of a version. (RFC 5246 5, RFC 4346 5)
pub(crate) fn prf(version: u16, secret: &[u8], label: &str, seed: &[u8], size: usize) -> Vec<u8> {
    let seed = [label.as_bytes(), seed].concat();
    if version >= TLS12 {
        return expand::<Hmac<Sha256>>(secret, &seed, size);
    }
    let half = secret.len().div_ceil(2);
    let (first, second) = (secret.get(..half), secret.get(secret.len() - half..));
    let left = expand::<Hmac<md5::Md5>>(first.unwrap_or_default(), &seed, size);
    let right = expand::<Hmac<Sha1>>(second.unwrap_or_default(), &seed, size);
    left.iter().zip(&right).map(|(left, right)| left ^ right).collect()
}

/// `verify_data` of a Finished message. (RFC 5246 7.4.9)
pub(crate) fn verify_data(version: u16, master: &[u8], label: &str, transcript: &[u8]) -> Vec<u8> {
    let digest =
        if version >= TLS12 { Sha256::digest(transcript).to_vec() } else { legacy_digest(transcript) };
    prf(version, master, label, &digest, 12)
}

/// One direction's keys, and how many records went by.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    suite: Suite,
    mac_key: Vec<u8>,
    key: Vec<u8>,
    sequence: u64,
}

/// The client's and the server's keys. (RFC 5246 6.3)
pub(crate) fn keys(version: u16, suite: Suite, master: &[u8], randoms: [&[u8]; 2]) -> (Keys, Keys) {
    let [client, server] = randoms;
    let (mac, key) = (suite.mac_size(), suite.key);
    let block = prf(version, master, "key expansion", &[server, client].concat(), 2 * (mac + key));
    let part = |from: usize, size: usize| block.get(from..from + size).unwrap_or_default().to_vec();
    let keys = |mac_key, key| Keys { suite, mac_key, key, sequence: 0 };
    (keys(part(0, mac), part(2 * mac, key)), keys(part(mac, mac), part(2 * mac + key, key)))
}

impl Keys {
    /// The MAC of the next record.
    pub(crate) fn mac(&self, kind: u8, version: u16, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
        let head = [&self.sequence.to_be_bytes()[..], &[kind], &version.to_be_bytes(), &length].concat();
        if self.suite.is_sha256 {
            hmac::<Hmac<Sha256>>(&self.mac_key, &[&head, content])
        } else {
            hmac::<Hmac<Sha1>>(&self.mac_key, &[&head, content])
        }
    }

    /// A proper record.
    pub(crate) fn seal(&mut self, kind: u8, version: u16, content: &[u8]) -> Vec<u8> {
        let mut plain = [content, &self.mac(kind, version, content)].concat();
        let pad = padding(plain.len());
        plain.extend(pad);
        self.seal_blocks(kind, version, &plain)
    }

    /// A record of whatever blocks: content, MAC and padding are the caller's; what is no whole block is left as
    /// it is.
    pub(crate) fn seal_blocks(&mut self, kind: u8, version: u16, plain: &[u8]) -> Vec<u8> {
        self.sequence += 1;
        let whole = plain.len() - plain.len() % BLOCK;
        let (blocks, rest) = plain.split_at(whole);
        record(kind, version, &[&VECTOR, self.encrypt(blocks).as_slice(), rest].concat())
    }

    fn encrypt(&self, blocks: &[u8]) -> Vec<u8> {
        if self.suite.key == 16 {
            cbc::Encryptor::<Aes128>::new_from_slices(&self.key, &VECTOR)
                .map(|mode| mode.encrypt_padded_vec::<NoPadding>(blocks))
                .unwrap_or_default()
        } else {
            cbc::Encryptor::<Aes256>::new_from_slices(&self.key, &VECTOR)
                .map(|mode| mode.encrypt_padded_vec::<NoPadding>(blocks))
                .unwrap_or_default()
        }
    }

    /// The content of a record of the peer; none where it does not hold.
    pub(crate) fn open(&mut self, record: &Record) -> Option<Vec<u8>> {
        let (vector, blocks) = record.body.split_at_checked(BLOCK)?;
        let mut plain = if self.suite.key == 16 {
            let mode = cbc::Decryptor::<Aes128>::new_from_slices(&self.key, vector).ok()?;
            mode.decrypt_padded_vec::<NoPadding>(blocks).ok()?
        } else {
            let mode = cbc::Decryptor::<Aes256>::new_from_slices(&self.key, vector).ok()?;
            mode.decrypt_padded_vec::<NoPadding>(blocks).ok()?
        };
        let padding = usize::from(*plain.last()?) + 1;
        plain.truncate(plain.len().checked_sub(padding)?);
        let mac = plain.split_off(plain.len().checked_sub(self.suite.mac_size())?);
        let is_whole = mac == self.mac(record.kind, record.version, &plain);
        self.sequence += 1;
        is_whole.then_some(plain)
    }
}

/// The shortest proper padding behind `size` bytes, its length byte included. (RFC 5246 6.2.3.2)
pub(crate) fn padding(size: usize) -> Vec<u8> {
    let length = BLOCK - size % BLOCK;
    vec![u8::try_from(length - 1).unwrap_or_default(); length]
}

/// A server's RSA key, as its certificate has it.
#[derive(Debug, Clone)]
pub(crate) struct ServerKey(rsa::PublicKey);

impl ServerKey {
    pub(crate) fn of(certificate: &[u8]) -> Result<Self, AuditError> {
        Self::read(certificate).ok_or(AuditError::Peer("has no RSA key in its certificate"))
    }

    fn read(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let Ok(PublicKey::RSA(key)) = certificate.public_key().parsed() else { return None };
        let number = BoxedUint::from_be_slice_vartime;
        rsa::PublicKey::new(number(key.modulus), number(key.exponent)).ok().map(Self)
    }

    /// How many bytes the modulus has.
    pub(crate) fn size(&self) -> usize {
        self.0.size()
    }

    /// The modulus.
    pub(crate) fn modulus(&self) -> Vec<u8> {
        self.0.n_bytes().to_vec()
    }

    /// The raw operation, without any padding.
    pub(crate) fn encrypt(&self, block: &[u8]) -> Result<Vec<u8>, AuditError> {
        let unable = AuditError::Unable("cannot encrypt a block longer than the modulus");
        let Ok(number) = BoxedUint::from_be_slice(block, self.0.n_bits_precision()) else {
            return Err(unable);
        };
        let Ok(cipher) = rsa_encrypt(&self.0, &number) else { return Err(unable) };
        let bytes = cipher.to_be_bytes_trimmed_vartime();
        Ok([vec![0; self.size().saturating_sub(bytes.len())].as_slice(), &bytes].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_was_sealed_opens_once_and_only_whole() {
        for code in [0x002F, 0x003D] {
            let suite = Suite::of(code).unwrap();
            let (mut client, _) = keys(TLS12, suite, &[1; 48], [&[2; 32], &[3; 32]]);
            let mut reader = client.clone();
            let bytes = client.seal(23, TLS12, b"hello");
            let mut sealed = Record { kind: 23, version: TLS12, body: bytes[5..].to_vec() };
            assert_eq!(reader.clone().open(&sealed).as_deref(), Some(b"hello".as_slice()));
            sealed.body[20] ^= 1;
            assert_eq!(reader.open(&sealed), None);
        }
    }

    #[test]
    fn padding_fills_the_block() {
        assert_eq!(padding(15), [0]);
        assert_eq!(padding(16), [15; 16]);
    }

    /// The vector that was published with the function. (IETF list of the TLS working group, 2009)
    #[test]
    fn the_pseudorandom_function_of_tls_12_is_the_published_one() {
        let secret =
            [0x9b, 0xbe, 0x43, 0x6b, 0xa9, 0x40, 0xf0, 0x17, 0xb1, 0x76, 0x52, 0x84, 0x9a, 0x71, 0xdb, 0x35];
        let seed =
            [0xa0, 0xba, 0x9f, 0x93, 0x6c, 0xda, 0x31, 0x18, 0x27, 0xa6, 0xf7, 0x96, 0xff, 0xd5, 0x19, 0x8c];
        let start = [0xe3, 0xf2, 0x29, 0xba, 0x72, 0x7b, 0xe1, 0x7b];
        assert_eq!(prf(TLS12, &secret, "test label", &seed, 100)[..8], start);
    }
}
