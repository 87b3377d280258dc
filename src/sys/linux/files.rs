//! openat2(2) as the resolver uses it.

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Opens `name` beneath `root` by openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS.
pub(crate) fn open_beneath(root: BorrowedFd<'_>, name: &CStr, flags: OFlag) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
    openat2(root, name, how)
}
