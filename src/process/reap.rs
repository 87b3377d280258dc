//! A child that has started, by its pidfd: signals reach it and nobody else, and it is reaped once.

use crate::sys::pidfd::{self, Exit};
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

#[derive(Debug)]
pub(crate) struct Child {
    pid: libc::pid_t,
    pidfd: OwnedFd,
}

impl Child {
    pub(super) fn new(pid: libc::pid_t, pidfd: OwnedFd) -> Child {
        Child { pid, pidfd }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    pub(crate) fn pidfd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }

    /// How it ended, if it has: it is gone by that. ECHILD: somebody else has reaped it.
    pub(crate) fn reap(&self) -> Result<Option<Exit>, Errno> {
        pidfd::reap(self.as_fd())
    }

    /// ESRCH: it has ended.
    pub(crate) fn kill(&self, signal: i32) -> Result<(), Errno> {
        pidfd::send_signal(self.as_fd(), signal)
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}
