//! The two ways to resolve a name, and which of them is taken.

use super::rules::Rules;
use super::{Directory, kernel, walk};
use crate::failure::{Failure, Result};
use crate::sys::files::HELD;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolver {
    /// The kernel's: one call, atomic.
    Kernel,
    /// Our own, component by component.
    Walk,
}

impl Resolver {
    /// Opens `name` from `root`. Symbolic links in its last component are followed unless the flags have O_NOFOLLOW.
    pub(super) fn open(self, root: BorrowedFd<'_>, rules: Rules, name: &CStr, flags: OFlag) -> Result<OwnedFd> {
        match self {
            Resolver::Kernel => kernel::open(root, rules, name, flags),
            Resolver::Walk => walk::open(root, rules, name, flags),
        }
    }
}

/// The kernel has no such call. Of a filter (EPERM) nothing is remembered: another thread may not have it.
static NO_CALL: AtomicBool = AtomicBool::new(false);

/// By the kernel; by the walk where that cannot, or gives up.
pub(super) fn open(root: BorrowedFd<'_>, rules: Rules, name: &CStr, flags: OFlag) -> Result<OwnedFd> {
    if walk_is_forced() || NO_CALL.load(Ordering::Relaxed) || !kernel::keeps(rules) {
        return Resolver::Walk.open(root, rules, name, flags);
    }
    let result = Resolver::Kernel.open(root, rules, name, flags);
    match result.as_ref().map_err(|failure| failure.errno) {
        Err(Errno::ENOSYS) => NO_CALL.store(true, Ordering::Relaxed),
        Err(Errno::EPERM | Errno::EAGAIN) => {}
        _ => return result,
    }
    Resolver::Walk.open(root, rules, name, flags)
}

/// Which of them `open` takes here and now, found by trying.
pub(crate) fn in_use() -> Resolver {
    let try_it = |root: Directory| Resolver::Kernel.open(root.as_fd(), Rules::default(), c".", HELD);
    let refused = |failure: Failure| matches!(failure.errno, Errno::ENOSYS | Errno::EPERM);
    let cannot = || Directory::open(c"/").and_then(try_it).is_err_and(refused);
    if walk_is_forced() || cannot() { Resolver::Walk } else { Resolver::Kernel }
}

/// `COMMAND_ROOT_WALK=1`, for tests, takes the walk everywhere.
fn walk_is_forced() -> bool {
    static FORCED: OnceLock<bool> = OnceLock::new();
    *FORCED.get_or_init(|| std::env::var_os("COMMAND_ROOT_WALK").is_some_and(|value| value == "1"))
}
