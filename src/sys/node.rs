//! What napi has no safe call for.

use napi::Env;
use napi::sys::{napi_ref_threadsafe_function, napi_threadsafe_function, napi_unref_threadsafe_function};

/// Whether a threadsafe function keeps its environment's event loop alive. On that environment's JavaScript thread
/// only, which `env` proves.
pub(crate) fn set_keeps_alive(env: &Env, function: napi_threadsafe_function, keeps: bool) {
    // SAFETY: `env` is given by Node to the thread that may use it; the function belongs to it and is released only
    // with it.
    unsafe {
        if keeps {
            napi_ref_threadsafe_function(env.raw(), function);
        } else {
            napi_unref_threadsafe_function(env.raw(), function);
        }
    }
}
