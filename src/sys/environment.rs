//! The environment of this process, as the C library holds it.

use super::strings::Strings;
use std::ffi::{CStr, c_char};

#[cfg(not(target_os = "macos"))]
unsafe extern "C" {
    static environ: *const *const c_char;
}

// environ(7): a library has no `environ` of its own to name.
#[cfg(target_os = "macos")]
unsafe extern "C" {
    fn _NSGetEnviron() -> *const *const *const c_char;
}

/// A copy of all that is in `environ`. Only for the thread that also changes it, which in Node is the main one:
/// setenv(3) elsewhere meanwhile would be a race that no lock of ours can see.
pub(crate) fn snapshot() -> Strings {
    let mut copy = Vec::with_capacity(4096);
    // SAFETY: environ is null or an array of strings that ends with a null; who calls is the one that changes it.
    unsafe {
        #[cfg(not(target_os = "macos"))]
        let mut entry = environ;
        #[cfg(target_os = "macos")]
        let mut entry = *_NSGetEnviron();
        while !entry.is_null() && !(*entry).is_null() {
            copy.extend_from_slice(CStr::from_ptr(*entry).to_bytes_with_nul());
            entry = entry.add(1);
        }
    }
    Strings::terminated(copy)
}
