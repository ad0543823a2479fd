//! Datagram sockets that need no rights: ICMP echoes where the system's owner allows them, and UDP with an error queue.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{
        self, AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, setsockopt, sockopt,
    },
};
use tokio::net::UdpSocket;

use super::{Failure, Probe};
use crate::tunnel::TunnelEnd;

/// A socket to this address that leaves by the tunnel where there is one.
pub(super) fn open(
    to: SocketAddr,
    protocol: Option<SockProtocol>,
    probe: &Probe,
    tunnel: Option<&TunnelEnd>,
) -> Result<OwnedFd, Failure> {
    let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket::socket(family, SockType::Datagram, flags, protocol).map_err(not_allowed)?;
    let traffic = i32::from(probe.dscp) << 2;
    if to.is_ipv4() {
        setsockopt(&fd, sockopt::Ipv4Tos, &traffic).map_err(not_allowed)?;
    } else {
        setsockopt(&fd, sockopt::Ipv6TClass, &traffic).map_err(not_allowed)?;
    }
    if let Some(end) = tunnel {
        if let Some(interface) = &end.interface {
            setsockopt(&fd, sockopt::BindToDevice, &interface.into()).map_err(not_allowed)?;
        }
        let own = SockaddrStorage::from(SocketAddr::new(end.address, 0));
        socket::bind(fd.as_raw_fd(), &own).map_err(no_route)?;
    }
    Ok(fd)
}

/// Connects it: it hears that one address, and the kernel says whether there is a route.
pub(super) fn connect(fd: OwnedFd, to: SocketAddr) -> Result<UdpSocket, Failure> {
    socket::connect(fd.as_raw_fd(), &SockaddrStorage::from(to)).map_err(no_route)?;
    UdpSocket::from_std(fd.into()).map_err(|error| Failure::Internal(error.to_string()))
}

/// Lets routers' answers be read, and packets live so many hops.
pub(super) fn hop(fd: &impl AsFd, to: IpAddr, hops: u8) -> Result<(), Failure> {
    let hops = i32::from(hops);
    if to.is_ipv4() {
        setsockopt(fd, sockopt::Ipv4RecvErr, &true).map_err(not_allowed)?;
        setsockopt(fd, sockopt::Ipv4Ttl, &hops).map_err(not_allowed)
    } else {
        setsockopt(fd, sockopt::Ipv6RecvErr, &true).map_err(not_allowed)?;
        setsockopt(fd, sockopt::Ipv6Ttl, &hops).map_err(not_allowed)
    }
}

fn not_allowed(error: Errno) -> Failure {
    Failure::Internal(error.desc().to_owned())
}

fn no_route(error: Errno) -> Failure {
    Failure::NoRoute(error.desc().to_owned())
}

/// Whether sending failed for want of a route.
pub(super) fn is_no_route(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable)
}
