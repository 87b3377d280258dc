//! What a child does to itself between fork and exec, one call or a few each: only what is safe in a signal handler
//! (other threads may have held locks at the fork), no allocation, lock or panic. Each says 0, or an errno.

use super::{limits, spawn, volfs};
use nix::errno::Errno;
use std::ffi::{c_char, c_int};
use std::os::fd::RawFd;

pub(crate) use crate::sys::bsd::absent::calls::*;

/// setsid(2)
pub(crate) fn new_session() -> i32 {
    // SAFETY: it takes nothing.
    errno_of(unsafe { libc::setsid() })
}

/// setpgid(2) of the calling process; 0: a group of its own.
pub(crate) fn join_group(pgid: i32) -> i32 {
    // SAFETY: numbers only.
    errno_of(unsafe { libc::setpgid(0, pgid) })
}

/// Puts a group (0: the caller's own) in the foreground of the terminal `tty`. With SIGTTOU blocked: the caller is in
/// the background itself.
pub(crate) fn take_foreground(tty: RawFd, pgid: i32) -> i32 {
    // SAFETY: numbers only; getpid cannot fail.
    errno_of(unsafe { libc::tcsetpgrp(tty, if pgid == 0 { libc::getpid() } else { pgid }) })
}

/// Makes the terminal `fd` that of the session which the caller leads.
pub(crate) fn take_terminal(fd: RawFd) -> i32 {
    // SAFETY: a request without an argument.
    errno_of(unsafe { libc::ioctl(fd, libc::TIOCSCTTY.into(), 0) })
}

/// setrlimit(2)
pub(crate) fn set_limit(resource: u32, soft: u64, hard: u64) -> i32 {
    let limit = limits::limit(soft, hard);
    // SAFETY: it reads one rlimit, which outlives the call.
    errno_of(unsafe { libc::setrlimit(resource as c_int, &raw const limit) })
}

/// setpriority(2) of the calling process.
pub(crate) fn set_nice(nice: i32) -> i32 {
    // SAFETY: numbers only.
    errno_of(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) })
}

/// chroot(2) to the working directory.
pub(crate) fn change_root_here() -> i32 {
    // SAFETY: a C string.
    errno_of(unsafe { libc::chroot(c".".as_ptr()) })
}

/// umask(2)
pub(crate) fn set_umask(mask: u32) -> i32 {
    // SAFETY: a number; it cannot fail.
    unsafe { libc::umask(mask as libc::mode_t) };
    0
}

/// fchdir(2)
pub(crate) fn change_directory(fd: RawFd) -> i32 {
    // SAFETY: a number.
    errno_of(unsafe { libc::fchdir(fd) })
}

/// chdir(2)
///
/// # Safety
/// A C string.
pub(crate) unsafe fn change_directory_to(path: *const c_char) -> i32 {
    // SAFETY: the caller's promise.
    errno_of(unsafe { libc::chdir(path) })
}

/// sys/syslimits.h
const NGROUPS_MAX: usize = 16;

/// setgroups(2), whose first group is the effective one, which stays as it is. EINVAL: more than 15 others.
pub(crate) fn set_groups(groups: &[u32]) -> i32 {
    // SAFETY: it takes nothing, and cannot fail.
    let mut all = [unsafe { libc::getegid() }; NGROUPS_MAX];
    let Some(room) = all.get_mut(1..=groups.len()) else { return libc::EINVAL };
    for (place, group) in room.iter_mut().zip(groups) {
        *place = *group;
    }
    // SAFETY: as many groups as are there.
    errno_of(unsafe { libc::setgroups(groups.len() as c_int + 1, all.as_ptr()) })
}

/// setgid(2), which for root sets all three. EPERM: it did not.
pub(crate) fn set_gid(gid: u32) -> i32 {
    // SAFETY: numbers only.
    let (errno, now) = unsafe { (errno_of(libc::setgid(gid)), (libc::getgid(), libc::getegid())) };
    if errno == 0 && now != (gid, gid) { libc::EPERM } else { errno }
}

/// setuid(2), which for root sets all three. EPERM: it did not.
pub(crate) fn set_uid(uid: u32) -> i32 {
    // SAFETY: numbers only.
    let (errno, now) = unsafe { (errno_of(libc::setuid(uid)), (libc::getuid(), libc::geteuid())) };
    if errno == 0 && now != (uid, uid) { libc::EPERM } else { errno }
}

