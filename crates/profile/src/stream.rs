//! The opaque TLS stream, and the evidence of what was negotiated.
//!
//! The end of a stream is what the peer signed with close_notify; a connection that is cut is an error, so that
//! nobody in between can shorten a message. (RFC 5246 7.2.1, T-15)

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use openssl::ssl::ErrorCode;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_openssl::SslStream;

use crate::certificate::CertificateFacts;
use crate::ffi;
use crate::refusal::{Reason, Refusal};
use crate::revocation::CrlStanding;

/// How long a handshake may take: generous for a cell on a slow line, short for one who holds sockets open.
pub const HANDSHAKE_BOUND: Duration = Duration::from_secs(10);

/// What was negotiated, for reports. (Decision 11)
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The profile of the listener or the cell.
    pub profile: &'static str,
    /// `TLSv1.1`, `TLSv1.2` or `TLSv1.3`.
    pub tls_version: &'static str,
    /// The suite's name in its standard.
    pub suite: &'static str,
    /// The suite's code point.
    pub suite_code: u16,
    /// Whether an earlier session was continued.
    pub resumed: bool,
    /// The peer's certificate.
    pub certificate: CertificateFacts,
    /// The rules that the certificate breaks under an exception of its anchor; empty inside the profile.
    pub outside_profile: Vec<Reason>,
    /// What the revocation lists of its anchor say.
    pub revocation: Revocation,
}

/// What was known about revocation when a peer was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// The anchor has no revocation lists.
    Unchecked,
    /// Lists in force do not name it.
    Current,
    /// So said a list from the future of a clock that is not synchronised.
    Early,
    /// So said a list that is overdue, within its grace.
    Stale,
}

impl From<Option<CrlStanding>> for Revocation {
    fn from(standing: Option<CrlStanding>) -> Self {
        match standing {
            None => Self::Unchecked,
            Some(CrlStanding::Current) => Self::Current,
            Some(CrlStanding::Early { .. }) => Self::Early,
            Some(CrlStanding::Stale { .. }) => Self::Stale,
        }
    }
}

/// What TLS runs over: a TCP connection, or whatever else carries bytes both ways in order.
pub trait Carrier: AsyncRead + AsyncWrite + Send + Sync + Unpin + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + fmt::Debug> Carrier for T {}

/// A TLS connection that keeps the profile; bytes in, bytes out.
#[derive(Debug)]
pub struct Stream(pub(crate) SslStream<Box<dyn Carrier>>);

impl Stream {
    /// The engine's binding reads a cut connection as an end; a second look tells the two apart.
    fn poll_end(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.0).poll_peek(cx, &mut [0])) {
            Err(error) if error.code() == ErrorCode::ZERO_RETURN => Poll::Ready(Ok(())),
            Ok(_) | Err(_) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

impl Stream {
    /// A server that wants another handshake, mostly to ask for the certificate then, hears no and gets nothing more:
    /// whoever reads learns why. (Decision 2, T-07)
    fn no_renegotiation(&self) -> io::Result<()> {
        if ffi::message::heard(self.0.ssl()).is_some_and(ffi::message::Heard::hello_request) {
            let detail = "the server asked for another handshake on an open connection";
            return Err(io::Error::other(Refusal::new(Reason::Renegotiation, detail)));
        }
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, wanted) = (buf.filled().len(), buf.remaining());
        let read = Pin::new(&mut self.0).poll_read(cx, buf);
        self.no_renegotiation()?;
        ready!(read)?;
        if buf.filled().len() == before && wanted > 0 { self.poll_end(cx) } else { Poll::Ready(Ok(())) }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
