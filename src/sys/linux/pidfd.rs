//! Processes by descriptor: waitid(P_PIDFD), pidfd_send_signal.

use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// How a process ended, and what it used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    pub(crate) status: Status,
    pub(crate) usage: libc::rusage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Code(i32),
    Signal(i32),
}

/// PIDFD_SIGNAL_PROCESS_GROUP (linux/pidfd.h, 6.9).
const PROCESS_GROUP: libc::c_uint = 1 << 2;

/// Sends `signal` to the group that the process leads or led: as long as there is a member, its number is nobody
/// else's. EINVAL before 6.9.
pub(crate) fn send_signal_to_group(pidfd: BorrowedFd<'_>, signal: i32) -> Result<(), Errno> {
    send(pidfd, signal, PROCESS_GROUP)
}

/// Sends `signal` to the group of this number, which must be one that cannot be given to another meanwhile.
pub(crate) fn kill_group(pgid: libc::pid_t, signal: i32) -> Result<(), Errno> {
    // SAFETY: numbers only.
    Errno::result(unsafe { libc::kill(-pgid, signal) }).map(drop)
}

/// How the process ended, if it has; it stays to be reaped.
pub(crate) fn peek(pidfd: BorrowedFd<'_>) -> Result<Option<Exit>, Errno> {
    exit(pidfd, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
}

/// Reaps the process if it has ended; None while it runs. ECHILD: somebody else has reaped it.
pub(crate) fn reap(pidfd: BorrowedFd<'_>) -> Result<Option<Exit>, Errno> {
    exit(pidfd, libc::WEXITED | libc::WNOHANG)
}

fn exit(pidfd: BorrowedFd<'_>, options: i32) -> Result<Option<Exit>, Errno> {
    // SAFETY: rusage is plain numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let info = waitid(pidfd, options, &mut usage)?;
    Ok(status(&info).map(|status| Exit { status, usage }))
}

/// Waits for the end of the process and reaps it.
pub(crate) fn reap_now(pidfd: BorrowedFd<'_>) -> Result<Option<Status>, Errno> {
    // SAFETY: as in `reap`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        match waitid(pidfd, libc::WEXITED, &mut usage) {
            Err(Errno::EINTR) => {}
            other => return other.map(|info| status(&info)),
        }
    }
}

/// Whether the process stands stopped (SIGSTOP, SIGTSTP, …); it stays as it is.
pub(crate) fn is_stopped(pidfd: BorrowedFd<'_>) -> bool {
    // SAFETY: as in `reap`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let stopped = waitid(pidfd, libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT, &mut usage);
    stopped.is_ok_and(|info| info.si_code == libc::CLD_STOPPED || info.si_code == libc::CLD_TRAPPED)
}

/// Sends `signal` to the process, and to no other that may have its number.
pub(crate) fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> Result<(), Errno> {
    send(pidfd, signal, 0)
}

fn send(pidfd: BorrowedFd<'_>, signal: i32, flags: libc::c_uint) -> Result<(), Errno> {
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is what kill(2) would send.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, info, flags) };
    Errno::result(result).map(drop)
}

/// The system call itself: libc's wrapper has no place for the resource usage.
fn waitid(pidfd: BorrowedFd<'_>, options: i32, usage: &mut libc::rusage) -> Result<libc::siginfo_t, Errno> {
    // SAFETY: siginfo_t is plain data, for which zero is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to values that outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::P_PIDFD,
            pidfd.as_raw_fd(),
            &raw mut info,
            options,
            std::ptr::from_mut(usage),
        )
    };
    Errno::result(result).map(|_| info)
}

/// None where waitid found nothing to tell (si_signo stays 0).
fn status(info: &libc::siginfo_t) -> Option<Status> {
    if info.si_signo == 0 {
        return None;
    }
    // SAFETY: a SIGCHLD's siginfo carries a status.
    let value = unsafe { info.si_status() };
    Some(if info.si_code == libc::CLD_EXITED { Status::Code(value) } else { Status::Signal(value) })
}
