//! Session tickets under keys of our own, and a veto before a ticket resumes a session. (RFC 5077)
//!
//! ```text
//!   new ticket ──▶ seal ──▶ Keeper::sealing
//!   ticket back ─▶ open ──▶ Keeper::opening ──▶ judge ──▶ Keeper::may_resume ─▶ resumed, or a full handshake
//! ```

use std::ffi::{c_char, c_int, c_uchar, c_void};
use std::ptr;
use std::sync::{Arc, OnceLock};

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{SslContext, SslContextBuilder, SslRef, SslSessionRef};
use openssl::x509::X509Ref;
use openssl_sys as sys;

/// The keys of one ticket period.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Sealing {
    /// What the ticket carries in the clear, so that its key is found again.
    pub(crate) name: [u8; 16],
    /// For AES-256-CBC.
    pub(crate) cipher: [u8; 32],
    /// For HMAC-SHA-256.
    pub(crate) mac: [u8; 32],
}

/// Who keeps the keys, and who says whether a session may go on.
pub(crate) trait Keeper: Send + Sync {
    /// The keys for a new ticket; without one no ticket is sent.
    fn sealing(&self) -> Option<Sealing>;
    /// The keys of this name, while they are good.
    fn opening(&self, name: &[u8; 16]) -> Option<Sealing>;
    /// Whether the session of the holder of `leaf` may go on; if not, a full handshake follows.
    fn may_resume(&self, leaf: &X509Ref) -> bool;
}

type Slot = Index<SslContext, Arc<dyn Keeper>>;

fn slot() -> Result<Slot, ErrorStack> {
    static SLOT: OnceLock<Slot> = OnceLock::new();
    if let Some(slot) = SLOT.get() {
        return Ok(*slot);
    }
    let made = SslContext::new_ex_index()?;
    Ok(*SLOT.get_or_init(|| made))
}

unsafe extern "C" {
    fn SSL_CTX_set_tlsext_ticket_key_evp_cb(context: *mut sys::SSL_CTX, callback: KeyCallback) -> c_int;
    fn SSL_CTX_set_session_ticket_cb(
        context: *mut sys::SSL_CTX,
        generate: Option<unsafe extern "C" fn(*mut sys::SSL, *mut c_void) -> c_int>,
        decrypt: DecryptCallback,
        argument: *mut c_void,
    ) -> c_int;
    fn SSL_SESSION_get0_peer(session: *mut sys::SSL_SESSION) -> *mut sys::X509;
    fn OSSL_PARAM_construct_utf8_string(
        key: *const c_char,
        text: *mut c_char,
        size: usize,
    ) -> sys::OSSL_PARAM;
}

type KeyCallback = unsafe extern "C" fn(
    *mut sys::SSL,
    *mut c_uchar,
    *mut c_uchar,
    *mut sys::EVP_CIPHER_CTX,
    *mut sys::EVP_MAC_CTX,
    c_int,
) -> c_int;

type DecryptCallback = unsafe extern "C" fn(
    *mut sys::SSL,
    *mut sys::SSL_SESSION,
    *const c_uchar,
    usize,
    c_int,
    *mut c_void,
) -> c_int;

/// Gives a server's context tickets under the keeper's keys.
pub(crate) fn keep(builder: &mut SslContextBuilder, keeper: Arc<dyn Keeper>) -> Result<(), ErrorStack> {
    builder.set_ex_data(slot()?, keeper);
    // SAFETY: the context lives; the callbacks have the engine's signatures and live as long as the program.
    let done = unsafe {
        SSL_CTX_set_tlsext_ticket_key_evp_cb(builder.as_ptr(), key_callback) > 0
            && SSL_CTX_set_session_ticket_cb(builder.as_ptr(), None, decrypt_callback, ptr::null_mut()) > 0
    };
    if done { Ok(()) } else { Err(ErrorStack::get()) }
}

/// Offers to go on with `session`, which must come from the same context as `ssl`.
pub(crate) fn offer(ssl: &mut SslRef, session: &SslSessionRef) -> Result<(), ErrorStack> {
    // SAFETY: the caller keeps a session beside the context that made it.
    unsafe { ssl.set_session(session) }
}

/// The certificate that the peer of a session showed in its full handshake.
fn leaf_of(session: &SslSessionRef) -> Option<&X509Ref> {
    // SAFETY: the session lives, and it owns the certificate, which lives as long.
    unsafe {
        let leaf = SSL_SESSION_get0_peer(session.as_ptr());
        (!leaf.is_null()).then(|| X509Ref::from_ptr(leaf))
    }
}

