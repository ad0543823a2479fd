//! Signatures of deliveries, as Standard Webhooks has them: HMAC-SHA256 over id, time and body, one per secret.
//!
//! ```text
//!   webhook-signature: v1,BASE64 v1,BASE64        the receiver needs to know one of the secrets
//! ```

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What secrets begin with, so that people and scanners know them.
const PREFIX: &str = "whsec_";
/// Bytes of a secret: 24 to 64 are allowed.
const SECRET_BYTES: usize = 32;

/// A secret that nobody knows yet; nothing when the system has no randomness.
pub(crate) fn secret() -> Option<String> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).ok()?;
    Some(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

/// The header's value; a secret that is none of ours signs nothing.
pub(crate) fn sign(secrets: &[String], id: &str, seconds: i64, body: &str) -> String {
    let one = |secret: &String| {
        let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    };
    secrets.iter().filter_map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn a_signature_is_the_one_of_standard_webhooks() {
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let sign = |secrets: &[&str]| {
            let secrets: Vec<_> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
            sign(&secrets, id, 1_614_265_330, r#"{"test": 2432232314}"#)
        };
        assert_eq!(sign(&[SECRET]), SIGNED);
        let fresh = secret().unwrap();
        let both = sign(&[&fresh, SECRET]);
        assert_eq!(both.split(' ').nth(1), Some(SIGNED));
        assert_eq!(sign(&["no secret"]), "");
        assert_ne!(secret().unwrap(), fresh);
    }
}
