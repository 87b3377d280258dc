//! An array of C strings with a null at its end, as execve(2) takes argv and envp.

use std::ffi::{CStr, CString, c_char};

#[derive(Debug)]
pub(crate) struct Strings {
    pointers: Vec<*const c_char>,
    /// What the pointers lead to, one behind the other, each with its NUL: on the heap, and not moved with the vector.
    _bytes: Vec<u8>,
}

// SAFETY: the pointers lead to bytes that the value itself owns and never changes.
unsafe impl Send for Strings {}
// SAFETY: as above.
unsafe impl Sync for Strings {}

impl Strings {
    pub(crate) fn new(strings: Vec<CString>) -> Strings {
        Strings::terminated(strings.iter().flat_map(CString::as_bytes_with_nul).copied().collect())
    }

    /// Of strings that stand one behind the other, each with its NUL; a last one without is left out.
    pub(crate) fn terminated(bytes: Vec<u8>) -> Strings {
        let mut pointers = Vec::with_capacity(bytes.len() / 32 + 2);
        let mut rest = bytes.as_slice();
        while let Ok(string) = CStr::from_bytes_until_nul(rest) {
            pointers.push(string.as_ptr());
            rest = rest.get(string.count_bytes() + 1..).unwrap_or_default();
        }
        pointers.push(std::ptr::null());
        Strings { pointers, _bytes: bytes }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &CStr> {
        let strings = self.pointers.iter().take_while(|pointer| !pointer.is_null());
        // SAFETY: each of them leads to a string in the bytes, which live as long as the borrow.
        strings.map(|pointer| unsafe { CStr::from_ptr(*pointer) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_at_their_nul_and_the_array_at_a_null() {
        let cases: [(&[u8], &[&CStr]); 5] = [
            (b"", &[]),
            (b"\0", &[c""]),
            (b"a\0", &[c"a"]),
            (b"a\0\0b=1\0", &[c"a", c"", c"b=1"]),
            (b"a\0cut", &[c"a"]),
        ];
        for (bytes, expected) in cases {
            let strings = Strings::terminated(bytes.to_vec());
            assert_eq!(strings.iter().collect::<Vec<_>>(), expected);
            // SAFETY: the array has one pointer more than there are strings.
            assert!(unsafe { *strings.as_ptr().add(expected.len()) }.is_null());
        }
        let strings = Strings::new(vec![c"PATH=/a".to_owned(), c"P=b".to_owned()]);
        assert_eq!((strings.value_of(b"P"), strings.value_of(b"PA")), (Some(b"b".as_slice()), None));
    }
}
