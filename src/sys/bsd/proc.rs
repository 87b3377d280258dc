//! /dev/fd, by which an interpreter reads a script.

use nix::sys::statfs::fstatfs;
use std::os::fd::BorrowedFd;

/// Whether opening /dev/fd/N hands on what is open there, instead of opening the file anew.
pub(crate) const HANDS_ON: bool = true;

/// Of what kind /dev/fd has to be. (FreeBSD's devfs has a /dev/fd too, of 0 to 2.)
pub(crate) const FILE_SYSTEM: &str = if cfg!(target_os = "macos") { "devfs" } else { "fdescfs" };

/// Whether a process finds what it has open in this directory, the one at /dev/fd.
pub(crate) fn shows_descriptors(directory: BorrowedFd<'_>) -> bool {
    fstatfs(directory).is_ok_and(|found| found.filesystem_type_name() == FILE_SYSTEM)
}
