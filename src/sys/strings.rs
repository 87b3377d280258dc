//! An array of C strings with a null at its end, as execve(2) takes argv and envp.

use std::ffi::{CString, c_char};

#[derive(Debug)]
pub(crate) struct Strings {
    pointers: Vec<*const c_char>,
    /// What the pointers lead to: on the heap, and not moved with the vector.
    strings: Vec<CString>,
}

// SAFETY: the pointers lead to strings that the value itself owns and never changes.
unsafe impl Send for Strings {}
// SAFETY: as above.
unsafe impl Sync for Strings {}

impl Strings {
    pub(crate) fn new(strings: Vec<CString>) -> Strings {
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect();
        Strings { pointers, strings }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, CString> {
        self.strings.iter()
    }

    /// What follows `name=` in the first string that begins so: a variable of an environment.
    pub(crate) fn value_of(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find_map(|string| string.to_bytes().strip_prefix(name)?.strip_prefix(b"="))
    }

    /// Valid for as long as the value lives.
    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}
