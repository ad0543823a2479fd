//! How a connection is opened: by the kernel's sockets, or by whoever stands in for the network.
//!
//! ```text
//!   Link ─▶ Dialler ─▶ Sockets: name, tunnel or routes, TCP
//!              └─────▶ a network in memory, where years pass in a second
//! ```

use std::{fmt, future::Future, io, pin::Pin};

use profile::Carrier;
use tokio::net::TcpStream;

use crate::{link::LinkError, tunnel::TunnelEnd};

/// A connection on its way.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Carrier>, LinkError>> + Send + 'a>>;

/// Opens connections for a cell.
pub trait Dialler: Send + Sync + fmt::Debug {
    /// A connection to `host`, which is a name or an address; through the tunnel where there is one, or not at all.
    fn open<'a>(&'a self, host: &'a str, port: u16, tunnel: Option<&'a TunnelEnd>) -> Opening<'a>;
}

/// The network that the kernel knows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sockets;

impl Dialler for Sockets {
    fn open<'a>(&'a self, host: &'a str, port: u16, tunnel: Option<&'a TunnelEnd>) -> Opening<'a> {
        Box::pin(async move { Ok(Box::new(open_tcp(host, port, tunnel).await?) as Box<dyn Carrier>) })
    }
}

async fn open_tcp(host: &str, port: u16, tunnel: Option<&TunnelEnd>) -> Result<TcpStream, LinkError> {
    if let Some(end) = tunnel {
        // Before the name is asked for: that question, too, would leave by another way.
        end.socket().map_err(|source| LinkError::Tunnel { address: end.address, source })?;
    }
    let resolve = |source| LinkError::Resolve { host: host.to_owned(), source };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in tokio::net::lookup_host((host, port)).await.map_err(resolve)? {
        let connected = match tunnel {
            Some(end) => end.connect(address).await,
            None => TcpStream::connect(address).await,
        };
        match connected {
            Ok(tcp) => {
                // Posts are small and each waits for its reply.
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Err(error) => last = error,
        }
    }
    Err(LinkError::Connect { host: host.to_owned(), source: last })
}
