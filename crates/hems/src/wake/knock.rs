//! One Connection Request: a connection, a GET without anything, a status. Nothing else of the answer is read.
//!
//! ```text
//!  target ─▶ may we go there? ─▶ TCP ─▶ TLS by identity, or the tunnel ─▶ GET path ─▶ 2xx
//! ```

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

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
/// A port for a question to the kernel; nothing is sent there.
const ANY_PORT: u16 = 9;

/// Asks a cell for a session, within the configured time.
pub(super) async fn knock(hems: &Hems, waking: &Waking, aim: &Aim, cell: &Identity) -> Result<(), WakeError> {
    let attempt = async {
        let address = aim.target.address.ip();
        if !is_vouched(hems, waking, address, cell).await? {
            permit(address, aim.called, &waking.networks)?;
            is_elsewhere(waking, address).await?;
        }
        ask(hems, aim, cell).await
    };
    timeout(waking.patience, attempt).await.unwrap_or(Err(WakeError::Slow))
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

/// The way to an address of this machine begins there: the kernel says so before a packet is sent.
async fn is_elsewhere(waking: &Waking, address: IpAddr) -> Result<(), WakeError> {
    if guard::is_listed(address, &waking.networks) {
        return Ok(());
    }
    let any = match address {
        IpAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
        IpAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let to = SocketAddr::new(address, ANY_PORT);
    let way = async {
        let socket = UdpSocket::bind(any).await?;
        socket.connect(to).await?;
        socket.local_addr()
    };
    match way.await {
        Ok(from) if from.ip() == address => Err(WakeError::Here(address)),
        Ok(_) => Ok(()),
        Err(error) => Err(WakeError::Connect(to, error)),
    }
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
