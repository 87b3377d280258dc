//! Names resolved by the kernel, in one call: openat2(2) of Linux 5.6, O_RESOLVE_BENEATH of FreeBSD 13.

use super::rules::Rules;
use crate::failure::{Failure, Result, Step};
use crate::sys::files::{self, RESOLVER_CALL};
use crate::sys::resolve::How;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};

/// While anything on the system is renamed, Linux gives up on names with `..` now and then.
const TRIES_AT_EAGAIN: usize = 32;

/// Whether the kernel can be asked for names by these rules.
pub(super) fn keeps(rules: Rules) -> bool {
    files::resolves(how(rules))
}

/// EAGAIN: it gave up each time. ENOSYS, EPERM: the call is not to be had.
pub(super) fn open(root: BorrowedFd<'_>, rules: Rules, name: &CStr, flags: OFlag) -> Result<OwnedFd> {
    let mut errno = Errno::EAGAIN;
    for _ in 0..TRIES_AT_EAGAIN {
        match files::open_resolved(root, name, flags, how(rules)) {
            Ok(fd) => return Ok(fd),
            Err(Errno::EAGAIN) => {}
            Err(other) => {
                errno = other;
                break;
            }
        }
    }
    Err(Failure::new(Step::Resolve, RESOLVER_CALL, errno))
}

fn how(Rules { in_root, follow_links, cross_mounts }: Rules) -> How {
    How { in_root, follow_links, cross_mounts }
}
