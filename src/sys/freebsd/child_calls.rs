//! What a child does to itself between rfork and exec, one call or a few each: system calls by instruction only, no
//! allocation, lock, panic or libc wrapper. Each says 0, or an errno.

use super::limits;
use super::syscall::{self as call_of, syscall};
use std::ffi::{c_char, c_int};
use std::os::fd::RawFd;

pub(crate) use crate::sys::bsd::absent::calls::*;

/// setsid(2)
pub(crate) fn new_session() -> i32 {
    call(call_of::SETSID, [0; 3])
}

/// setpgid(2) of the calling process; 0: a group of its own.
pub(crate) fn join_group(pgid: i32) -> i32 {
    call(call_of::SETPGID, [0, pgid as usize, 0])
}

/// Puts a group (0: the caller's own) in the foreground of the terminal `tty`. With SIGTTOU blocked: the caller is in
/// the background itself.
pub(crate) fn take_foreground(tty: RawFd, pgid: i32) -> i32 {
    let group = if pgid == 0 { answer(call_of::GETPID) as i32 } else { pgid };
    call(call_of::IOCTL, [tty as usize, libc::TIOCSPGRP as usize, &raw const group as usize])
}

/// Makes the terminal `fd` that of the session which the caller leads.
pub(crate) fn take_terminal(fd: RawFd) -> i32 {
    call(call_of::IOCTL, [fd as usize, libc::TIOCSCTTY as usize, 0])
}

/// setrlimit(2)
pub(crate) fn set_limit(resource: u32, soft: u64, hard: u64) -> i32 {
    let limit = limits::limit(soft, hard);
    call(call_of::SETRLIMIT, [resource as usize, &raw const limit as usize, 0])
}

/// setpriority(2) of the calling process.
pub(crate) fn set_nice(nice: i32) -> i32 {
    call(call_of::SETPRIORITY, [libc::PRIO_PROCESS as usize, 0, nice as usize])
}

/// chroot(2) to the working directory.
pub(crate) fn change_root_here() -> i32 {
    call(call_of::CHROOT, [c".".as_ptr() as usize, 0, 0])
}

/// umask(2)
pub(crate) fn set_umask(mask: u32) -> i32 {
    call(call_of::UMASK, [mask as usize, 0, 0])
}

/// fchdir(2)
pub(crate) fn change_directory(fd: RawFd) -> i32 {
    call(call_of::FCHDIR, [fd as usize, 0, 0])
}

/// chdir(2)
///
/// # Safety
/// A C string.
pub(crate) unsafe fn change_directory_to(path: *const c_char) -> i32 {
    call(call_of::CHDIR, [path as usize, 0, 0])
}

/// sys/syslimits.h
const NGROUPS_MAX: usize = 1023;

/// setgroups(2), whose first group is the effective one, which stays as it is.
pub(crate) fn set_groups(groups: &[u32]) -> i32 {
    let mut all = [answer(call_of::GETEGID) as u32; NGROUPS_MAX + 1];
    let Some(room) = all.get_mut(1..=groups.len()) else { return libc::EINVAL };
    for (place, group) in room.iter_mut().zip(groups) {
        *place = *group;
    }
    call(call_of::SETGROUPS, [groups.len() + 1, all.as_ptr() as usize, 0])
}

/// setresgid(2), all three.
pub(crate) fn set_gid(gid: u32) -> i32 {
    call(call_of::SETRESGID, [gid as usize; 3])
}

/// setresuid(2), all three.
pub(crate) fn set_uid(uid: u32) -> i32 {
    call(call_of::SETRESUID, [uid as usize; 3])
}

/// The signal that the caller gets when the process that has made it ends, by procctl(2). If that has ended already,
/// `parent` is not the caller's parent: it gets the signal now.
pub(crate) fn die_with(parent: i32, signal: i32) -> i32 {
    let errno = control(libc::PROC_PDEATHSIG_CTL, signal);
    if errno == 0 && answer(call_of::GETPPID) as i32 != parent {
        return call(call_of::KILL, [answer(call_of::GETPID) as usize, signal as usize, 0]);
    }
    errno
}

/// As many bytes as a set of CPUs has: 1,024 of them.
pub(crate) const CPU_SET_SIZE: usize = 128;

/// Runs on these CPUs only, by cpuset_setaffinity(2), which says EDEADLK of those that there are not or that it may not
/// have.
pub(crate) fn set_affinity(set: &[u8]) -> i32 {
    let (level, which) = (libc::CPU_LEVEL_WHICH as usize, libc::CPU_WHICH_PID as usize);
    let args = [level, which, usize::MAX, set.len(), set.as_ptr() as usize, 0];
    // SAFETY: a set of the size given. The id of -1 is the caller.
    errno_of(unsafe { syscall(call_of::CPUSET_SETAFFINITY, args) })
}

