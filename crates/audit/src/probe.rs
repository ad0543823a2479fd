//! Questions to a listener whose answers must not depend on what it decrypted: where they do, an attacker reads
//! secrets out of them. (RFC 5246 7.4.7.1 and 6.2.3.2)
//!
//! Each probe authenticates with a real client certificate and then goes wrong in one way. The answer that
//! counts is the alert and the way the connection ends; time is not measured, since a shared machine cannot.

use std::net::SocketAddr;

use crate::caller::{Call, Exchange, Outcome, STEPS, Spoil, Step};
use crate::credentials::Credentials;
use crate::error::AuditError;
use crate::wire::Farewell;

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What was wrong.
    pub name: &'static str,
    /// The answer; none where the listener took it for good.
    pub answer: Option<Farewell>,
    /// Whether what is wrong shows only after decryption. What anybody on the path can see, such as a ciphertext
    /// of the wrong length, may be answered in its own way.
    pub is_secret: bool,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The answer that says nothing: to a well-formed but wrong secret.
    pub reference: Farewell,
    /// The questions.
    pub cases: Vec<Case>,
}

impl Findings {
    /// The cases that give something away, or were taken for good.
    pub fn oracles(&self) -> Vec<&Case> {
        let tells =
            |case: &&Case| case.answer.is_none() || (case.is_secret && case.answer != Some(self.reference));
        self.cases.iter().filter(tells).collect()
    }
}

