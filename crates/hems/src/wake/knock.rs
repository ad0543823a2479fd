//! One Connection Request: a connection, a GET without anything, a status. Nothing else of the answer is read.
//!
//! ```text
//!  target ─▶ may we go there? ─▶ TCP ─▶ TLS by identity, or the tunnel ─▶ GET path ─▶ 2xx
//! ```

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use profile::Identity;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UdpSocket},
    task::JoinSet,
    time::timeout,
};

use super::{Aim, WakeError, permit};
use crate::{Hems, config::Waking, guard};

/// Most bytes of an answer's head: the least that the HTTP library takes, and forty times what a cell says.
const HEAD_BYTES: usize = 8192;
/// Most headers of an answer.
const HEADERS_MAX: usize = 32;

/// Asks a cell for a session, within the configured time.
pub(super) async fn knock(hems: &Hems, waking: &Waking, aim: &Aim, cell: &Identity) -> Result<(), WakeError> {
    let attempt = async {
        if !is_vouched(hems, waking, aim.target.address.ip(), cell).await? {
            is_permitted(waking, aim).await?;
        }
        ask(hems, aim, cell).await
    };
    timeout(waking.patience, attempt).await.unwrap_or(Err(WakeError::Slow))
}

/// Whether we connect there without a tunnel's word.
async fn is_permitted(waking: &Waking, Aim { target, called }: &Aim) -> Result<(), WakeError> {
    let address = target.address.ip();
    permit(address, *called, &waking.networks)?;
    if guard::is_listed(address, &waking.networks) {
        return Ok(());
    }
    match is_here(target.address).await {
        Ok(true) => Err(WakeError::Here(address)),
        Ok(false) => Ok(()),
        Err(error) => Err(WakeError::Connect(target.address, error)),
    }
}

/// Whether the tunnel says that the address is the cell's; in mode `ipsec` nobody else does.
async fn is_vouched(
    hems: &Hems,
    waking: &Waking,
    address: IpAddr,
    cell: &Identity,
) -> Result<bool, WakeError> {
    let Some(tunnel) = &waking.tunnel else { return Ok(false) };
    let why = match tunnel.vouch(address).await {
        Ok(vouched) if vouched.identity == *cell => return Ok(true),
        Ok(vouched) => format!("{address} is the address of {}", vouched.identity),
        Err(refusal) => refusal.detail,
    };
    if hems.mode.allows_plain_http() { Err(WakeError::Tunnel(why)) } else { Ok(false) }
}

/// Whether an address is this machine's: the kernel tells the way there before a packet is sent.
async fn is_here(to: SocketAddr) -> io::Result<bool> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(to).await?;
    Ok(socket.local_addr()?.ip() == to.ip())
}

async fn ask(hems: &Hems, Aim { target, .. }: &Aim, cell: &Identity) -> Result<(), WakeError> {
    let tcp = TcpStream::connect(target.address).await;
    let tcp = tcp.map_err(|error| WakeError::Connect(target.address, error))?;
    let status = if target.has_tls {
        let connector = hems.doors.as_ref().and_then(|doors| doors.way_out()).ok_or(WakeError::Off)?;
        let stream = connector.connect(tcp, cell).await.map_err(WakeError::Tls)?;
        exchange(stream, &target.path, cell.as_str()).await?
    } else {
        exchange(tcp, &target.path, &target.address.to_string()).await?
    };
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED => Err(WakeError::Secret),
        StatusCode::SERVICE_UNAVAILABLE => Err(WakeError::Busy),
        other => Err(WakeError::Status(other)),
    }
}

async fn exchange<S>(stream: S, path: &str, host: &str) -> Result<StatusCode, WakeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.max_buf_size(HEAD_BYTES).max_headers(HEADERS_MAX);
    let (mut sender, connection) = http.handshake(TokioIo::new(stream)).await?;
    // The connection goes with this set: nothing is read once the head is there, or the time is over.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| WakeError::Url)?;
    Ok(sender.send_request(request).await?.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn r05_this_machine_is_known_before_a_packet_is_sent() {
        for address in ["127.0.0.1:7547", "[::1]:7547"] {
            assert!(is_here(address.parse().unwrap()).await.unwrap(), "{address}");
        }
        // A machine without a way to the world does not know, which is no yes.
        assert!(!is_here("192.0.2.1:7547".parse().unwrap()).await.unwrap_or(false));
    }
}
