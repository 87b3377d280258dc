//! Children by their number: there is no descriptor that stands for one. What becomes readable at a child's end is a
//! kqueue(2) of its own.

use crate::sys::fd::lift;
use crate::sys::wait;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};
use std::os::fd::{BorrowedFd, OwnedFd};

pub(crate) use wait::Exit;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Code(i32),
    Signal(i32),
}

impl Status {
    /// From what wait(2) writes of a process that has ended.
    pub(crate) fn of(word: i32) -> Status {
        if libc::WIFEXITED(word) { Status::Code(libc::WEXITSTATUS(word)) } else { Status::Signal(libc::WTERMSIG(word)) }
    }
}

/// A child of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Id<'a> {
    /// ENOSYS, always.
    Pidfd(#[allow(dead_code, reason = "nothing can be asked by it here")] BorrowedFd<'a>),
    /// Its number, which is nobody else's until it is reaped.
    Number(libc::pid_t),
}

impl Id<'_> {
    fn number(self) -> Result<libc::pid_t, Errno> {
        match self {
            Id::Number(pid) => Ok(pid),
            Id::Pidfd(_) => Err(Errno::ENOSYS),
        }
    }
}

/// Reaps the process if it has ended; None while it runs. ECHILD: somebody else has reaped it.
pub(crate) fn reap(child: Id<'_>) -> Result<Option<Exit>, Errno> {
    wait::reap(child.number()?)
}

/// Nothing is kept of a process that somebody else has reaped.
pub(crate) fn afterwards(_pidfd: BorrowedFd<'_>) -> Option<Exit> {
    None
}

/// Waits for the end of the process, and leaves it to be reaped.
pub(crate) fn wait(child: Id<'_>) -> Result<(), Errno> {
    loop {
        match wait::wait(child.number()?) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// How it ended, if it has; it stays to be reaped. ECHILD: it has been.
pub(crate) fn peek(child: Id<'_>) -> Result<Option<Exit>, Errno> {
    wait::peek(child.number()?)
}

/// Whether the process stands stopped in the middle of its start by somebody's signal; it stays as it is.
pub(crate) fn is_stopped(child: Id<'_>) -> Result<bool, Errno> {
    wait::is_stopped(child.number()?)
}

/// ENOSYS: signals go by number.
pub(crate) fn send_signal(_pidfd: BorrowedFd<'_>, _signal: i32) -> Result<(), Errno> {
    Err(Errno::ENOSYS)
}

/// ENOSYS: signals go by number.
pub(crate) fn send_signal_to_group(_pidfd: BorrowedFd<'_>, _signal: i32) -> Result<(), Errno> {
    Err(Errno::ENOSYS)
}

/// kill(2) of one process, whose number must be one that cannot be given to another meanwhile.
pub(crate) fn kill(pid: libc::pid_t, signal: i32) -> Result<(), Errno> {
    if pid <= 0 {
        return Err(Errno::ESRCH); // those numbers mean groups
    }
    // SAFETY: numbers only.
    Errno::result(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Sends `signal` to the group of this number, which must be one that cannot be given to another meanwhile.
pub(crate) fn kill_group(pgid: libc::pid_t, signal: i32) -> Result<(), Errno> {
    if pgid <= 1 {
        return Err(Errno::ESRCH); // kill(0) is our own group, kill(-1) everybody
    }
    // SAFETY: numbers only.
    Errno::result(unsafe { libc::kill(-pgid, signal) }).map(drop)
}

/// What becomes readable when the process ends, and stays so. None: one has to look, now and then.
pub(crate) fn watch(pid: libc::pid_t) -> Option<OwnedFd> {
    let queue = Kqueue::new().ok()?;
    let event = |filter, ident, what| KEvent::new(ident, filter, EvFlags::EV_ADD, what, 0, 0);
    let end = event(EventFilter::EVFILT_PROC, pid as usize, FilterFlag::NOTE_EXIT);
    match queue.kevent(&[end], &mut [], None) {
        Ok(_) => {}
        // It has ended by now: what it would have said is said at once.
        Err(Errno::ESRCH) => {
            queue.kevent(&[event(EventFilter::EVFILT_USER, 0, FilterFlag::empty())], &mut [], None).ok()?;
            queue.kevent(&[event(EventFilter::EVFILT_USER, 0, FilterFlag::NOTE_TRIGGER)], &mut [], None).ok()?;
        }
        Err(_) => return None,
    }
    let queue = OwnedFd::from(queue);
    fcntl(&queue, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
    lift(queue).ok()
}
