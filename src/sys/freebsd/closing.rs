//! Closing descriptors in a child, by close_range(2), which every release that is still kept up has.

use super::syscall::{CLOSE_RANGE, syscall};

/// Closes every descriptor from `first` to `last`; 0, or an errno.
pub(crate) fn close_range(first: u32, last: u32, _list: Option<u32>) -> i32 {
    // SAFETY: numbers only.
    -(unsafe { syscall(CLOSE_RANGE, [first as usize, last as usize, 0, 0, 0, 0]) }) as i32
}

/// No list is needed, so nothing is opened by name, before a chroot or after.
pub(crate) fn hold_list(_list: u32) {}

/// The child's table is its own from the beginning.
pub(crate) fn unshare(_first: u32) -> i32 {
    libc::ENOSYS
}
