//! Towards servers that are no part of the device plane: ordinary HTTPS, verified as browsers do, by name.
//!
//! Nothing of the clause is in force here, and nothing of it is weakened: TLS 1.2 and later, the system's anchors or a
//! file's, no certificate of ours.

use std::path::Path;

use openssl::{
    error::ErrorStack,
    ssl::{SslConnector, SslMethod, SslVersion},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_openssl::SslStream;

/// Connects to servers of others; cheap to clone.
#[derive(Clone)]
pub struct WebConnector(SslConnector);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The engine cannot use the anchors.
    #[error("the certificates of authorities cannot be used: {0}")]
    Anchors(#[from] ErrorStack),
    /// The server is not who it should be, or speaks no TLS that is good enough.
    #[error("TLS: {0}")]
    Handshake(#[from] openssl::ssl::Error),
}

impl WebConnector {
    /// Trusts a file of certificates, PEM, or what the system trusts.
    pub fn new(anchors: Option<&Path>) -> Result<Self, WebError> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        if let Some(path) = anchors {
            // In place of the system's, not beside them.
            builder.set_cert_store(openssl::x509::store::X509StoreBuilder::new()?.build());
            builder.set_ca_file(path)?;
        }
        Ok(Self(builder.build()))
    }

    /// TLS over a connection to the server of that name or address.
    pub async fn connect<S>(
        &self,
        host: &str,
        stream: S,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<S>, WebError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let ssl = self.0.configure()?.into_ssl(host)?;
        let mut stream = SslStream::new(ssl, stream)?;
        std::pin::Pin::new(&mut stream).connect().await?;
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use openssl::ssl::{SslAcceptor, SslFiletype};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::pki;

    /// Connects to a server for `localhost` under another name or not; its highest version is this.
    async fn connect(host: &str, anchors: Option<&str>, highest: SslVersion) -> Result<(), WebError> {
        let folder = tempfile::tempdir().unwrap();
        pki::init(folder.path()).unwrap();
        let pair = pki::issue_hems(folder.path(), "localhost").unwrap();
        let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).unwrap();
        acceptor.set_certificate_chain_file(&pair.chain).unwrap();
        acceptor.set_private_key_file(&pair.key, SslFiletype::PEM).unwrap();
        acceptor.set_min_proto_version(None).unwrap();
        acceptor.set_max_proto_version(Some(highest)).unwrap();
        acceptor.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
        let (acceptor, listener) = (acceptor.build(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream =
                SslStream::new(openssl::ssl::Ssl::new(acceptor.context()).unwrap(), tcp).unwrap();
            let _ = Pin::new(&mut stream).accept().await;
        });
        let anchors = anchors.map(|name| folder.path().join(name));
        let connector = WebConnector::new(anchors.as_deref()).unwrap();
        let outcome = connector.connect(host, TcpStream::connect(address).await.unwrap()).await.map(drop);
        server.await.unwrap();
        outcome
    }

    #[tokio::test]
    async fn a_server_is_who_its_name_says_by_an_authority_that_is_trusted() {
        let (newest, ours) = (SslVersion::TLS1_3, Some("operator.pem"));
        connect("localhost", ours, newest).await.unwrap();
        connect("localhost", ours, SslVersion::TLS1_2).await.unwrap();
        for (host, anchors, highest) in [
            ("other.example", ours, newest),
            ("127.0.0.1", ours, newest),
            ("localhost", None, newest),
            ("localhost", Some("manufacturer.pem"), newest),
            ("localhost", ours, SslVersion::TLS1_1),
        ] {
            let outcome = connect(host, anchors, highest).await;
            assert!(matches!(outcome, Err(WebError::Handshake(_))), "{host} {anchors:?}: {outcome:?}");
        }
    }
}