/// A name, and how it is made from the honest bytes.
type Spoilt = (&'static str, fn(&[u8]) -> Vec<u8>);
/// The same, from an honest ciphertext and the modulus.
type SpoiltCiphertext = (&'static str, fn(&[u8], &[u8]) -> Vec<u8>);

/// Byte `at` of a block becomes `value`.
fn set(block: &[u8], at: usize, value: u8) -> Vec<u8> {
    let mut block = block.to_vec();
    if let Some(byte) = block.get_mut(at) {
        *byte = value;
    }
    block
}

/// The same block with a secret of another length: the zero that ends the padding moves.
fn secret_of(block: &[u8], size: usize) -> Vec<u8> {
    let at = block.len().saturating_sub(size + 1);
    let mut block: Vec<u8> = block.iter().map(|byte| if *byte == 0 { 0xA5 } else { *byte }).collect();
    if let Some(first) = block.first_mut() {
        *first = 0;
    }
    set(&block, at, 0)
}

/// Where the 48 bytes of the secret begin.
fn secret_at(block: &[u8]) -> usize {
    block.len().saturating_sub(48)
}

/// Blocks that are wrong inside. (Bleichenbacher 1998; Klima, Pokorny and Rosa 2003)
const BLOCKS: [Spoilt; 17] = [
    ("begins with 1", |block| set(block, 0, 1)),
    ("begins with 127", |block| set(block, 0, 0x7F)),
    ("is of block type 0", |block| set(block, 1, 0)),
    ("is of block type 1", |block| set(block, 1, 1)),
    ("is of block type 3", |block| set(block, 1, 3)),
    ("has a zero as first padding byte", |block| set(block, 2, 0)),
    ("has a zero as eighth padding byte", |block| set(block, 9, 0)),
    ("has a zero as ninth padding byte", |block| set(block, 10, 0)),
    ("has a zero in the middle of its padding", |block| set(block, 100, 0)),
    ("has a zero as last padding byte", |block| set(block, secret_at(block).saturating_sub(2), 0)),
    ("has no zero that ends the padding", |block| set(block, secret_at(block).saturating_sub(1), 1)),
    ("holds nothing", |block| secret_of(block, 0)),
    ("holds one byte", |block| secret_of(block, 1)),
    ("holds 47 bytes", |block| secret_of(block, 47)),
    ("holds 49 bytes", |block| secret_of(block, 49)),
    ("is zero but for its last byte", |block| set(&vec![0; block.len()], block.len().saturating_sub(1), 2)),
    ("holds a secret of SSL 3.0", |block| set(block, secret_at(block) + 1, 0)),
];

/// Versions in the secret that were not in the hello: a rollback that must not be told apart. (RFC 5246 7.4.7.1)
const ROLLBACKS: [Spoilt; 4] = [
    ("holds a secret of TLS 1.0", |block| set(block, secret_at(block) + 1, 1)),
    ("holds a secret of version 2.3", |block| set(block, secret_at(block), 2)),
    ("holds a secret of version 3.255", |block| set(block, secret_at(block) + 1, 0xFF)),
    ("holds a secret of version 0.0", |block| set(&set(block, secret_at(block), 0), secret_at(block) + 1, 0)),
];

/// Ciphertexts that anybody on the path sees to be wrong.
const CIPHERTEXTS: [SpoiltCiphertext; 6] = [
    ("ciphertext is zero", |honest, _| vec![0; honest.len()]),
    ("ciphertext is the modulus", |_, modulus| modulus.to_vec()),
    ("ciphertext is above the modulus", |honest, _| vec![0xFF; honest.len()]),
    ("ciphertext lacks a byte", |honest, _| honest.get(1..).unwrap_or_default().to_vec()),
    ("ciphertext has a byte too many", |honest, _| [&[0], honest].concat()),
    ("ciphertext is empty", |_, _| Vec::new()),
];

/// Messages whose length and content disagree.
const MESSAGES: [Spoilt; 3] = [
    ("message is empty", |_| Vec::new()),
    ("message ends in the middle", |honest| honest.get(..honest.len() / 2).unwrap_or_default().to_vec()),
    ("message goes on", |honest| [honest, &[0; 7]].concat()),
];

/// A block with another good secret than the keys are made from: what an attacker's best guess looks like.
fn wrong_secret(block: &[u8]) -> Vec<u8> {
    set(block, block.len().saturating_sub(1), 0x44)
}

async fn refusal(
    address: SocketAddr,
    own: &Credentials,
    call: &Call,
) -> Result<Option<Farewell>, AuditError> {
    Ok(call.make(address, own).await?.refusal())
}

/// Whether RSA key exchange tells a good block from a bad one. `version` is 0x0302 or 0x0303, `suite` one with
/// RSA key exchange.
pub async fn bleichenbacher(
    address: SocketAddr,
    own: &Credentials,
    version: u16,
    suite: u16,
) -> Result<Findings, AuditError> {
    let call = Call::new(version, suite);
    let wrong = call.clone().exchange(Exchange::Block(wrong_secret));
    let reference =
        refusal(address, own, &wrong).await?.ok_or(AuditError::Peer("takes a wrong secret for good"))?;
    let blocks = BLOCKS.iter().chain(&ROLLBACKS).map(|(name, spoil)| (*name, Exchange::Block(*spoil), true));
    let ciphertexts = CIPHERTEXTS.iter().map(|(name, spoil)| (*name, Exchange::Ciphertext(*spoil), false));
    let messages = MESSAGES.iter().map(|(name, spoil)| (*name, Exchange::Message(*spoil), false));
    let mut cases = Vec::new();
    for (name, exchange, is_secret) in blocks.chain(ciphertexts).chain(messages) {
        let answer = refusal(address, own, &call.clone().exchange(exchange)).await?;
        cases.push(Case { name, answer, is_secret });
    }
    Ok(Findings { reference, cases })
}

/// Records that are wrong inside; the first is the reference: a wrong MAC and nothing else. (RFC 5246 6.2.3.2)
const RECORDS: [(&str, Spoil); 15] = [
    ("has a wrong MAC", |content, mac, padding| {
        [content, &set(&mac, 0, mac_byte(&mac, 0)), &padding].concat()
    }),
    ("has a wrong last byte of the MAC", |content, mac, padding| {
        let at = mac.len().saturating_sub(1);
        [content, &set(&mac, at, mac_byte(&mac, at)), &padding].concat()
    }),
    ("has no MAC", |content, mac, padding| [content, &vec![0; mac.len()], &padding].concat()),
    ("has a wrong first padding byte", |content, mac, _| {
        [content, &mac, &set(&long_padding(content, &mac), 0, 0xEE)].concat()
    }),
    ("has a wrong padding byte in the middle", |content, mac, _| {
        [content, &mac, &set(&long_padding(content, &mac), 20, 0xEE)].concat()
    }),
    ("has a wrong padding byte before the length", |content, mac, _| {
        let padding = long_padding(content, &mac);
        let at = padding.len().saturating_sub(2);
        [content, &mac, &set(&padding, at, 0xEE)].concat()
    }),
    ("has padding of any bytes, as SSL 3.0 allowed", |content, mac, padding| {
        let last = padding.len().saturating_sub(1);
        let any: Vec<u8> = (0..last).map(|at| at.to_le_bytes()[0] ^ 0x5A).collect();
        [content, &mac, &any, padding.get(last..).unwrap_or_default()].concat()
    }),
    ("has a padding length one too long", |content, mac, padding| {
        let at = padding.len().saturating_sub(1);
        [content, &mac, &set(&padding, at, padding_byte(&padding).wrapping_add(1))].concat()
    }),
    ("has a padding length one too short", |content, mac, padding| {
        let at = padding.len().saturating_sub(1);
        [content, &mac, &set(&padding, at, padding_byte(&padding).wrapping_sub(1))].concat()
    }),
    ("has a padding length of 255", |content, mac, padding| {
        let at = padding.len().saturating_sub(1);
        [content, &mac, &set(&padding, at, 255)].concat()
    }),
    ("is padding from end to end", |content, mac, padding| {
        let size = content.len() + mac.len() + padding.len();
        vec![u8::try_from(size.saturating_sub(1)).unwrap_or(255); size]
    }),
    ("is zeros", |content, mac, padding| vec![0; content.len() + mac.len() + padding.len()]),
    ("has a wrong MAC and long padding", |content, mac, _| {
        [content, &set(&mac, 0, mac_byte(&mac, 0)), &long_padding(content, &mac)].concat()
    }),
    ("has a wrong MAC over nothing", |_, mac, _| {
        let wrong = set(&mac, 0, mac_byte(&mac, 0));
        [wrong.as_slice(), &crate::cipher::padding(mac.len())].concat()
    }),
    ("has padding of 256 bytes and a wrong MAC", |_, mac, _| {
        let content = vec![0x41; 16 - mac.len() % 16];
        [content.as_slice(), &set(&mac, 0, mac_byte(&mac, 0)), &[255; 256]].concat()
    }),
];

/// Records that anybody sees to be wrong: no whole blocks, or fewer than a MAC needs.
const LENGTHS: [(&str, Spoil); 3] = [
    ("is not of whole blocks", |content, mac, padding| [content, &mac, &padding, &[1, 2, 3]].concat()),
    ("is one block", |_, _, _| vec![15; 16]),
    ("is empty", |_, _, _| Vec::new()),
];

fn mac_byte(mac: &[u8], at: usize) -> u8 {
    !mac.get(at).copied().unwrap_or_default()
}

fn padding_byte(padding: &[u8]) -> u8 {
    padding.last().copied().unwrap_or_default()
}

/// Proper padding with three blocks more than it needs.
fn long_padding(content: &[u8], mac: &[u8]) -> Vec<u8> {
    let size = crate::cipher::padding(content.len() + mac.len()).len() + 48;
    vec![u8::try_from(size - 1).unwrap_or_default(); size]
}

/// Whether record protection tells bad padding from a bad MAC. (Vaudenay 2002; Lucky 13 and POODLE by function)
pub async fn padding(
    address: SocketAddr,
    own: &Credentials,
    version: u16,
    suite: u16,
) -> Result<Findings, AuditError> {
    let call = Call::new(version, suite);
    let mut cases = Vec::new();
    let secret = RECORDS.iter().map(|row| (row, true));
    for ((name, spoil), is_secret) in secret.chain(LENGTHS.iter().map(|row| (row, false))) {
        let Outcome::Open(mut caller) = call.make(address, own).await? else {
            return Err(AuditError::Peer("refuses an honest handshake"));
        };
        caller.send_spoilt(b"a line of some bytes\n", *spoil).await?;
        let answer = Some(caller.farewell().await?);
        cases.push(Case { name, answer, is_secret });
    }
    let reference = cases.first().and_then(|case| case.answer);
    let reference = reference.ok_or(AuditError::Unable("has no cases"))?;
    Ok(Findings { reference, cases })
}

/// Shares that lie outside the group or in a tiny part of it; anybody sees them. (RFC 7919 5.1, RFC 2631 2.1.5)
const SHARES: [Spoilt; 8] = [
    ("share is 0", |_| vec![0]),
    ("share is 0 in full length", |prime| vec![0; prime.len()]),
    ("share is 1", |_| vec![1]),
    ("share is p - 1", |prime| {
        let at = prime.len().saturating_sub(1);
        set(prime, at, prime.last().copied().unwrap_or_default().wrapping_sub(1))
    }),
    ("share is p", <[u8]>::to_vec),
    ("share is above p", |prime| vec![0xFF; prime.len()]),
    ("share has a byte too many", |prime| [&[1], prime].concat()),
    ("share is empty", |_| Vec::new()),
];

/// Whether a listener takes a bad Diffie-Hellman share, and whether it answers each in the same way.
pub async fn diffie_hellman(
    address: SocketAddr,
    own: &Credentials,
    version: u16,
    suite: u16,
) -> Result<Findings, AuditError> {
    let call = Call::new(version, suite);
    if call.make(address, own).await?.refusal().is_some() {
        return Err(AuditError::Peer("refuses an honest handshake"));
    }
    let wrong = [&STEPS[..4], &[Step::WrongFinished]].concat();
    let reference = refusal(address, own, &call.clone().steps(&wrong)).await?;
    let reference = reference.ok_or(AuditError::Peer("takes a wrong Finished for good"))?;
    let mut cases = Vec::new();
    for (name, share) in SHARES {
        let answer = refusal(address, own, &call.clone().exchange(Exchange::Share(share))).await?;
        cases.push(Case { name, answer, is_secret: false });
    }
    Ok(Findings { reference, cases })
}
