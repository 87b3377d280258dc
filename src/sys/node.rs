//! What napi has no safe call for.

use napi::bindgen_prelude::{FromNapiValue, FunctionRef, TypeName, ValidateNapiValue};
use napi::sys::{
    Status, napi_close_handle_scope, napi_env, napi_fatal_exception, napi_get_and_clear_last_exception,
    napi_get_global, napi_get_value_string_utf8, napi_make_callback, napi_open_handle_scope,
    napi_ref_threadsafe_function, napi_threadsafe_function, napi_unref_threadsafe_function, napi_value,
};
use napi::{Env, JsValue, ValueType};
use std::ffi::CString;
use std::ptr;

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

/// Calls `function` from the event loop, as the loop's own callbacks are called: process.nextTick's queue and the
/// promises have their turn after it, and what it throws is an uncaughtException.
pub(crate) fn call_back(env: &Env, function: &FunctionRef<(), ()>) {
    let raw = env.raw();
    let mut scope = ptr::null_mut();
    // SAFETY: `env` is this thread's; the handles live in the scope, which is closed last. Where JavaScript cannot run
    // any more (the worker is being ended) each call says so and does nothing.
    unsafe {
        if napi_open_handle_scope(raw, &raw mut scope) != Status::napi_ok {
            return;
        }
        let (mut global, mut result) = (ptr::null_mut(), ptr::null_mut());
        napi_get_global(raw, &raw mut global);
        if let Ok(function) = function.borrow_back(env) {
            let function = function.value().value;
            let status = napi_make_callback(raw, ptr::null_mut(), global, function, 0, ptr::null(), &raw mut result);
            if status == Status::napi_pending_exception {
                let mut error = ptr::null_mut();
                napi_get_and_clear_last_exception(raw, &raw mut error);
                napi_fatal_exception(raw, error);
            }
        }
        napi_close_handle_scope(raw, scope);
    }
}

/// A string of JavaScript's as the bytes of its UTF-8. A short one is read in one call: napi's String takes two, the
/// first of which only counts.
#[derive(Debug)]
pub(crate) struct Text(Vec<u8>);

impl Text {
    /// None: there is a NUL in it.
    pub(crate) fn into_c_string(self) -> Option<CString> {
        CString::new(self.0).ok()
    }
}

const SHORT: usize = 256;

impl FromNapiValue for Text {
    unsafe fn from_napi_value(env: napi_env, value: napi_value) -> napi::Result<Text> {
        let mut bytes = [0u8; SHORT];
        let mut length = 0;
        // SAFETY: the caller's promise of `env` and `value`; the buffer is as long as is said.
        let status =
            unsafe { napi_get_value_string_utf8(env, value, bytes.as_mut_ptr().cast(), SHORT, &raw mut length) };
        // What fills the buffer, up to the last character that fits whole, may have been cut.
        if status != Status::napi_ok || length + 4 >= SHORT {
            // SAFETY: the same value.
            return unsafe { String::from_napi_value(env, value) }.map(|text| Text(text.into_bytes()));
        }
        let mut text = Vec::with_capacity(length + 1); // and its NUL
        text.extend_from_slice(bytes.get(..length).unwrap_or_default());
        Ok(Text(text))
    }
}

impl TypeName for Text {
    fn type_name() -> &'static str {
        String::type_name()
    }

    fn value_type() -> ValueType {
        String::value_type()
    }
}

impl ValidateNapiValue for Text {}
