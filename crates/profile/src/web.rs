//! TLS for people and their programs: the API's listener, and the client for it.
//!
//! It shares no context, no profile and no anchor with the device plane: TLS 1.2 and later, AEAD suites with forward
//! secrecy, no resumption. A certificate of the other side is optional, and says who a machine is.
//!
//! ```text
//!  client shows ──▶ nothing                        ──▶ a guest: passwords and tokens are HTTP's business
//!              ├──▶ one of a listed CA             ──▶ its subject is vouched for
//!              └──▶ any other, with its key proven ──▶ known by its fingerprint, or not at all
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use openssl::ssl::{
    Ssl, SslConnector, SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode,
    SslVerifyMode, SslVersion,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509VerifyResult};
use tokio::sync::watch;
use tokio_openssl::SslStream;

use crate::certificate::CertificateFacts;
use crate::context::{self, ContextError};
use crate::key::OwnCertificate;
use crate::stream::{Carrier, HANDSHAKE_BOUND};

/// AEAD with forward secrecy; those of TLS 1.3 have both. (RFC 9325 4.2)
const SUITES: &str = "ECDHE+AESGCM:ECDHE+CHACHA20";
/// RSA of 2048 bits, curves of 224: what the engine calls level 2.
const SECURITY_LEVEL: u32 = 2;

/// What the API's listener is made of, and made of again at a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebMaterials {
    /// Our certificate and key.
    pub own: OwnCertificate,
    /// CAs that vouch for machines, PEM; none where machines are known by fingerprint alone.
    pub client_anchors: Option<PathBuf>,
    /// Whether a lab's certificates will do.
    pub lab: bool,
}

/// The certificate that a client proved to have the key of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebGuest {
    /// The certificate.
    pub certificate: CertificateFacts,
    /// Whether a listed CA vouches for it.
    pub is_vouched_for: bool,
}

/// Accepts clients of the API; clones share it.
#[derive(Debug, Clone)]
pub struct WebAcceptor {
    present: Arc<watch::Sender<Present>>,
}

#[derive(Debug, Clone)]
struct Present {
    context: SslContext,
    own: CertificateFacts,
    has_anchors: bool,
}

impl WebAcceptor {
    /// Loads a certificate with its key, and the CAs of machines.
    ///
    /// # Errors
    /// A file that cannot be used, or files that do not belong together.
    pub fn new(materials: &WebMaterials) -> Result<Self, ContextError> {
        Ok(Self { present: Arc::new(watch::Sender::new(Present::load(materials)?)) })
    }

    /// Takes over changed files, or says what is wrong with them and goes on with the old ones.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn reload(&self, materials: &WebMaterials) -> Result<(), ContextError> {
        self.present.send_replace(Present::load(materials)?);
        Ok(())
    }

    /// Our own certificate.
    pub fn certificate(&self) -> CertificateFacts {
        self.present.borrow().own.clone()
    }

    /// Shakes hands on a new connection, within [`HANDSHAKE_BOUND`].
    ///
    /// # Errors
    /// The handshake failed or took too long.
    pub async fn accept(
        &self,
        carrier: impl Carrier + 'static,
    ) -> io::Result<(Box<dyn Carrier>, Option<WebGuest>)> {
        let Present { context, has_anchors, .. } = self.present.borrow().clone();
        let carrier: Box<dyn Carrier> = Box::new(carrier);
        let mut stream = SslStream::new(Ssl::new(&context)?, carrier)?;
        let shaken = tokio::time::timeout(HANDSHAKE_BOUND, Pin::new(&mut stream).accept());
        shaken.await?.map_err(io::Error::other)?;
        let ssl = stream.ssl();
        let der = ssl.peer_certificate().map(|certificate| certificate.to_der()).transpose()?;
        let facts = der.and_then(|der| CertificateFacts::read(&der));
        let is_vouched_for = has_anchors && ssl.verify_result() == X509VerifyResult::OK;
        let guest = facts.map(|certificate| WebGuest { certificate, is_vouched_for });
        Ok((Box::new(stream), guest))
    }
}

