//! A child that has been made: signals reach it, or its group, and nobody else, and it is reaped once.
//!
//! By its pidfd, where the kernel gives one and takes it. Where it does not (before 5.4; a filter, which may come later
//! than the child) by its number: that cannot become another's as long as the child has not been reaped, so the signal
//! and the reaping are under one lock. (Who sets SIGCHLD to be ignored, or waits for any child, reaps behind our back:
//! it is looked for before each signal.)

use crate::sys::pidfd::{self, Exit, Id};
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    /// None where clone makes none.
    pidfd: Option<OwnedFd>,
    /// Where there is no pidfd: what becomes readable at its end.
    end: Option<OwnedFd>,
    scope: Scope,
    /// Reaped when it is dropped, not when it is seen to have ended: whoever still knows it by its number, its own or
    /// its group's, must not hit another.
    kept: bool,
    /// Its number is free for others. Held by whoever reaps, and by whoever uses the number.
    reaped: Mutex<bool>,
}

impl Child {
    pub(super) fn new(pid: libc::pid_t, pidfd: Option<OwnedFd>, scope: Scope, kept: bool) -> Child {
        let kept = kept || scope == Scope::Group;
        Child { pid, pidfd, end: pidfd::watch(pid), scope, kept, reaped: Mutex::new(false) }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    /// -1: there is none.
    pub(crate) fn pidfd(&self) -> RawFd {
        self.pidfd.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// What becomes readable at its end. None: one has to look, now and then.
    pub(crate) fn pollable(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().or(self.end.as_ref()).map(AsFd::as_fd)
    }

    /// How it ended, if it has. It is reaped by that, unless it is kept. ECHILD: it has been reaped, by us or by others,
    /// and what they were told cannot be had.
    pub(crate) fn ended(&self) -> Result<Option<Exit>, Errno> {
        if self.kept { self.unless_reaped(|| self.look(pidfd::peek)) } else { self.reap() }
    }

    /// Waits for its end and reaps it, though it be kept. ECHILD: it has been reaped.
    pub(crate) fn wait(&self) -> Result<Exit, Errno> {
        loop {
            if *self.lock() {
                return Err(Errno::ECHILD);
            }
            // Not under the lock, and so without reaping. ECHILD: somebody else has, by the time it has ended.
            match self.ask(pidfd::wait) {
                Ok(()) | Err(Errno::ECHILD) => {}
                Err(errno) => return Err(errno),
            }
            if let Some(exit) = self.reap()? {
                return Ok(exit);
            }
        }
    }

    /// Waits until it has ended; whoever is to reap it does so.
    pub(crate) fn await_end(&self) {
        // An error: it has been reaped.
        let _ = self.ask(pidfd::wait);
    }

    /// Reaps it whenever it ends, on a thread of its own.
    pub(super) fn reap_later(&self) {
        // The same process, for somebody who shares no lock with us: our own half is not used any more.
        let pidfd = self.pidfd.as_ref().and_then(|pidfd| pidfd.try_clone().ok());
        let child = Child::new(self.pid, pidfd, Scope::Process, false);
        // Without a thread it stays a zombie until this process ends.
        let _ = std::thread::Builder::new().spawn(move || child.wait());
    }

    fn reap(&self) -> Result<Option<Exit>, Errno> {
        let mut reaped = self.lock();
        if *reaped {
            return Err(Errno::ECHILD);
        }
        let exit = self.look(pidfd::reap);
        *reaped = matches!(exit, Ok(Some(_)) | Err(Errno::ECHILD));
        exit
    }

    /// As waitid tells it, or, where somebody else was told (waitpid(-1), SIGCHLD ignored), as the kernel remembers it.
    fn look(&self, question: impl Fn(Id<'_>) -> Result<Option<Exit>, Errno>) -> Result<Option<Exit>, Errno> {
        match (self.ask(question), &self.pidfd) {
            (Err(Errno::ECHILD), Some(pidfd)) => pidfd::afterwards(pidfd.as_fd()).ok_or(Errno::ECHILD).map(Some),
            (answer, _) => answer,
        }
    }

    /// Whether it stands stopped (SIGSTOP, SIGTSTP, …); it stays as it is.
    pub(super) fn is_stopped(&self) -> bool {
        self.unless_reaped(|| self.ask(pidfd::is_stopped)).unwrap_or(false)
    }

    /// To whom its scope says. ESRCH: there is nobody.
    pub(crate) fn kill(&self, signal: i32) -> Result<(), Errno> {
        match self.scope {
            Scope::Process => self.kill_process(signal),
            Scope::Group => self.signal(signal, pidfd::send_signal_to_group, pidfd::kill_group),
        }
    }

    /// To the child alone, whether or not it leads its group by now.
    pub(super) fn kill_process(&self, signal: i32) -> Result<(), Errno> {
        self.signal(signal, pidfd::send_signal, pidfd::kill)
    }

    fn signal(
        &self,
        signal: i32,
        by_pidfd: impl Fn(BorrowedFd<'_>, i32) -> Result<(), Errno>,
        by_number: impl Fn(libc::pid_t, i32) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        if let Some(pidfd) = &self.pidfd {
            match by_pidfd(pidfd.as_fd(), signal) {
                // Not there (before 5.1; for groups 6.9), or a filter's answer; or the process is another user's by now,
                // or the signal is none, which kill(2) then says too.
                Err(Errno::ENOSYS | Errno::EPERM | Errno::EINVAL) => {}
                answer => return answer,
            }
        }
        let mut reaped = self.lock();
        *reaped = *reaped || matches!(self.ask(pidfd::peek), Err(Errno::ECHILD));
        if *reaped { Err(Errno::ESRCH) } else { by_number(self.pid, signal) }
    }

    fn unless_reaped<T>(&self, question: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
        let reaped = self.lock();
        if *reaped { Err(Errno::ECHILD) } else { question() }
    }

    /// By the pidfd, or by the number where waitid does not take pidfds (before 5.4, or a filter's answer: it says none
    /// of these three itself). Not to be called once it has been reaped.
    fn ask<T>(&self, question: impl Fn(Id<'_>) -> Result<T, Errno>) -> Result<T, Errno> {
        if let Some(pidfd) = &self.pidfd {
            match question(Id::Pidfd(pidfd.as_fd())) {
                Err(Errno::EINVAL | Errno::ENOSYS | Errno::EPERM) => {}
                answer => return answer,
            }
        }
        question(Id::Number(self.pid))
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.reaped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kept {
            // What cannot be reaped now has not ended, and nobody waits for it: that is the engine's to prevent.
            let _ = self.reap();
        }
    }
}
