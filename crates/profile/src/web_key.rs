//! Keys of an identity provider, and whether a text was signed by one: RS256 and ES256 of RFC 7518, nothing else.
//!
//! The kind of the key decides the algorithm; what the text says of itself is only compared with it, so that nobody
//! talks us into `none` or into an HMAC with a public key. (RFC 8725 3.1)

use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use openssl::sign::Verifier;

/// The smallest RSA key in bits. (RFC 7518 3.3)
const RSA_BITS: u32 = 2048;
/// Bytes of one number of an ES256 signature. (RFC 7518 3.4)
const EC_BYTES: usize = 32;

/// A public key.
#[derive(Debug)]
pub struct WebKey {
    key: PKey<Public>,
    is_ec: bool,
}

impl WebKey {
    /// An RSA key by modulus and exponent; nothing where it is too small or none.
    #[must_use]
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let read = || -> Result<PKey<Public>, ErrorStack> {
            let (n, e) = (BigNum::from_slice(modulus)?, BigNum::from_slice(exponent)?);
            PKey::from_rsa(Rsa::from_public_components(n, e)?)
        };
        let key = read().ok().filter(|key| key.bits() >= RSA_BITS)?;
        Some(Self { key, is_ec: false })
    }

    /// A key on the curve P-256 by its point; nothing where that is not on it.
    #[must_use]
    pub fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        let read = || -> Result<PKey<Public>, ErrorStack> {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
            let (x, y) = (BigNum::from_slice(x)?, BigNum::from_slice(y)?);
            PKey::from_ec_key(EcKey::from_public_key_affine_coordinates(&group, &x, &y)?)
        };
        read().ok().map(|key| Self { key, is_ec: true })
    }

    /// The one algorithm of this key.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        if self.is_ec { "ES256" } else { "RS256" }
    }

    /// Whether the signature of a text is this key's.
    #[must_use]
    pub fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        let verify = || -> Result<bool, ErrorStack> {
            let mut verifier = Verifier::new(MessageDigest::sha256(), &self.key)?;
            if self.is_ec {
                let Some((r, s)) = signature.split_at_checked(EC_BYTES).filter(|(_, s)| s.len() == EC_BYTES)
                else {
                    return Ok(false);
                };
                let der = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
                return verifier.verify_oneshot(&der.to_der()?, text);
            }
            verifier.verify_oneshot(signature, text)
        };
        verify().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use openssl::{pkey::Private, sign::Signer};

    use super::*;

    fn signed(key: &PKey<Private>, text: &[u8]) -> Vec<u8> {
        let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
        signer.sign_oneshot_to_vec(text).unwrap()
    }

    #[test]
    fn o12_a_signature_holds_for_its_key_and_text_alone() {
        let rsa = Rsa::generate(2048).unwrap();
        let key = WebKey::rsa(&rsa.n().to_vec(), &rsa.e().to_vec()).unwrap();
        let signature = signed(&PKey::from_rsa(rsa).unwrap(), b"text");
        assert!(key.verifies(b"text", &signature) && key.algorithm() == "RS256");
        assert!(!key.verifies(b"texts", &signature) && !key.verifies(b"text", &signature[1..]));

        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let ec = EcKey::generate(&group).unwrap();
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut numbers = openssl::bn::BigNumContext::new().unwrap();
        ec.public_key().affine_coordinates(&group, &mut x, &mut y, &mut numbers).unwrap();
        let key = WebKey::p256(&x.to_vec(), &y.to_vec()).unwrap();
        let der = signed(&PKey::from_ec_key(ec).unwrap(), b"text");
        let pair = EcdsaSig::from_der(&der).unwrap();
        let padded = |number: &openssl::bn::BigNumRef| number.to_vec_padded(32).unwrap();
        let signature = [padded(pair.r()), padded(pair.s())].concat();
        assert!(key.verifies(b"text", &signature) && key.algorithm() == "ES256");
        assert!(!key.verifies(b"texts", &signature) && !key.verifies(b"text", &der));
    }

    #[test]
    fn o12_a_weak_key_and_a_point_beside_the_curve_are_none() {
        let weak = Rsa::generate(1024).unwrap();
        assert!(WebKey::rsa(&weak.n().to_vec(), &weak.e().to_vec()).is_none());
        assert!(WebKey::p256(&[1], &[1]).is_none());
    }
}
