//! A child that has started, by its pidfd: signals reach it, or its group, and nobody else, and it is reaped once.

use crate::sys::pidfd::{self, Exit};
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whom a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Process,
    /// The child leads a group of its own; all who are in it are reached, though the child itself has ended.
    Group,
}

#[derive(Debug)]
pub(crate) struct Child {
    pid: libc::pid_t,
    pidfd: OwnedFd,
    scope: Scope,
    /// Its number is free for others.
    reaped: AtomicBool,
}

impl Child {
    pub(super) fn new(pid: libc::pid_t, pidfd: OwnedFd, scope: Scope) -> Child {
        Child { pid, pidfd, scope, reaped: AtomicBool::new(false) }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    pub(crate) fn pidfd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }

    /// How it ended, if it has. It is reaped by that, unless its group is still to be reached: then when it is dropped,
    /// for as long as the leader has not been reaped the group's number cannot be another's. ECHILD: somebody else has
    /// reaped it.
    pub(crate) fn ended(&self) -> Result<Option<Exit>, Errno> {
        match self.scope {
            Scope::Group => pidfd::peek(self.as_fd()),
            Scope::Process => self.reap(),
        }
    }

    fn reap(&self) -> Result<Option<Exit>, Errno> {
        let exit = pidfd::reap(self.as_fd());
        if !matches!(exit, Ok(None)) {
            self.reaped.store(true, Ordering::Release);
        }
        exit
    }

    /// To whom its scope says. ESRCH: there is nobody.
    pub(crate) fn kill(&self, signal: i32) -> Result<(), Errno> {
        if self.scope == Scope::Process {
            return pidfd::send_signal(self.as_fd(), signal);
        }
        match pidfd::send_signal_to_group(self.as_fd(), signal) {
            // Before 6.9: by its number, which is the group's until the leader is reaped.
            Err(Errno::EINVAL) if !self.reaped.load(Ordering::Acquire) => pidfd::kill_group(self.pid, signal),
            other => other,
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.scope == Scope::Group && !self.reaped.load(Ordering::Acquire) {
            // What cannot be reaped now has not ended, and nobody waits for it: that is the engine's to prevent.
            let _ = self.reap();
        }
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}
