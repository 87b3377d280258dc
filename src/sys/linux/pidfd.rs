//! Children by descriptor, or by number where there is no descriptor: waitid, pidfd_send_signal, kill.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// How a process ended, and what it used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    pub(crate) status: Status,
    pub(crate) core_dumped: bool,
    /// None where somebody else has reaped it.
    pub(crate) usage: Option<libc::rusage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Code(i32),
    Signal(i32),
}

/// A child of this process, as waitid(2) takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Id<'a> {
    Pidfd(BorrowedFd<'a>),
    /// Its number, which is nobody else's until it is reaped.
    Number(libc::pid_t),
}

/// Reaps the process if it has ended; None while it runs. ECHILD: somebody else has reaped it.
pub(crate) fn reap(child: Id<'_>) -> Result<Option<Exit>, Errno> {
    look(child, libc::WEXITED | libc::WNOHANG)
}

/// Waits for the end of the process, and leaves it to be reaped.
pub(crate) fn wait(child: Id<'_>) -> Result<(), Errno> {
    loop {
        match look(child, libc::WEXITED | libc::WNOWAIT) {
            Err(Errno::EINTR) => {}
            other => return other.map(drop),
        }
    }
}

/// How it ended, if it has; it stays to be reaped. ECHILD: it has been.
pub(crate) fn peek(child: Id<'_>) -> Result<Option<Exit>, Errno> {
    look(child, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
}

/// How a process ended that somebody else has reaped, or that the kernel has itself (SIGCHLD is ignored). From 6.15 on it
/// keeps that for those who hold a pidfd of it. None where it does not, and for a process that runs.
pub(crate) fn afterwards(pidfd: BorrowedFd<'_>) -> Option<Exit> {
    match exit_code(pidfd) {
        Ok(None) => {
            // Its end shows a moment before what is kept of it is there; POLLHUP comes after both.
            while poll(&mut [PollFd::new(pidfd, PollFlags::empty())], LONGEST_MOMENT) == Err(Errno::EINTR) {}
            exit_code(pidfd).ok().flatten()
        }
        told => told.ok().flatten(),
    }
    .map(|word| {
        let exited = libc::WIFEXITED(word);
        let status = if exited { Status::Code(libc::WEXITSTATUS(word)) } else { Status::Signal(libc::WTERMSIG(word)) };
        Exit { status, core_dumped: !exited && libc::WCOREDUMP(word), usage: None }
    })
}

/// In ms; a release of the process on a busy machine takes less.
const LONGEST_MOMENT: u16 = 200;

/// struct pidfd_info (linux/pidfd.h, 6.13), as far as its first version goes.
#[repr(C)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// PIDFD_INFO_EXIT (6.15): `exit_code` is asked for, and told.
const INFO_EXIT: u64 = 1 << 3;
/// PIDFD_GET_INFO: _IOWR(0xff, 11, struct pidfd_info).
const GET_INFO: u32 = 3 << 30 | (size_of::<Info>() as u32) << 16 | 0xff << 8 | 11;

/// wait(2)'s status; None while it is not there. An error: it is gone and nothing is kept, or this cannot be asked.
fn exit_code(pidfd: BorrowedFd<'_>) -> Result<Option<i32>, Errno> {
    let mut info = Info { mask: INFO_EXIT, cgroup: 0, ids: [0; 11], exit_code: 0 };
    // SAFETY: the kernel writes at most the size that the request's number says, and `info` outlives the call.
    Errno::result(unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO as _, &raw mut info) })?;
    Ok((info.mask & INFO_EXIT != 0).then_some(info.exit_code))
}

/// Whether the process stands stopped (SIGSTOP, SIGTSTP, …); it stays as it is.
pub(crate) fn is_stopped(child: Id<'_>) -> Result<bool, Errno> {
    let (info, _) = waitid(child, libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT)?;
    Ok(info.si_code == libc::CLD_STOPPED || info.si_code == libc::CLD_TRAPPED)
}

/// Sends `signal` to the process, and to no other that may have its number.
pub(crate) fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> Result<(), Errno> {
    send(pidfd, signal, 0)
}

/// PIDFD_SIGNAL_PROCESS_GROUP (linux/pidfd.h, 6.9).
const PROCESS_GROUP: libc::c_uint = 1 << 2;

/// Sends `signal` to the group that the process leads or led: as long as there is a member, its number is nobody
/// else's. EINVAL before 6.9.
pub(crate) fn send_signal_to_group(pidfd: BorrowedFd<'_>, signal: i32) -> Result<(), Errno> {
    send(pidfd, signal, PROCESS_GROUP)
}

fn send(pidfd: BorrowedFd<'_>, signal: i32, flags: libc::c_uint) -> Result<(), Errno> {
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is what kill(2) would send.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, info, flags) };
    Errno::result(result).map(drop)
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

/// None: the pidfd is what becomes readable at the end, or one has to look, now and then.
pub(crate) fn watch(_pid: libc::pid_t) -> Option<OwnedFd> {
    None
}

fn look(child: Id<'_>, options: i32) -> Result<Option<Exit>, Errno> {
    let (info, usage) = waitid(child, options)?;
    let core_dumped = info.si_code == libc::CLD_DUMPED;
    Ok(status(&info).map(|status| Exit { status, core_dumped, usage: Some(usage) }))
}

/// The system call itself: libc's wrapper has no place for the resource usage.
fn waitid(child: Id<'_>, options: i32) -> Result<(libc::siginfo_t, libc::rusage), Errno> {
    let (kind, number) = match child {
        Id::Pidfd(pidfd) => (libc::P_PIDFD, pidfd.as_raw_fd()),
        Id::Number(pid) => (libc::P_PID, pid),
    };
    // SAFETY: both are plain data, for which zero is a value.
    let (mut info, mut usage): (libc::siginfo_t, libc::rusage) = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to values that outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_waitid, kind, number, &raw mut info, options, &raw mut usage) };
    Errno::result(result).map(|_| (info, usage))
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
