//! Directories of control groups.

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};
use std::os::fd::BorrowedFd;

/// Whether it is one of version 2.
pub(crate) fn is_one(directory: BorrowedFd<'_>) -> bool {
    fstatfs(directory).is_ok_and(|found| found.filesystem_type() == CGROUP2_SUPER_MAGIC)
}
