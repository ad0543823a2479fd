//! One handshake, from either side: bounded in time, and never failing without a reason. (RFC 5246 7.4)
//!
//! ```text
//!   engine ──verify callback──▶ Attempt ◀── the first refusal wins
//!     │                            │
//!     └── error, alert, EOF ──▶ explain ──▶ Refusal
//! ```

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{self, Ssl, SslRef, SslVerifyMode};
use openssl::x509::{X509StoreContext, X509StoreContextRef, X509VerifyResult};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_openssl::SslStream;

use crate::certificate::CertificateFacts;
use crate::ffi;
use crate::profile::{Exchange, Profile, Suite, Version};
use crate::refusal::{Reason, Refusal};
use crate::stream::{Carrier, HANDSHAKE_BOUND};
use crate::trust::{Trial, Trust, Verdict};
use crate::verify::{self, Role};

/// How long to listen after a failed handshake: closing earlier would reset the connection and take the alert
/// with it, and the peer would never learn why.
const FAREWELL: Duration = Duration::from_millis(500);
/// How much is read and thrown away in that time: a certificate chain fits.
const FAREWELL_BYTES: usize = 64 * 1024;

/// What one handshake found out, shared with the engine's callback.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    refusal: Mutex<Option<Refusal>>,
    /// Whether the ClientHello came without the extended master secret.
    lacks_secret: AtomicBool,
}

impl Attempt {
    fn refuse(&self, refusal: Refusal) {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(refusal);
    }

    fn refusal(&self) -> Option<Refusal> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

type Slot = Index<Ssl, Arc<Attempt>>;

fn slot() -> Result<Slot, ErrorStack> {
    static SLOT: OnceLock<Slot> = OnceLock::new();
    ffi::slot(&SLOT)
}

fn attempt(ssl: &SslRef) -> Option<&Attempt> {
    slot().ok().and_then(|slot| ssl.ex_data(slot)).map(Arc::as_ref)
}

/// Says in one of the engine's callbacks why the handshake is about to fail.
pub(crate) fn refuse(ssl: &SslRef, refusal: Refusal) {
    if let Some(attempt) = attempt(ssl) {
        attempt.refuse(refusal);
    }
}

/// Remembers of a ClientHello what the engine tells only when it is too late for an alert.
pub(crate) fn note_hello(ssl: &mut SslRef) {
    let has_secret = ffi::message::hello_extension(ssl, EXTENDED_MASTER_SECRET).is_some();
    if let Some(attempt) = attempt(ssl) {
        attempt.lacks_secret.store(!has_secret, Ordering::Relaxed);
    }
}

/// The extension of a ClientHello. (RFC 7627 5.1)
const EXTENDED_MASTER_SECRET: u16 = 23;

/// The judgement of a whole chain: DER, leaf first.
pub(crate) type Judge = dyn Fn(&[Vec<u8>]) -> Result<Verdict, Refusal> + Send + Sync;

/// Prepares a connection: dates by our clock, our rules in the engine's callback.
pub(crate) fn prepare(ssl: &mut Ssl, bench: Bench) -> Result<Arc<Attempt>, Refusal> {
    ssl.param_mut().set_time(bench.now.as_second());
    let attempt = Arc::new(Attempt::default());
    let internal = |error: ErrorStack| Refusal::new(Reason::Internal, error.to_string());
    ssl.set_ex_data(slot().map_err(internal)?, Arc::clone(&attempt));
    ffi::message::listen(ssl).map_err(internal)?;
    let witness = Arc::clone(&attempt);
    let mode = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
    ssl.set_verify_callback(mode, move |ok, store| {
        if ok && store.error_depth() > 0 {
            return true;
        }
        let chain = chain_of(store);
        let verdict = if ok { bench.verdict(store, &chain) } else { bench.complaint(store, &chain) };
        let Err(refusal) = verdict else {
            store.set_error(X509VerifyResult::OK);
            return true;
        };
        store.set_error(ffi::verify::verdict(engine_number(refusal.reason)));
        witness.refuse(refusal.about(chain.first().and_then(|leaf| CertificateFacts::read(leaf))));
        false
    });
    Ok(attempt)
}

/// What one handshake is judged by.
pub(crate) struct Bench {
    pub(crate) trust: Arc<Trust>,
    pub(crate) profile: &'static Profile,
    /// Whose certificates these are.
    pub(crate) role: Role,
    pub(crate) now: Timestamp,
    pub(crate) judge: Arc<Judge>,
}

impl Bench {
    /// Our judgement of a chain that the engine finds good, and of what it is used with: the suite of a H(e)MS, the
    /// hello of a H(e)NB.
    fn verdict(&self, store: &X509StoreContextRef, chain: &[Vec<u8>]) -> Result<(), Refusal> {
        (self.judge)(chain)?;
        let ssl = X509StoreContext::ssl_idx().ok().and_then(|index| store.ex_data(index));
        let lacks_secret = ssl.is_some_and(|ssl| {
            let is_12 = self.profile.version(ssl.version_str()) == Some(Version::Tls12);
            is_12 && attempt(ssl).is_some_and(|attempt| attempt.lacks_secret.load(Ordering::Relaxed))
        });
        if self.profile.needs_extended_master_secret && lacks_secret {
            return Err(no_extended_master_secret());
        }
        match (self.role, chain.first(), ssl.and_then(|ssl| suite(ssl, self.profile))) {
            (Role::Hems, Some(leaf), Some((_, suite))) => {
                verify::suite_usage(&verify::read(leaf)?, suite.exchange().is_forward_secret())
            }
            _ => Ok(()),
        }
    }

