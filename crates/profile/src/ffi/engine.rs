//! Keys in PKCS#11 tokens, through the engine `pkcs11` that the distribution keeps for OpenSSL 3. (Decision 9)
//!
//! OpenSSL 4 has no engines; there a token needs a provider, and this says so.

use std::path::Path;

use openssl::pkey::{PKey, Private};

/// A handle on the private key that `object` names, in the token behind `module`; or why there is none.
#[cfg(has_engines)]
pub(crate) fn private_key(module: &Path, object: &str, pin: Option<&str>) -> Result<PKey<Private>, String> {
    engines::private_key(module, object, pin)
}

/// No handle: this OpenSSL has no engines.
#[cfg(not(has_engines))]
pub(crate) fn private_key(_: &Path, _: &str, _: Option<&str>) -> Result<PKey<Private>, String> {
    Err("this build's OpenSSL has no engines; use the distribution's OpenSSL 3".to_owned())
}

#[cfg(has_engines)]
mod engines {
    use std::ffi::{CString, c_char, c_int, c_void};
    use std::path::{Path, PathBuf};
    use std::ptr;
    use std::sync::{Mutex, PoisonError};

    use foreign_types::ForeignType;
    use openssl::error::ErrorStack;
    use openssl::pkey::{PKey, Private};
    use openssl_sys as sys;

    unsafe extern "C" {
        fn ENGINE_by_id(id: *const c_char) -> *mut sys::ENGINE;
        fn ENGINE_free(engine: *mut sys::ENGINE) -> c_int;
        fn ENGINE_init(engine: *mut sys::ENGINE) -> c_int;
        fn ENGINE_ctrl_cmd_string(
            engine: *mut sys::ENGINE,
            name: *const c_char,
            argument: *const c_char,
            is_optional: c_int,
        ) -> c_int;
        fn ENGINE_load_private_key(
            engine: *mut sys::ENGINE,
            key: *const c_char,
            ui: *mut c_void,
            data: *mut c_void,
        ) -> *mut sys::EVP_PKEY;
    }

    /// The module that the engine was loaded with: it holds one for as long as the program runs.
    static MODULE: Mutex<Option<(PathBuf, Engine)>> = Mutex::new(None);

    #[derive(Clone, Copy)]
    struct Engine(*mut sys::ENGINE);

    // SAFETY: the engine's structure has locks of its own, and is never freed once it is initialised.
    unsafe impl Send for Engine {}

    pub(super) fn private_key(
        module: &Path,
        object: &str,
        pin: Option<&str>,
    ) -> Result<PKey<Private>, String> {
        let mut loaded = MODULE.lock().unwrap_or_else(PoisonError::into_inner);
        let engine = match &*loaded {
            Some((path, engine)) if path == module => *engine,
            Some((path, _)) => {
                return Err(format!("this process already uses the module {}", path.display()));
            }
            None => {
                let engine = start(module)?;
                *loaded = Some((module.to_owned(), engine));
                engine
            }
        };
        if let Some(pin) = pin {
            command(engine, c"PIN", pin)?;
        }
        let name = CString::new(object).map_err(|_| "the URI has a NUL".to_owned())?;
        // SAFETY: the engine is initialised and the name ends in NUL; a key that comes back is ours to free.
        unsafe {
            let key = ENGINE_load_private_key(engine.0, name.as_ptr(), ptr::null_mut(), ptr::null_mut());
            if key.is_null() { Err(complaint("the token has no such key")) } else { Ok(PKey::from_ptr(key)) }
        }
    }

    fn start(module: &Path) -> Result<Engine, String> {
        openssl::init();
        // SAFETY: the name ends in NUL.
        let engine = Engine(unsafe { ENGINE_by_id(c"pkcs11".as_ptr()) });
        if engine.0.is_null() {
            return Err(complaint("the engine pkcs11 is missing; install libengine-pkcs11-openssl"));
        }
        let path = module.to_str().ok_or_else(|| "the module's path is not UTF-8".to_owned());
        let ready = path.and_then(|path| command(engine, c"MODULE_PATH", path)).and_then(|()| {
            // SAFETY: the engine lives.
            let ready = unsafe { ENGINE_init(engine.0) } == 1;
            if ready { Ok(()) } else { Err(complaint(&format!("cannot load {}", module.display()))) }
        });
        if ready.is_err() {
            // SAFETY: the structure is ours, and nothing else knows it yet.
            unsafe { ENGINE_free(engine.0) };
        }
        ready.map(|()| engine)
    }

    fn command(engine: Engine, name: &std::ffi::CStr, argument: &str) -> Result<(), String> {
        let argument = CString::new(argument).map_err(|_| "an argument has a NUL".to_owned())?;
        // SAFETY: the engine lives, and both texts end in NUL; the engine copies them.
        let done = unsafe { ENGINE_ctrl_cmd_string(engine.0, name.as_ptr(), argument.as_ptr(), 0) } == 1;
        if done { Ok(()) } else { Err(complaint("the engine refuses a setting")) }
    }

    /// What happened, with the engine's own words; its queue is empty afterwards.
    fn complaint(what: &str) -> String {
        match ErrorStack::get().errors().first().and_then(openssl::error::Error::reason) {
            Some(reason) => format!("{what} ({reason})"),
            None => what.to_owned(),
        }
    }
}
