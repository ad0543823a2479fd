//! Where diagnostics may go: to the H(e)MS's own host, and into the networks that the configuration names.
//!
//! The default is the narrow one: a H(e)MS that was taken over shall not look around in the network of the house that
//! the cell stands in. (decision 29)

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use tokio::{net::lookup_host, time::timeout};

use super::Failure;
use crate::tunnel::TunnelEnd;

/// How long a name may take.
const NAME_WAIT: Duration = Duration::from_secs(10);

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the address is in it; one of another IP version never is.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let (own, other, width) = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        let differing: u128 = own ^ other;
        differing.checked_shr(width - u32::from(self.bits)).unwrap_or(0) == 0
    }
}

impl FromStr for Network {
    type Err = ();

    /// An address, or an address and a number of bits, such as `10.45.0.0/16`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), str::parse).map_err(|_| ())?;
        if bits > width { Err(()) } else { Ok(Self { address, bits }) }
    }
}

/// What a cell's owner allows.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    /// The host of the H(e)MS that the cell calls now.
    pub(crate) hems: String,
    pub(crate) networks: Vec<Network>,
    pub(crate) tunnel: Option<TunnelEnd>,
}

impl Reach {
    /// The first address of the host that may be probed.
    pub(crate) async fn resolve(&self, host: &str) -> Result<IpAddr, Failure> {
        if let Some(end) = &self.tunnel {
            // Before the name is asked for: that question, too, would leave by another way.
            end.socket().map_err(|error| Failure::NoRoute(format!("the tunnel is down: {error}")))?;
        }
        let found = addresses(host).await?;
        let hems = addresses(&self.hems).await.unwrap_or_default();
        let fits = |address: &&IpAddr| {
            self.tunnel.as_ref().is_none_or(|end| end.address.is_ipv4() == address.is_ipv4())
        };
        let allowed = found.iter().filter(fits).find(|address| self.allows(**address, &hems));
        allowed.copied().ok_or_else(|| {
            Failure::Other(format!("{host} is neither the H(e)MS's host nor in diagnostics.networks"))
        })
    }

    fn allows(&self, address: IpAddr, hems: &[IpAddr]) -> bool {
        // One packet that many answer is a weapon.
        let is_one = !address.is_multicast() && !address.is_unspecified();
        is_one && (hems.contains(&address) || self.networks.iter().any(|network| network.contains(address)))
    }
}

async fn addresses(host: &str) -> Result<Vec<IpAddr>, Failure> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let said = |text: String| Failure::CannotResolve(format!("{bare}: {text}"));
    let found = timeout(NAME_WAIT, lookup_host((bare, 0))).await.map_err(|_| said("no answer".to_owned()))?;
    let found = found.map_err(|error| said(error.to_string()))?;
    Ok(found.map(|address: SocketAddr| address.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(networks: &[&str]) -> Reach {
        let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        Reach { hems: "127.0.0.1".to_owned(), networks, tunnel: None }
    }

    #[test]
    fn c39_a_network_is_its_first_bits() {
        let contains = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("10.45.0.0/16", "10.45.255.1") && !contains("10.45.0.0/16", "10.46.0.1"));
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.6"));
        assert!(contains("0.0.0.0/0", "203.0.113.1") && !contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("2001:db8::/32", "2001:db8:7::1") && !contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("::/0", "2001:db8::1"));
        for wrong in ["", "10.45.0.0/33", "10.45/16", "::/129", "10.45.0.0/", "hems.example", "1.2.3.4/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn c39_only_the_hems_and_named_networks_are_reached() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(reach(&[]).resolve("127.0.0.1").await, Ok(address("127.0.0.1")));
        for (networks, host) in [
            (&[][..], "127.0.0.2"),
            (&["10.0.0.0/8"], "192.0.2.1"),
            (&["0.0.0.0/0"], "224.0.0.1"),
            (&["0.0.0.0/0"], "0.0.0.0"),
        ] {
            let refused = reach(networks).resolve(host).await;
            assert!(matches!(refused, Err(Failure::Other(_))), "{host}: {refused:?}");
        }
        assert_eq!(reach(&["127.0.0.0/8"]).resolve("127.0.0.2").await, Ok(address("127.0.0.2")));
        assert!(matches!(reach(&[]).resolve("no such name").await, Err(Failure::CannotResolve(_))));
    }

    #[tokio::test]
    async fn x03_without_the_tunnel_nothing_is_probed() {
        let tunnel = TunnelEnd { address: "192.0.2.45".parse().unwrap(), interface: None };
        let reach = Reach { tunnel: Some(tunnel), ..reach(&["0.0.0.0/0"]) };
        assert!(matches!(reach.resolve("127.0.0.1").await, Err(Failure::NoRoute(_))));
    }
}
