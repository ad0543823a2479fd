//! What the other end said in a handshake, beyond what the safe binding tells. (RFC 5246 7.4)

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslRef};
use openssl_sys as sys;

/// The messages of the other end that matter.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    certificate_request: AtomicBool,
    hello_request: AtomicBool,
}

impl Heard {
    /// Whether it asked for our certificate. (RFC 5246 7.4.4)
    pub(crate) fn certificate_request(&self) -> bool {
        self.certificate_request.load(Ordering::Relaxed)
    }

    /// Whether it asked for another handshake. (RFC 5246 7.4.1.1)
    pub(crate) fn hello_request(&self) -> bool {
        self.hello_request.load(Ordering::Relaxed)
    }

    fn note(&self, kind: u8) {
        match kind {
            HELLO_REQUEST => self.hello_request.store(true, Ordering::Relaxed),
            CERTIFICATE_REQUEST => self.certificate_request.store(true, Ordering::Relaxed),
            _ => {}
        }
    }
}

const HANDSHAKE: c_int = 22;
const HELLO_REQUEST: u8 = 0;
const CERTIFICATE_REQUEST: u8 = 13;

type Slot = Index<Ssl, Arc<Heard>>;

type MessageCallback =
    unsafe extern "C" fn(c_int, c_int, c_int, *const c_void, usize, *mut sys::SSL, *mut c_void);

unsafe extern "C" {
    fn SSL_set_msg_callback(ssl: *mut sys::SSL, callback: MessageCallback);
    fn SSL_client_hello_get0_ext(
        ssl: *mut sys::SSL,
        kind: c_uint,
        content: *mut *const u8,
        size: *mut usize,
    ) -> c_int;
}

fn slot() -> Result<Slot, ErrorStack> {
    static SLOT: OnceLock<Slot> = OnceLock::new();
    super::slot(&SLOT)
}

/// Listens to what the other end says on this connection from now on.
pub(crate) fn listen(ssl: &mut Ssl) -> Result<(), ErrorStack> {
    ssl.set_ex_data(slot()?, Arc::new(Heard::default()));
    // SAFETY: the connection lives; the callback has the engine's signature and lives as long as the program.
    unsafe { SSL_set_msg_callback(ssl.as_ptr(), message_callback) };
    Ok(())
}

/// What was heard; nothing where nobody listens.
pub(crate) fn heard(ssl: &SslRef) -> Option<&Heard> {
    ssl.ex_data(slot().ok()?).map(Arc::as_ref)
}

/// The content of an extension of the ClientHello that is being answered.
pub(crate) fn hello_extension(ssl: &mut SslRef, kind: u16) -> Option<&[u8]> {
    let (mut content, mut size) = (ptr::null(), 0);
    // SAFETY: the connection lives, and so does what it points to until its hello is answered: as long as the borrow.
    unsafe {
        let found =
            SSL_client_hello_get0_ext(ssl.as_ptr(), kind.into(), &raw mut content, &raw mut size) == 1;
        match found {
            true if size > 0 => Some(std::slice::from_raw_parts(content, size)),
            true => Some(&[]),
            false => None,
        }
    }
}

/// The engine shows each message, whole, as it was read or written.
unsafe extern "C" fn message_callback(
    is_written: c_int,
    _version: c_int,
    content: c_int,
    bytes: *const c_void,
    size: usize,
    ssl: *mut sys::SSL,
    _argument: *mut c_void,
) {
    if is_written != 0 || content != HANDSHAKE || size == 0 || bytes.is_null() {
        return;
    }
    // SAFETY: the engine calls this with a connection that lives and a message of `size` bytes.
    let (kind, ssl) = unsafe { (*bytes.cast::<u8>(), SslRef::from_ptr(ssl)) };
    if let Some(heard) = heard(ssl) {
        heard.note(kind);
    }
}
