//! The few bytes of DER that the engine's safe builders cannot write: names with any byte in them, name
//! constraints, the private key usage period (RFC 5280 4.2.1), and what lists and OCSP responses are made of.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0A;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `GeneralName` choices, context tagged. (RFC 5280 4.2.1.6)
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// A tag, a length and the content.
pub(super) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match significant.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(SEQUENCE, &parts.concat())
}

/// A non-negative integer, most significant byte first.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let significant: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let needs_zero = significant.first().is_none_or(|top| *top >= 0x80);
    tlv(INTEGER, &[if needs_zero { vec![0] } else { Vec::new() }, significant].concat())
}

/// An object identifier, given its encoded content.
pub(super) fn oid(content: &[u8]) -> Vec<u8> {
    tlv(OID, content)
}

/// `SEQUENCE { algorithm, NULL }`.
pub(super) fn algorithm(content: &[u8]) -> Vec<u8> {
    sequence(&[oid(content), vec![0x05, 0x00]])
}

/// Whole octets as a bit string.
pub(super) fn bits(octets: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], octets].concat())
}

pub(super) fn generalized_time(at: Timestamp) -> Vec<u8> {
    tlv(GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
}

/// The shorter form until 2049, as RFC 5280 4.1.2.5 demands.
pub(super) fn time(at: Timestamp) -> Vec<u8> {
    match TimeZone::UTC.to_datetime(at).year() {
        1950..=2049 => tlv(UTC_TIME, at.strftime("%y%m%d%H%M%SZ").to_string().as_bytes()),
        _ => generalized_time(at),
    }
}

/// `SEQUENCE { extnID, critical, extnValue }`.
pub(super) fn extension(id: &[u8], is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if is_critical { vec![0x01, 0x01, 0xFF] } else { Vec::new() };
    sequence(&[oid(id), critical, tlv(OCTET_STRING, value)])
}

/// A subjectAltName of dNSNames, byte for byte, and addresses.
pub(super) fn alternative_names(dns: &[Vec<u8>], addresses: &[IpAddr]) -> Vec<u8> {
    let mut names: Vec<u8> = dns.iter().flat_map(|name| tlv(DNS_NAME, name)).collect();
    for address in addresses {
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        names.extend(tlv(IP_ADDRESS, &octets));
    }
    tlv(SEQUENCE, &names)
}

/// Name constraints: names below `domain` only, and no address at all. (RFC 5280 4.2.1.10)
pub(super) fn name_constraints(domain: &str) -> Vec<u8> {
    let permitted = tlv(SEQUENCE, &tlv(DNS_NAME, domain.as_bytes()));
    let every_v4 = tlv(SEQUENCE, &tlv(IP_ADDRESS, &[0; 8]));
    let every_v6 = tlv(SEQUENCE, &tlv(IP_ADDRESS, &[0; 32]));
    let excluded = [every_v4, every_v6].concat();
    tlv(SEQUENCE, &[tlv(0xA0, &permitted), tlv(0xA1, &excluded)].concat())
}

/// A private key usage period of two GeneralizedTimes. (RFC 3280 4.2.1.4)
pub(super) fn key_period(not_before: &str, not_after: &str) -> Vec<u8> {
    tlv(SEQUENCE, &[tlv(0x80, not_before.as_bytes()), tlv(0x81, not_after.as_bytes())].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short_or_long() {
        assert_eq!(tlv(4, &[]), [4, 0]);
        assert_eq!(tlv(4, &[7; 127])[..2], [4, 127]);
        assert_eq!(tlv(4, &[7; 200])[..3], [4, 0x81, 200]);
        assert_eq!(tlv(4, &[7; 300])[..4], [4, 0x82, 1, 44]);
    }
}
