//! /dev/fd, by which an interpreter reads a script; and what Linux has of processes in /proc, which is not there.

use nix::sys::statfs::fstatfs;
use std::ffi::CString;
use std::os::fd::{BorrowedFd, RawFd};

/// Of what kind /dev/fd has to be. (FreeBSD's devfs has a /dev/fd too, of 0 to 2.)
pub(crate) const FILE_SYSTEM: &str = if cfg!(target_os = "macos") { "devfs" } else { "fdescfs" };

/// Whether a process finds what it has open in this directory, the one at /dev/fd.
pub(crate) fn shows_descriptors(directory: BorrowedFd<'_>) -> bool {
    fstatfs(directory).is_ok_and(|found| found.filesystem_type_name() == FILE_SYSTEM)
}

/// Never: there is no path that is a file whatever its name.
pub(crate) fn is_there() -> bool {
    false
}

/// Where a process finds a descriptor of its own.
pub(crate) fn path_of(fd: RawFd) -> CString {
    // There is no NUL in it.
    CString::new(format!("/dev/fd/{fd}")).unwrap_or_default()
}