    /// What the engine complains of, by our rules where we have one: it ends a validity a second early, and it
    /// knows no exceptions. (The numbers are its `X509_V_ERR_*`.)
    fn complaint(&self, store: &X509StoreContextRef, chain: &[Vec<u8>]) -> Result<(), Refusal> {
        // The engine finds no issuer of what it cannot read; that is another fault.
        chain.iter().try_for_each(|der| verify::read(der).map(drop))?;
        let number = store.error().as_raw();
        let refusal = || engine_refusal(store, chain, self.role, self.profile);
        match number {
            NOT_YET_VALID | EXPIRED => {
                let depth = usize::try_from(store.error_depth()).unwrap_or_default();
                let der = store.current_cert().and_then(|certificate| certificate.to_der().ok());
                let der = der.ok_or_else(refusal)?;
                verify::dates(&verify::read(&der)?, depth, self.now)
            }
            // Some anchor lets this pass; whether it is the one of this chain is judged when the chain is built.
            26 | 66..=68 if self.trust.may_except(refusal().reason, self.now) => Ok(()),
            _ => Err(refusal()),
        }
    }
}

const NOT_YET_VALID: i32 = 9;
const EXPIRED: i32 = 10;

/// The engine's number for a refusal, so that the peer's alert is the table's, whoever found the fault. (RFC 5246 7.2.2)
fn engine_number(reason: Reason) -> i32 {
    match reason.alert() {
        Some(42) => 28,
        Some(43) => 26,
        Some(44) => 23,
        Some(45) => EXPIRED,
        Some(46) => 34,
        Some(48) => 20,
        Some(_) | None => X509VerifyResult::APPLICATION_VERIFICATION.as_raw(),
    }
}

/// The chain as the engine built it, leaf first; at least the certificate it complains about.
fn chain_of(store: &X509StoreContextRef) -> Vec<Vec<u8>> {
    let built = store.chain().map(|chain| chain.iter().filter_map(|ca| ca.to_der().ok()).collect::<Vec<_>>());
    let current = || store.current_cert().and_then(|certificate| certificate.to_der().ok());
    built.filter(|chain| !chain.is_empty()).unwrap_or_else(|| current().into_iter().collect())
}

/// What the engine's complaint means. (RFC 5280 6.1; the numbers are its `X509_V_ERR_*`)
pub(crate) fn engine_refusal(
    store: &X509StoreContextRef,
    chain: &[Vec<u8>],
    role: Role,
    profile: &Profile,
) -> Refusal {
    let error = store.error();
    let depth = usize::try_from(store.error_depth()).unwrap_or_default();
    let reason = match error.as_raw() {
        2 | 19 | 20 | 21 | 27 => Reason::UnknownIssuer,
        18 => Reason::SelfSigned,
        NOT_YET_VALID => Reason::CertificateNotYetValid,
        EXPIRED => Reason::CertificateExpired,
        13 | 14 => Reason::MalformedCertificate,
        26 if depth == 0 => return purpose_refusal(chain, role, profile),
        34 => Reason::CriticalExtension,
        62 | 64 => Reason::WrongName,
        66 | 67 => Reason::WeakKey,
        68 => Reason::WeakSignature,
        _ => Reason::BadChain,
    };
    let der = store.current_cert().and_then(|certificate| certificate.to_der().ok()).unwrap_or_default();
    let whose = verify::read(&der).map(|certificate| verify::whose(&certificate, depth)).unwrap_or_default();
    Refusal::new(reason, format!("{}{whose}", complaint(error)))
}

/// The engine's complaint, in our words where its own mislead: it calls every weak signature a CA's.
fn complaint(error: X509VerifyResult) -> &'static str {
    match error.as_raw() {
        66 | 67 => "the key is weaker than RSA with 2048 bits",
        68 => "the certificate is not signed with SHA-256 or better",
        _ => error.error_string(),
    }
}