/// procctl(2) with PROC_NO_NEW_PRIVS_CTL
pub(crate) fn set_no_new_privs() -> i32 {
    control(libc::PROC_NO_NEW_PRIVS_CTL, libc::PROC_NO_NEW_PRIVS_ENABLE)
}

/// dup2(2); with O_CLOEXEC the duplicate is closed at exec.
pub(crate) fn duplicate(from: RawFd, to: RawFd, flags: c_int) -> i32 {
    let how = if flags & libc::O_CLOEXEC == 0 { libc::F_DUP2FD } else { libc::F_DUP2FD_CLOEXEC };
    call(call_of::FCNTL, [from as usize, how as usize, to as usize])
}

/// Clears close-on-exec.
pub(crate) fn leave_open(fd: RawFd) -> i32 {
    call(call_of::FCNTL, [fd as usize, libc::F_SETFD as usize, 0])
}

/// EBADF: it was not open, which is what was wanted. Whatever else it says, it is closed.
pub(crate) fn close(fd: RawFd) {
    call(call_of::CLOSE, [fd as usize, 0, 0]);
}

/// The highest signal there is (_SIG_MAXSIG).
const SIGNALS: usize = 128;

/// Handlers and ignored signals to their defaults; then lets every signal in.
pub(crate) fn reset_signals() -> i32 {
    // SAFETY: plain numbers; zero is SIG_DFL, no flags and an empty mask.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    for signal in 1..=SIGNALS {
        let mut now = default;
        let read = call(call_of::SIGACTION, [signal, 0, &raw mut now as usize]);
        if read != 0 || now.sa_sigaction == libc::SIG_DFL {
            continue;
        }
        let errno = call(call_of::SIGACTION, [signal, &raw const default as usize, 0]);
        if errno != 0 {
            return errno;
        }
    }
    let none = default.sa_mask;
    call(call_of::SIGPROCMASK, [libc::SIG_SETMASK as usize, &raw const none as usize, 0])
}

/// Writes what a parent may be waiting for. Nobody can be told if it fails: the parent then sees the pipe's end.
pub(crate) fn tell(pipe: RawFd, bytes: &[u8]) {
    call(call_of::WRITE, [pipe as usize, bytes.as_ptr() as usize, bytes.len()]);
}

/// _exit(2)
pub(crate) fn end(code: i32) -> ! {
    loop {
        call(call_of::EXIT, [code as usize, 0, 0]);
    }
}

/// execve(2); it comes back only with an errno.
///
/// # Safety
/// A C string, and arrays of C strings that end with a null.
pub(crate) unsafe fn exec(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char) -> i32 {
    call(call_of::EXECVE, [path as usize, argv as usize, envp as usize])
}

/// Runs what the descriptor holds, whatever has its name by now: fexecve(2). It comes back only with an errno.
///
/// # Safety
/// Arrays of C strings that end with a null.
pub(crate) unsafe fn exec_held(program: RawFd, argv: *const *const c_char, envp: *const *const c_char) -> i32 {
    call(call_of::FEXECVE, [program as usize, argv as usize, envp as usize])
}

/// What the calls above are called, for errors.
pub(crate) mod names {
    pub(crate) const SET_LIMIT: &str = "setrlimit";
    pub(crate) const DUPLICATE: &str = "fcntl";
    pub(crate) const SET_GID: &str = "setresgid";
    pub(crate) const SET_UID: &str = "setresuid";
    pub(crate) const DIE_WITH: &str = "procctl";
    pub(crate) const NO_NEW_PRIVS: &str = "procctl";
    pub(crate) const AFFINITY: &str = "cpuset_setaffinity";
    pub(crate) const SIGNALS: &str = "sigaction";
    pub(crate) const EXEC_HELD: &str = "fexecve";
}

/// procctl(2) of the caller, of what takes one number.
fn control(what: c_int, value: c_int) -> i32 {
    let args = [libc::P_PID as usize, 0, what as usize, &raw const value as usize, 0, 0];
    // SAFETY: it reads one int, which outlives the call.
    errno_of(unsafe { syscall(call_of::PROCCTL, args) })
}

/// A call that takes nothing, and cannot fail.
fn answer(number: c_int) -> isize {
    // SAFETY: it takes nothing.
    unsafe { syscall(number, [0; 6]) }
}

fn call(number: c_int, [a, b, c]: [usize; 3]) -> i32 {
    // SAFETY: the callers above give numbers, C strings, and slices or values of theirs with their length.
    errno_of(unsafe { syscall(number, [a, b, c, 0, 0, 0]) })
}

fn errno_of(answer: isize) -> i32 {
    if answer < 0 { -answer as i32 } else { 0 }
}
