//! The few bytes of DER that the engine's safe builders cannot write: names with any byte in them, name
//! constraints, and the private key usage period. (RFC 5280 4.2.1)

use std::net::IpAddr;

const SEQUENCE: u8 = 0x30;
/// `GeneralName` choices, context tagged. (RFC 5280 4.2.1.6)
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// A tag, a length and the content.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
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
