//! An array of C strings with a null at its end, as execve(2) takes argv and envp.

use std::ffi::{CString, c_char};

#[derive(Debug)]
pub(crate) struct Strings {
    pointers: Vec<*const c_char>,
    /// What the pointers lead to: on the heap, and not moved with the vector.
    _strings: Vec<CString>,
}

// SAFETY: the pointers lead to strings that the value itself owns and never changes.
unsafe impl Send for Strings {}
// SAFETY: as above.
unsafe impl Sync for Strings {}

impl Strings {
    pub(crate) fn new(strings: Vec<CString>) -> Strings {
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect();
        Strings { pointers, _strings: strings }
    }

    /// Valid for as long as the value lives.
    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}