impl Present {
    fn load(materials: &WebMaterials) -> Result<Self, ContextError> {
        let WebMaterials { own, client_anchors, lab } = materials;
        for path in std::iter::once(&own.chain).chain(client_anchors).filter(|_| !lab) {
            if context::is_lab(path)? {
                return Err(ContextError::Lab { path: path.clone() });
            }
        }
        let mut builder = SslContext::builder(SslMethod::tls_server())?;
        let facts = present_own(&mut builder, own)?;
        harden(&mut builder)?;
        if let Some(path) = client_anchors {
            for anchor in context::certificates(path)? {
                builder.add_client_ca(&anchor)?;
                builder.cert_store_mut().add_cert(anchor)?;
            }
        }
        // A certificate of nobody is no reason to hang up: it is a guest's. What the engine found stays to be asked.
        builder.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        Ok(Self { context: builder.build(), own: facts, has_anchors: client_anchors.is_some() })
    }
}

/// Shows a certificate whose key is the one beside it.
fn present_own(
    builder: &mut SslContextBuilder,
    own: &OwnCertificate,
) -> Result<CertificateFacts, ContextError> {
    let missing = || ContextError::Pem { path: own.chain.clone(), wanted: "certificate" };
    let mut chain = context::certificates(&own.chain)?.into_iter();
    let leaf = chain.next().ok_or_else(missing)?;
    let key = own.key.open()?;
    if !leaf.public_key()?.public_eq(&key) {
        return Err(ContextError::KeyMismatch { chain: own.chain.clone(), key: own.key.clone() });
    }
    let facts = CertificateFacts::read(&leaf.to_der()?).ok_or_else(missing)?;
    builder.set_certificate(&leaf)?;
    builder.set_private_key(&key)?;
    for above in chain {
        builder.add_extra_chain_cert(above)?;
    }
    Ok(facts)
}

/// Versions, suites, and nothing that lasts beyond a connection.
fn harden(builder: &mut SslContextBuilder) -> Result<(), ContextError> {
    builder.set_security_level(SECURITY_LEVEL);
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_cipher_list(SUITES)?;
    builder.set_options(
        SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::CIPHER_SERVER_PREFERENCE
            | SslOptions::NO_TICKET,
    );
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    Ok(builder.set_num_tickets(0)?)
}

/// Calls the API, or another service of the operator.
#[derive(Debug, Clone)]
pub struct WebConnector {
    connector: SslConnector,
}

impl WebConnector {
    /// Trusts the CAs of a file, or those of the system; shows a certificate where there is one.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn new(anchors: Option<&Path>, own: Option<&OwnCertificate>) -> Result<Self, ContextError> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        if let Some(path) = anchors {
            builder.set_cert_store(store(context::certificates(path)?)?);
        }
        harden(&mut builder)?;
        if let Some(own) = own {
            present_own(&mut builder, own)?;
        }
        Ok(Self { connector: builder.build() })
    }

    /// Shakes hands with a host, within [`HANDSHAKE_BOUND`].
    ///
    /// # Errors
    /// It is not that host, nobody whom we trust says so, or the handshake took too long.
    pub async fn connect(&self, carrier: impl Carrier + 'static, host: &str) -> io::Result<Box<dyn Carrier>> {
        let ssl = self.connector.configure()?.into_ssl(host)?;
        let carrier: Box<dyn Carrier> = Box::new(carrier);
        let mut stream = SslStream::new(ssl, carrier)?;
        let shaken = tokio::time::timeout(HANDSHAKE_BOUND, Pin::new(&mut stream).connect());
        shaken.await?.map_err(io::Error::other)?;
        Ok(Box::new(stream))
    }
}

fn store(anchors: Vec<X509>) -> Result<openssl::x509::store::X509Store, ContextError> {
    let mut store = X509StoreBuilder::new()?;
    for anchor in anchors {
        store.add_cert(anchor)?;
    }
    Ok(store.build())
}