/// The engine says "unsuitable purpose" for several rules; ours say which.
fn purpose_refusal(chain: &[Vec<u8>], role: Role, profile: &Profile) -> Refusal {
    let leaf = chain.first().map(Vec::as_slice).unwrap_or_default();
    let mut trial = Trial::plain(role, profile, Timestamp::UNIX_EPOCH);
    let ours = verify::read(leaf).and_then(|leaf| verify::leaf_rules(&leaf, &mut trial));
    let which = ours.err().filter(|refusal| refusal.reason != Reason::KeyPeriod);
    which.unwrap_or_else(|| Refusal::new(Reason::KeyUsage, "the certificate is not made for this purpose"))
}

/// Which end of the connection we are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Server,
    Client,
}

/// Shakes hands, and says why not.
pub(crate) async fn shake(
    ssl: Ssl,
    carrier: Box<dyn Carrier>,
    side: Side,
    attempt: Arc<Attempt>,
) -> Result<SslStream<Box<dyn Carrier>>, Refusal> {
    let mut stream =
        SslStream::new(ssl, carrier).map_err(|error| Refusal::new(Reason::Internal, error.to_string()))?;
    let outcome = timeout(HANDSHAKE_BOUND, async {
        match side {
            Side::Server => Pin::new(&mut stream).accept().await,
            Side::Client => Pin::new(&mut stream).connect().await,
        }
    });
    match outcome.await {
        Ok(Ok(())) => Ok(stream),
        Ok(Err(error)) => {
            let refusal = explain(&error, &attempt);
            part(stream.get_mut()).await;
            Err(refusal)
        }
        Err(_) => {
            let detail = format!("no handshake within {} s", HANDSHAKE_BOUND.as_secs());
            Err(Refusal::new(Reason::HandshakeTimeout, detail))
        }
    }
}

/// Ends our half and lets the peer read our alert.
pub(crate) async fn part(carrier: &mut Box<dyn Carrier>) {
    let farewell = async {
        carrier.shutdown().await?;
        let mut heard = 0;
        let mut buffer = vec![0; 4096];
        while heard < FAREWELL_BYTES {
            match carrier.read(&mut buffer).await? {
                0 => break,
                more => heard += more,
            }
        }
        Ok::<_, std::io::Error>(())
    };
    // Whatever happens to a connection that is over changes nothing.
    drop(timeout(FAREWELL, farewell).await);
}

/// Alerts of the peer are reasons from 1000 on. (OpenSSL's `SSL_AD_REASON_OFFSET`)
const ALERT_OFFSET: i32 = 1000;
/// The library number of TLS itself in the engine's error queue.
const TLS_LIBRARY: i32 = 20;

fn explain(error: &ssl::Error, attempt: &Attempt) -> Refusal {
    if let Some(refusal) = attempt.refusal() {
        return refusal;
    }
    if let Some(stack) = error.ssl_error() {
        let mut reasons = stack.errors().iter().filter(|error| error.library_code() == TLS_LIBRARY);
        let Some(first) = reasons.next() else {
            return Refusal::new(Reason::Internal, stack.to_string());
        };
        let text = first.reason().unwrap_or("unknown reason");
        return match u8::try_from(first.reason_code() - ALERT_OFFSET) {
            Ok(alert) => Refusal { alert: Some(alert), ..Refusal::new(alert_reason(alert), text) },
            Err(_) => {
                let reason = engine_reason(first.reason_code());
                let is_ours = reason == Reason::Sslv2Hello;
                Refusal::new(reason, if is_ours { "the first bytes are a hello of SSL 2.0" } else { text })
            }
        };
    }
    let detail =
        error.io_error().map_or_else(|| "the peer closed the connection".to_owned(), ToString::to_string);
    Refusal::new(Reason::HandshakeBroken, detail)
}