/// ENOSYS: nobody tells a process of its parent's end.
pub(crate) fn die_with(_parent: i32, _signal: i32) -> i32 {
    libc::ENOSYS
}

/// As on Linux: whoever asks for CPUs is refused by name, whichever they are.
pub(crate) const CPU_SET_SIZE: usize = 1024;

/// ENOSYS: the kernel alone decides on which CPU a process runs.
pub(crate) fn set_affinity(_set: &[u8]) -> i32 {
    libc::ENOSYS
}

/// ENOSYS: there is nothing like it.
pub(crate) fn set_no_new_privs() -> i32 {
    libc::ENOSYS
}

/// dup2(2); with O_CLOEXEC the duplicate is closed at exec.
pub(crate) fn duplicate(from: RawFd, to: RawFd, flags: c_int) -> i32 {
    // SAFETY: numbers only.
    let errno = errno_of(unsafe { libc::dup2(from, to) });
    if errno != 0 || flags & libc::O_CLOEXEC == 0 {
        return errno;
    }
    // SAFETY: as above.
    errno_of(unsafe { libc::fcntl(to, libc::F_SETFD, libc::FD_CLOEXEC) })
}

/// Clears close-on-exec.
pub(crate) fn leave_open(fd: RawFd) -> i32 {
    // SAFETY: numbers only.
    errno_of(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })
}

/// EBADF: it was not open, which is what was wanted. Whatever else it says, it is closed.
pub(crate) fn close(fd: RawFd) {
    // SAFETY: a child's own descriptor, which nothing of ours uses after this.
    unsafe { libc::close(fd) };
}

/// The highest signal there is.
const SIGNALS: c_int = 31;

/// Handlers and ignored signals to their defaults; then lets every signal in.
pub(crate) fn reset_signals() -> i32 {
    for signal in 1..=SIGNALS {
        if signal != libc::SIGKILL && signal != libc::SIGSTOP {
            // SAFETY: the default is no handler of ours.
            let before = unsafe { libc::signal(signal, libc::SIG_DFL) };
            if before == libc::SIG_ERR {
                return Errno::last_raw();
            }
        }
    }
    let none: libc::sigset_t = 0;
    // SAFETY: a set, which outlives the call.
    errno_of(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) })
}

/// Writes what a parent may be waiting for. Nobody can be told if it fails: the parent then sees the pipe's end.
pub(crate) fn tell(pipe: RawFd, bytes: &[u8]) {
    // SAFETY: the bytes outlive the call.
    unsafe { libc::write(pipe, bytes.as_ptr().cast(), bytes.len()) };
}

/// _exit(2)
pub(crate) fn end(code: i32) -> ! {
    // SAFETY: it runs none of this process's exit handlers.
    unsafe { libc::_exit(code) }
}

/// execve(2); a program found by /.vol stands still before its first instruction, until it has been looked at. It comes
/// back only with an errno.
///
/// # Safety
/// A C string, and arrays of C strings that end with a null.
pub(crate) unsafe fn exec(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        if volfs::is_of_it(path) {
            spawn::exec_suspended(path, argv, envp)
        } else {
            errno_of(libc::execve(path, argv, envp))
        }
    }
}

/// ENOSYS: no program can be run by its descriptor.
///
/// # Safety
/// None is needed.
pub(crate) unsafe fn exec_held(_program: RawFd, _argv: *const *const c_char, _envp: *const *const c_char) -> i32 {
    libc::ENOSYS
}

/// What the calls above are called, for errors.
pub(crate) mod names {
    pub(crate) const SET_LIMIT: &str = "setrlimit";
    pub(crate) const DUPLICATE: &str = "dup2";
    pub(crate) const SET_GID: &str = "setgid";
    pub(crate) const SET_UID: &str = "setuid";
    pub(crate) const DIE_WITH: &str = "pdeathsig";
    pub(crate) const NO_NEW_PRIVS: &str = "noNewPrivs";
    pub(crate) const AFFINITY: &str = "cpuAffinity";
    pub(crate) const SIGNALS: &str = "sigaction";
    pub(crate) const EXEC_HELD: &str = "execve";
}

fn errno_of(answer: c_int) -> i32 {
    if answer < 0 { Errno::last_raw() } else { 0 }
}
