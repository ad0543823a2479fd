//! A TCP balancer that says in a PROXY header, version 2, for whom it speaks.
//!
//! ```text
//!   cell ─▶ accept ─▶ the next node in turn ─┬─ listens ─▶ header, then bytes both ways
//!                                            └─ is dead ─▶ the next one
//! ```

use std::{
    io,
    net::{SocketAddr, SocketAddrV4},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

/// How a header of version 2 begins; then follow `PROXY`, TCP over IPv4, and twelve bytes of addresses.
const HEAD: [u8; 16] = *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";

/// Hands what arrives at `place` to the nodes, in turn, for as long as the future is polled.
///
/// # Panics
/// The place is taken.
pub async fn balance(place: SocketAddr, nodes: Vec<SocketAddr>) {
    let listener = TcpListener::bind(place).await.expect("the balancer's place is free");
    let (nodes, turn) = (Arc::new(nodes), Arc::new(AtomicUsize::new(0)));
    loop {
        let Ok((cell, from)) = listener.accept().await else { continue };
        let (nodes, turn) = (Arc::clone(&nodes), Arc::clone(&turn));
        // A line that breaks on one side is closed on the other, and that is all there is to do.
        tokio::spawn(async move { join(cell, from, &nodes, &turn).await.ok() });
    }
}

async fn join(
    mut cell: TcpStream,
    from: SocketAddr,
    nodes: &[SocketAddr],
    turn: &AtomicUsize,
) -> io::Result<()> {
    let mut node = next(nodes, turn).await?;
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (from, cell.local_addr()?) else {
        return Err(io::Error::other("this balancer speaks IPv4"));
    };
    node.write_all(&header(from, to)).await?;
    copy_bidirectional(&mut cell, &mut node).await.map(drop)
}

/// A connection to the next node that listens.
async fn next(nodes: &[SocketAddr], turn: &AtomicUsize) -> io::Result<TcpStream> {
    for _ in nodes {
        let place = turn.fetch_add(1, Ordering::Relaxed) % nodes.len();
        if let Some(node) = nodes.get(place)
            && let Ok(node) = TcpStream::connect(node).await
        {
            return Ok(node);
        }
    }
    Err(io::Error::other("no node listens"))
}

fn header(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    [HEAD.as_slice(), &from.ip().octets(), &to.ip().octets(), &ports].concat()
}
