//! The cell's end of the IPsec tunnel: a socket that leaves by it or not at all.
//!
//! The tunnel itself is the IKE daemon's business. It puts the inner address on an interface when the tunnel is up and
//! takes it away when it is down; a socket that is bound to that address cannot be opened then, and nothing is sent,
//! not even a question for the H(e)MS's name. Where the interface is given too, the kernel lets no packet of the
//! socket leave by another one, whatever the routes say.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use tokio::net::{TcpSocket, TcpStream, UdpSocket};

/// Where the tunnel begins on this cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelEnd {
    /// The inner address.
    pub address: IpAddr,
    /// The interface that every packet must leave by; whoever may not demand that of the kernel gets no connection.
    pub interface: Option<String>,
}

impl TunnelEnd {
    /// A socket that leaves by the tunnel; an error while the tunnel is down.
    pub(crate) fn socket(&self) -> io::Result<TcpSocket> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(interface) = &self.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        socket.bind(SocketAddr::new(self.address, 0))?;
        Ok(socket)
    }

    /// The same for datagrams. (K-03)
    pub(crate) async fn datagrams(&self) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(SocketAddr::new(self.address, 0)).await?;
        if let Some(interface) = &self.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        Ok(socket)
    }

    /// Connects through the tunnel.
    pub(crate) async fn connect(&self, peer: SocketAddr) -> io::Result<TcpStream> {
        if peer.is_ipv4() != self.address.is_ipv4() {
            let why = "the H(e)MS's address is of another IP version than the tunnel's";
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, why));
        }
        self.socket()?.connect(peer).await
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn end(address: &str, interface: Option<&str>) -> TunnelEnd {
        TunnelEnd { address: address.parse().unwrap(), interface: interface.map(str::to_owned) }
    }

    #[tokio::test]
    async fn x03_a_socket_leaves_by_the_tunnel_s_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = listener.local_addr().unwrap();
        let _stream = end("127.0.0.45", None).connect(peer).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1.ip().to_string(), "127.0.0.45");
        assert!(end("::1", None).connect(peer).await.is_err(), "another IP version");
    }

    #[tokio::test]
    async fn x03_without_the_tunnel_there_is_no_socket() {
        for end in [end("192.0.2.45", None), end("127.0.0.1", Some("no-such-tunnel"))] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            assert!(end.connect(listener.local_addr().unwrap()).await.is_err(), "{end:?}");
        }
    }
}