/// What a peer means by its fatal alert. (RFC 5246 7.2.2)
fn alert_reason(alert: u8) -> Reason {
    match alert {
        42 => Reason::PeerRefusesUsNotYetValid,
        45 => Reason::PeerRefusesUsExpired,
        48 => Reason::PeerRefusesUsUnknownIssuer,
        70 => Reason::ProtocolVersion,
        86 => Reason::Fallback,
        _ => Reason::PeerRefusesUs,
    }
}

/// What the engine means. (The numbers are its `SSL_R_*`, the same from 1.1.1 to 4.0.)
fn engine_reason(code: i32) -> Reason {
    match code {
        199 => Reason::NoClientCertificate,
        193 => Reason::NoCommonSuite,
        191 | 258 | 266 | 396 => Reason::ProtocolVersion,
        373 => Reason::Fallback,
        118 | 370 | 376 => Reason::NoCommonSignature,
        234 => Reason::Sslv2Hello,
        155 | 156 => Reason::PlainHttp,
        123 => Reason::BadProof,
        102 | 394 => Reason::WeakDhGroup,
        _ => Reason::HandshakeBroken,
    }
}

/// The version and the suite, where the table has them.
fn suite(ssl: &SslRef, profile: &Profile) -> Option<(Version, &'static Suite)> {
    let version = profile.version(ssl.version_str())?;
    let code = u16::from_be_bytes(ssl.current_cipher()?.protocol_id());
    Some((version, profile.permitted(code, version)?))
}

/// What the client is shown in the server's first flight, apart from its certificate: that it asks for ours (mutual TLS
/// in every mode, A-14), and how large its DH group is. At security level 0 the engine takes a small one. (T-05)
pub(crate) fn first_flight(ssl: &SslRef, profile: &Profile) -> Result<(), Refusal> {
    if ffi::message::heard(ssl).is_some_and(|heard| !heard.certificate_request()) {
        let detail = "the server did not ask for our certificate";
        return Err(Refusal::new(Reason::NoCertificateRequest, detail));
    }
    let is_dhe = suite(ssl, profile).is_some_and(|(_, suite)| suite.exchange() == Exchange::Dhe);
    let (bits, least) = (ssl.peer_tmp_key().map(|key| key.bits()).unwrap_or_default(), profile.min_rsa_bits);
    if is_dhe && bits < least {
        let detail = format!("the server chose a DH group of {bits} bits, fewer than {least}");
        return Err(Refusal::new(Reason::WeakDhGroup, detail));
    }
    Ok(())
}

/// What was negotiated, by the table: the engine's word is not enough. (P-13)
pub(crate) fn negotiated(ssl: &SslRef, profile: &Profile) -> Result<(Version, &'static Suite), Refusal> {
    let Some((version, suite)) = suite(ssl, profile) else {
        let code = ssl.current_cipher().map(|cipher| u16::from_be_bytes(cipher.protocol_id()));
        let (name, code) = (ssl.version_str(), code.unwrap_or_default());
        return Err(Refusal::new(
            Reason::OutsideProfile,
            format!("{name} with suite {code:04x} was negotiated"),
        ));
    };
    let lacks_secret = version == Version::Tls12 && ssl.extms_support() != Some(true);
    if profile.needs_extended_master_secret && lacks_secret {
        return Err(no_extended_master_secret());
    }
    Ok((version, suite))
}

fn no_extended_master_secret() -> Refusal {
    Refusal::new(Reason::NoExtendedMasterSecret, "TLS 1.2 without the extended master secret")
}

/// The chain that the engine verified in a full handshake: DER, leaf first, root last.
pub(crate) fn verified_chain(ssl: &SslRef) -> Option<Vec<Vec<u8>>> {
    let chain = ssl.verified_chain()?;
    chain.iter().map(|certificate| certificate.to_der().ok()).collect()
}

/// The peer's certificate after the handshake, in DER.
pub(crate) fn peer_certificate(ssl: &SslRef) -> Result<Vec<u8>, Refusal> {
    let certificate = ssl.peer_certificate().and_then(|certificate| certificate.to_der().ok());
    certificate.ok_or_else(|| {
        Refusal::new(Reason::NoClientCertificate, "the peer has no certificate after the handshake")
    })
}