fn keeper_of(ssl: &SslRef) -> Option<&Arc<dyn Keeper>> {
    ssl.ssl_context().ex_data(slot().ok()?)
}

/// What the engine understands: an error, do without a ticket, go on, and go on with a new ticket.
const FAILED: c_int = -1;
const WITHOUT: c_int = 0;
const USE: c_int = 1;

/// The engine's `SSL_TICKET_FN`: seals a new ticket or opens one that came back.
unsafe extern "C" fn key_callback(
    ssl: *mut sys::SSL,
    name: *mut c_uchar,
    iv: *mut c_uchar,
    cipher: *mut sys::EVP_CIPHER_CTX,
    mac: *mut sys::EVP_MAC_CTX,
    is_sealing: c_int,
) -> c_int {
    // SAFETY: the engine calls with a live connection, 16 bytes of name and room for an IV of its longest kind.
    let (ssl, name, iv) =
        unsafe { (SslRef::from_ptr(ssl), &mut *name.cast::<[u8; 16]>(), &mut *iv.cast::<[u8; 16]>()) };
    let Some(keeper) = keeper_of(ssl) else {
        return FAILED;
    };
    let found = if is_sealing == 1 { keeper.sealing() } else { keeper.opening(name) };
    let Some(keys) = found else {
        return WITHOUT;
    };
    if is_sealing == 1 {
        *name = keys.name;
        if openssl::rand::rand_bytes(iv).is_err() {
            return FAILED;
        }
    }
    // SAFETY: the engine's contexts live through this call, and the keys have the sizes of their algorithms.
    let is_ready = unsafe { set_cipher(cipher, &keys, iv, is_sealing == 1) && set_mac(mac, &keys) };
    if is_ready { USE } else { FAILED }
}

unsafe fn set_cipher(context: *mut sys::EVP_CIPHER_CTX, keys: &Sealing, iv: &[u8; 16], seals: bool) -> bool {
    // SAFETY: a key of 32 bytes and an IV of 16 are what AES-256-CBC takes; the caller gives a live context.
    unsafe {
        let (key, iv) = (keys.cipher.as_ptr(), iv.as_ptr());
        let algorithm = sys::EVP_aes_256_cbc();
        let done = if seals {
            sys::EVP_EncryptInit_ex(context, algorithm, ptr::null_mut(), key, iv)
        } else {
            sys::EVP_DecryptInit_ex(context, algorithm, ptr::null_mut(), key, iv)
        };
        done == 1
    }
}

unsafe fn set_mac(context: *mut sys::EVP_MAC_CTX, keys: &Sealing) -> bool {
    let mut key = keys.mac;
    let mut digest = *b"SHA256\0";
    // SAFETY: the parameters point at locals that outlive the call, which copies them.
    unsafe {
        let parameters = [
            sys::OSSL_PARAM_construct_octet_string(c"key".as_ptr(), key.as_mut_ptr().cast(), key.len()),
            OSSL_PARAM_construct_utf8_string(c"digest".as_ptr(), digest.as_mut_ptr().cast(), 0),
            sys::OSSL_PARAM_construct_end(),
        ];
        sys::EVP_MAC_CTX_set_params(context, parameters.as_ptr()) == 1
    }
}

/// The engine's `SSL_TICKET_STATUS` and `SSL_TICKET_RETURN`.
const OPENED: c_int = 5;
const OPENED_RENEW: c_int = 6;
const IGNORE_RENEW: c_int = 2;
const GO_ON: c_int = 3;

/// The engine's `SSL_CTX_decrypt_session_ticket_fn`: a ticket was opened, and its session is judged.
unsafe extern "C" fn decrypt_callback(
    ssl: *mut sys::SSL,
    session: *mut sys::SSL_SESSION,
    _name: *const c_uchar,
    _size: usize,
    status: c_int,
    _argument: *mut c_void,
) -> c_int {
    if !matches!(status, OPENED | OPENED_RENEW) || session.is_null() {
        return IGNORE_RENEW;
    }
    // SAFETY: the engine calls with a live connection and, at this status, a live session.
    let (ssl, session) = unsafe { (SslRef::from_ptr(ssl), SslSessionRef::from_ptr(session)) };
    let goes_on = keeper_of(ssl).zip(leaf_of(session)).is_some_and(|(keeper, leaf)| keeper.may_resume(leaf));
    if goes_on { GO_ON } else { IGNORE_RENEW }
}
