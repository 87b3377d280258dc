//! Names resolved by the kernel, in one call: openat2(2), Linux 5.6.

use super::rules::Rules;
use crate::failure::{Failure, Result, Step};
use crate::sys;
use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};

/// While anything on the system is renamed, the kernel gives up on names with `..` now and then.
const TRIES_AT_EAGAIN: usize = 32;

/// EAGAIN: it gave up each time. ENOSYS, EPERM: the call is not to be had.
pub(super) fn open(root: BorrowedFd<'_>, rules: Rules, name: &CStr, flags: OFlag) -> Result<OwnedFd> {
    let mut errno = Errno::EAGAIN;
    for _ in 0..TRIES_AT_EAGAIN {
        match sys::files::open_resolved(root, name, flags, resolve_flags(rules)) {
            Ok(fd) => return Ok(fd),
            Err(Errno::EAGAIN) => {}
            Err(other) => {
                errno = other;
                break;
            }
        }
    }
    Err(Failure::new(Step::Resolve, "openat2", errno))
}

fn resolve_flags(rules: Rules) -> ResolveFlag {
    let mut flags = ResolveFlag::RESOLVE_NO_MAGICLINKS;
    flags |= if rules.in_root { ResolveFlag::RESOLVE_IN_ROOT } else { ResolveFlag::RESOLVE_BENEATH };
    flags.set(ResolveFlag::RESOLVE_NO_SYMLINKS, !rules.follow_links);
    flags.set(ResolveFlag::RESOLVE_NO_XDEV, !rules.cross_mounts);
    flags
}
