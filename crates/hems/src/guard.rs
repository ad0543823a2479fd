//! Where we may be led by others' URLs: the public network, and what the configuration lists beside it.
//!
//! Whoever writes a webhook, or tells us its ConnectionRequestURL, could otherwise have us knock at our own doors: the
//! address is judged when the connection is made, and the connection goes to the address that was judged.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A network: `10.1.0.0/16`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    base: IpAddr,
    bits: u8,
}

/// No network.
#[derive(Debug, thiserror::Error)]
#[error("a network is an address with a length, such as 10.1.0.0/16 or fd00::/8")]
pub(crate) struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| NetworkError)?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| NetworkError)?;
        if bits > most { Err(NetworkError) } else { Ok(Self { base, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let (base, other, width) = match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(other)) => {
                (u128::from(base.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(base), IpAddr::V6(other)) => (base.to_bits(), other.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        let host = width - u32::from(self.bits);
        base.checked_shr(host).unwrap_or(0) == other.checked_shr(host).unwrap_or(0)
    }
}

/// Whether a URL of others may lead to an address.
pub(crate) fn permits(address: IpAddr, listed: &[Network]) -> bool {
    let address = address.to_canonical();
    is_listed(address, listed) || is_public(address)
}

/// Whether the configuration names it.
pub(crate) fn is_listed(address: IpAddr, listed: &[Network]) -> bool {
    listed.iter().any(|network| network.contains(address.to_canonical()))
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// What is no host of everybody's. (IANA IPv4 Special-Purpose Address Registry)
fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224..=255, ..)
    );
    !is_special
}

/// Global unicast alone, without what carries an IPv4 address inside. (IANA IPv6 Special-Purpose Address Registry)
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [first, second, ..] = v6.segments();
    let is_tunnel = first == 0x2002 || (first == 0x2001 && second < 0x200);
    let is_example = (first == 0x2001 && second == 0xdb8) || first == 0x3fff;
    (0x2000..=0x3fff).contains(&first) && !is_tunnel && !is_example
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(address: &str, listed: &[&str]) -> bool {
        let listed: Vec<Network> = listed.iter().map(|text| text.parse().unwrap()).collect();
        permits(address.parse().unwrap(), &listed)
    }

    #[test]
    fn a_url_leads_to_the_public_network_and_nowhere_else() {
        for inside in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!permitted(inside, &[]), "{inside}");
        }
        for outside in
            ["9.9.9.9", "172.32.0.1", "100.128.0.1", "2620:fe::fe", "2a00:1450::1", "::ffff:9.9.9.9"]
        {
            assert!(permitted(outside, &[]), "{outside}");
        }
    }

    #[test]
    fn a_network_that_is_listed_is_open_and_its_neighbour_is_not() {
        let listed = ["10.1.0.0/16", "127.0.0.1", "fd00::/8"];
        assert!(
            permitted("10.1.255.1", &listed)
                && permitted("127.0.0.1", &listed)
                && permitted("fd12::1", &listed)
        );
        assert!(permitted("::ffff:10.1.0.1", &listed), "the same host");
        assert!(
            !permitted("10.2.0.1", &listed)
                && !permitted("127.0.0.2", &listed)
                && !permitted("fe80::1", &listed)
        );
        assert!(permitted("10.2.0.1", &["0.0.0.0/0"]));
        for wrong in ["10.0.0.0/33", "fd00::/129", "10.0.0/8", "localhost", "10.0.0.0/-1", "10.0.0.0/8/8"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
