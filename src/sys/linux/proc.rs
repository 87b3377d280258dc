//! /proc, where it really is procfs: in a container or a jail it may be missing, covered or planted.

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use std::ffi::{CStr, CString};
use std::os::fd::{BorrowedFd, RawFd};

/// Where a process finds its own descriptors.
pub(crate) const OWN_DESCRIPTORS: &CStr = c"/proc/self/fd";

/// Whether /proc/self/fd is there, and the kernel's.
pub(crate) fn is_there() -> bool {
    let directory = open(OWN_DESCRIPTORS, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
    directory.is_ok_and(|fd| fstatfs(&fd).is_ok_and(|found| found.filesystem_type() == PROC_SUPER_MAGIC))
}

/// Whether opening /dev/fd/N hands on what is open there, instead of opening the file anew.
pub(crate) const HANDS_ON: bool = false;

/// Of what kind /dev/fd has to be.
pub(crate) const FILE_SYSTEM: &str = "procfs";

/// Whether a process finds what it has open in this directory, the one at /dev/fd.
pub(crate) fn shows_descriptors(directory: BorrowedFd<'_>) -> bool {
    fstatfs(directory).is_ok_and(|found| found.filesystem_type() == PROC_SUPER_MAGIC)
}

/// /proc/self/fd/N: for the kernel, the file that a process has there, whatever its name.
pub(crate) fn path_of(fd: RawFd) -> CString {
    // There is no NUL in it.
    CString::new(format!("{}/{fd}", OWN_DESCRIPTORS.to_string_lossy())).unwrap_or_default()
}
