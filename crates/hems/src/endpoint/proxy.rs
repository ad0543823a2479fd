//! The PROXY header: whom a balancer says that it speaks for. (decision 4)
//!
//! It is believed of listed balancers only, and there it must be: a connection without one, or past the balancers, is
//! refused. It is read byte by byte where its length is not known, so that nothing of the handshake behind it is lost.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use ppp::{HeaderResult, v1, v2};
use profile::{Reason, Refusal};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of a text header with its line end, by the protocol's definition.
const TEXT_MAX: usize = 107;
/// Bytes of a binary header before its addresses.
const BINARY_HEAD: usize = 16;
/// Bytes behind that: the longest addresses, and room for what balancers add to them.
const BINARY_REST_MAX: usize = 1024;
/// How a binary header begins.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Reads the header off a connection of the balancer `from`; gives the address that it speaks for.
pub(super) async fn source(
    stream: &mut (impl AsyncRead + Unpin),
    from: SocketAddr,
    balancers: &[IpAddr],
) -> Result<SocketAddr, Refusal> {
    if !balancers.contains(&from.ip().to_canonical()) {
        return Err(Refusal::new(Reason::ProxyHeader, "the connection comes from no listed balancer"));
    }
    let header = read(stream).await.map_err(|error| {
        Refusal::new(Reason::ProxyHeader, format!("no PROXY header from the balancer: {error}"))
    })?;
    parse(&header, from).map_err(|why| Refusal::new(Reason::ProxyHeader, why))
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut header = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == SIGNATURE {
        header.resize(BINARY_HEAD, 0);
        stream.read_exact(header.get_mut(SIGNATURE.len()..).unwrap_or_default()).await?;
        let length = header.last_chunk::<2>().map_or(0, |bytes| usize::from(u16::from_be_bytes(*bytes)));
        if length > BINARY_REST_MAX {
            return Err(io::Error::other(format!("{length} bytes are too many")));
        }
        header.resize(BINARY_HEAD + length, 0);
        stream.read_exact(header.get_mut(BINARY_HEAD..).unwrap_or_default()).await?;
    } else if header.starts_with(b"PROXY ") {
        while !header.ends_with(b"\r\n") {
            if header.len() >= TEXT_MAX {
                return Err(io::Error::other("the line has no end"));
            }
            header.push(stream.read_u8().await?);
        }
    } else {
        return Err(io::Error::other("something else came first"));
    }
    Ok(header)
}

/// The source in a header; a balancer that asks for itself (a health check) is its own source.
fn parse(header: &[u8], from: SocketAddr) -> Result<SocketAddr, String> {
    match HeaderResult::parse(header) {
        HeaderResult::V1(Ok(header)) => Ok(match header.addresses {
            v1::Addresses::Tcp4(pair) => (pair.source_address, pair.source_port).into(),
            v1::Addresses::Tcp6(pair) => (pair.source_address, pair.source_port).into(),
            v1::Addresses::Unknown => from,
        }),
        HeaderResult::V2(Ok(header)) => match (header.command, header.addresses) {
            (v2::Command::Local, _) => Ok(from),
            (v2::Command::Proxy, v2::Addresses::IPv4(pair)) => {
                Ok((pair.source_address, pair.source_port).into())
            }
            (v2::Command::Proxy, v2::Addresses::IPv6(pair)) => {
                Ok((pair.source_address, pair.source_port).into())
            }
            (v2::Command::Proxy, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => {
                Err("the PROXY header names no IP address".to_owned())
            }
        },
        HeaderResult::V1(Err(error)) => Err(format!("the PROXY header is broken: {error}")),
        HeaderResult::V2(Err(error)) => Err(format!("the PROXY header is broken: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BALANCER: &str = "10.0.0.5:40000";

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE.as_slice(), &[command, family], &length, rest].concat()
    }

    async fn read_source(mut bytes: &[u8]) -> Result<(String, usize), Reason> {
        let from = BALANCER.parse().unwrap();
        let source = source(&mut bytes, from, &[from.ip()]).await;
        source.map(|source| (source.to_string(), bytes.len())).map_err(|refusal| refusal.reason)
    }

    #[tokio::test]
    async fn x01_a_balancer_s_header_names_the_source_and_nothing_behind_it_is_lost() {
        let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0xe1, 0x7c, 0x1d, 0x7b];
        let v6 = [[0; 15].as_slice(), &[1], &[0; 15], &[2], &[0, 1, 0, 2], &[4, 0, 1, 9]].concat();
        for (header, source) in [
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 57724 7547\r\n".to_vec(), "192.0.2.7:57724"),
            (b"PROXY TCP6 2001:db8::7 ::1 57724 7547\r\n".to_vec(), "[2001:db8::7]:57724"),
            (b"PROXY UNKNOWN\r\n".to_vec(), BALANCER),
            (binary(0x21, 0x11, &v4), "192.0.2.7:57724"),
            (binary(0x21, 0x21, &v6), "[::1]:1"),
            (binary(0x20, 0x00, &[]), BALANCER),
        ] {
            let found = read_source(&[header.as_slice(), b"\x16\x03\x01"].concat()).await;
            assert_eq!(found, Ok((source.to_owned(), 3)), "{header:?}");
        }
    }

    #[tokio::test]
    async fn x01_what_is_no_header_is_refused() {
        let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        for bytes in [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00\x00\x00\x00".as_slice(),
            b"POST / HTTP/1.1\r\n\r\n",
            b"PROXY",
            b"PROXY TCP4 192.0.2.7\r\n",
            &endless,
            &binary(0x21, 0x11, &[1, 2, 3]),
            &binary(0x21, 0x31, &[0; 216]),
            &binary(0x11, 0x11, &[0; 12]),
            &[SIGNATURE.as_slice(), &[0x21, 0x11, 0xff, 0xff]].concat(),
        ] {
            assert_eq!(read_source(bytes).await, Err(Reason::ProxyHeader), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn x01_a_header_from_elsewhere_is_not_read() {
        let mut bytes = b"PROXY TCP4 192.0.2.7 10.0.0.1 57724 7547\r\n".as_slice();
        let refusal = source(&mut bytes, "10.0.0.6:1".parse().unwrap(), &["10.0.0.5".parse().unwrap()]).await;
        assert_eq!(refusal.unwrap_err().reason, Reason::ProxyHeader);
        assert_eq!(bytes.len(), 42);
    }
}
