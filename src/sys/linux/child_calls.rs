//! What a child does to itself between clone and exec, one call or a few each: system calls by instruction only, no
//! allocation, lock, panic or libc wrapper (these write errno, which is ours too, and set ids in every thread). Each
//! says 0, or an errno.

use super::signals::SET_SIZE;
use super::syscall::syscall;
use std::ffi::{c_char, c_int};
use std::os::fd::RawFd;

/// setsid(2)
pub(crate) fn new_session() -> i32 {
    call(libc::SYS_setsid, [0; 3])
}

/// setpgid(2) of the calling process; 0: a group of its own.
pub(crate) fn join_group(pgid: i32) -> i32 {
    call(libc::SYS_setpgid, [0, pgid as usize, 0])
}

/// Puts a group (0: the caller's own) in the foreground of the terminal `tty`. With SIGTTOU blocked: the caller is in
/// the background itself.
pub(crate) fn take_foreground(tty: RawFd, pgid: i32) -> i32 {
    // SAFETY: it takes nothing, and cannot fail.
    let own = unsafe { syscall(libc::SYS_getpid, [0; 6]) } as i32;
    let group = if pgid == 0 { own } else { pgid };
    call(libc::SYS_ioctl, [tty as usize, libc::TIOCSPGRP as usize, &raw const group as usize])
}

/// Makes the terminal `fd` that of the session which the caller leads.
pub(crate) fn take_terminal(fd: RawFd) -> i32 {
    call(libc::SYS_ioctl, [fd as usize, libc::TIOCSCTTY as usize, 0])
}

/// Waits for a byte from the other end of a pipe, whose own end of it `theirs` has to be closed first. ECANCELED: there
/// is nobody any more who would write it.
pub(crate) fn await_byte(ours: RawFd, theirs: RawFd) -> i32 {
    close(theirs);
    let mut byte = 0u8;
    // SAFETY: one byte, which outlives the call.
    let read = unsafe { syscall(libc::SYS_read, [ours as usize, &raw mut byte as usize, 1, 0, 0, 0]) };
    close(ours);
    match read {
        1 => 0,
        0 => libc::ECANCELED,
        errno => -errno as i32,
    }
}

/// Joins the cgroup whose cgroup.procs is open as `procs`.
pub(crate) fn join_cgroup(procs: RawFd) -> i32 {
    let myself = b"0";
    // SAFETY: one byte of a constant.
    let wrote = unsafe { syscall(libc::SYS_write, [procs as usize, myself.as_ptr() as usize, 1, 0, 0, 0]) };
    errno_of(wrote)
}

/// unshare(2)
pub(crate) fn unshare(flags: c_int) -> i32 {
    call(libc::SYS_unshare, [flags as usize, 0, 0])
}

/// No mount of ours shows in other mount namespaces, nor theirs in ours.
pub(crate) fn make_mounts_private() -> i32 {
    let flags = (libc::MS_REC | libc::MS_PRIVATE) as usize;
    // SAFETY: a constant C string; for a change of propagation the other pointers are not looked at.
    errno_of(unsafe { syscall(libc::SYS_mount, [0, c"/".as_ptr() as usize, 0, flags, 0, 0]) })
}

/// prlimit(2) of the calling process.
pub(crate) fn set_limit(resource: u32, soft: u64, hard: u64) -> i32 {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the kernel reads one rlimit64, which outlives the call.
    errno_of(unsafe { syscall(libc::SYS_prlimit64, [0, resource as usize, &raw const limit as usize, 0, 0, 0]) })
}

/// setpriority(2) of the calling process.
pub(crate) fn set_nice(nice: i32) -> i32 {
    call(libc::SYS_setpriority, [libc::PRIO_PROCESS as usize, 0, nice as usize])
}

/// chroot(2) to the working directory.
pub(crate) fn change_root_here() -> i32 {
    call(libc::SYS_chroot, [c".".as_ptr() as usize, 0, 0])
}

/// umask(2)
pub(crate) fn set_umask(mask: u32) -> i32 {
    call(libc::SYS_umask, [mask as usize, 0, 0])
}

/// fchdir(2)
pub(crate) fn change_directory(fd: RawFd) -> i32 {
    call(libc::SYS_fchdir, [fd as usize, 0, 0])
}

/// chdir(2)
///
/// # Safety
/// `path` is a C string. (No `&CStr`: that would be made by strlen(3).)
pub(crate) unsafe fn change_directory_to(path: *const c_char) -> i32 {
    call(libc::SYS_chdir, [path as usize, 0, 0])
}

/// setgroups(2)
pub(crate) fn set_groups(groups: &[u32]) -> i32 {
    call(libc::SYS_setgroups, [groups.len(), groups.as_ptr() as usize, 0])
}

/// setresgid(2), all three.
pub(crate) fn set_gid(gid: u32) -> i32 {
    call(libc::SYS_setresgid, [gid as usize; 3])
}

/// setresuid(2), all three.
pub(crate) fn set_uid(uid: u32) -> i32 {
    call(libc::SYS_setresuid, [uid as usize; 3])
}

/// Keeps the permitted capabilities when the user changes (PR_SET_KEEPCAPS); exec forgets it.
pub(crate) fn keep_capabilities() -> i32 {
    control([libc::PR_SET_KEEPCAPS as usize, 1, 0, 0, 0])
}

/// linux/capability.h: two halves of 32 bits each.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct CapabilityData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// Makes capabilities, which have to be permitted, inheritable too. By capset(2).
pub(crate) fn inherit_capabilities(set: u64) -> i32 {
    let header = CapabilityHeader { version: LINUX_CAPABILITY_VERSION_3, pid: 0 };
    let mut halves = [CapabilityData { effective: 0, permitted: 0, inheritable: 0 }; 2];
    let (header, data) = (&raw const header as usize, halves.as_mut_ptr() as usize);
    // SAFETY: a header and the two halves that its version has; both outlive the call.
    let got = unsafe { syscall(libc::SYS_capget, [header, data, 0, 0, 0, 0]) };
    if got < 0 {
        return errno_of(got);
    }
    let [low, high] = &mut halves;
    low.inheritable |= set as u32;
    high.inheritable |= (set >> 32) as u32;
    // SAFETY: as above.
    errno_of(unsafe { syscall(libc::SYS_capset, [header, data, 0, 0, 0, 0]) })
}

/// Makes capabilities, which have to be permitted and inheritable, ambient: exec leaves them. By prctl(2).
pub(crate) fn raise_capabilities(set: u64) -> i32 {
    let mut rest = set;
    while rest != 0 {
        let capability = rest.trailing_zeros() as usize;
        let raise = libc::PR_CAP_AMBIENT_RAISE as usize;
        let errno = control([libc::PR_CAP_AMBIENT as usize, raise, capability, 0, 0]);
        if errno != 0 {
            return errno;
        }
        rest &= rest - 1;
    }
    0
}

/// The signal that the caller gets when the thread that has made it ends. If its process has ended already, `parent` is
/// not the caller's parent: it gets the signal now. (0: the parent is in another pid namespace, and cannot be told.)
pub(crate) fn die_with(parent: i32, signal: i32) -> i32 {
    let errno = control([libc::PR_SET_PDEATHSIG as usize, signal as usize, 0, 0, 0]);
    // SAFETY: they take nothing, and cannot fail.
    let (now, own) = unsafe { (syscall(libc::SYS_getppid, [0; 6]), syscall(libc::SYS_getpid, [0; 6])) };
    if errno == 0 && now != 0 && now as i32 != parent {
        return call(libc::SYS_kill, [own as usize, signal as usize, 0]);
    }
    errno
}

/// As many bytes as a set of CPUs may have: 8,192 of them.
pub(crate) const CPU_SET_SIZE: usize = 1024;

/// Runs on these CPUs only. The kernel leaves out those that there are not, or that a cpuset forbids, without a word:
/// EINVAL then, since it is not what was asked for.
pub(crate) fn set_affinity(set: &[u8]) -> i32 {
    let errno = call(libc::SYS_sched_setaffinity, [0, set.len(), set.as_ptr() as usize]);
    if errno != 0 {
        return errno;
    }
    let mut now = [0u8; CPU_SET_SIZE];
    let args = [0, CPU_SET_SIZE, now.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel writes at most that many bytes, into a buffer that outlives the call.
    let got = unsafe { syscall(libc::SYS_sched_getaffinity, args) };
    if got < 0 {
        return errno_of(got);
    }
    let mut at = 0;
    while at < CPU_SET_SIZE {
        if now.get(at).copied().unwrap_or(0) != set.get(at).copied().unwrap_or(0) {
            return libc::EINVAL;
        }
        at += 1;
    }
    0
}

/// prctl(PR_SET_NO_NEW_PRIVS)
pub(crate) fn set_no_new_privs() -> i32 {
    control([libc::PR_SET_NO_NEW_PRIVS as usize, 1, 0, 0, 0])
}

/// dup3(2)
pub(crate) fn duplicate(from: RawFd, to: RawFd, flags: c_int) -> i32 {
    call(libc::SYS_dup3, [from as usize, to as usize, flags as usize])
}

/// Clears close-on-exec.
pub(crate) fn leave_open(fd: RawFd) -> i32 {
    call(libc::SYS_fcntl, [fd as usize, libc::F_SETFD as usize, 0])
}

/// EBADF: it was not open, which is what was wanted. Whatever else it says, it is closed.
pub(crate) fn close(fd: RawFd) {
    call(libc::SYS_close, [fd as usize, 0, 0]);
}

/// The kernel's struct sigaction, on x86_64 and arm64 alike.
#[repr(C)]
#[derive(Clone, Copy)]
struct KernelSigaction {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

/// The highest signal there is.
const SIGNALS: usize = 64;

/// Handlers and ignored signals to their defaults; then lets every signal in, last of all: before 5.16 a signal that
/// dumps core, in a child that shares our memory, takes us along (commit 0258b5fd7c71).
pub(crate) fn reset_signals() -> i32 {
    for signal in 1..=SIGNALS {
        let mut now = KernelSigaction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
        let default = now;
        // SAFETY: both structures are the kernel's own shape and outlive the calls. SIGKILL and SIGSTOP can be read,
        // and are never anything but default.
        let errno = unsafe {
            let read = syscall(libc::SYS_rt_sigaction, [signal, 0, &raw mut now as usize, SET_SIZE, 0, 0]);
            if read == 0 && now.handler == libc::SIG_DFL {
                continue;
            }
            syscall(libc::SYS_rt_sigaction, [signal, &raw const default as usize, 0, SET_SIZE, 0, 0])
        };
        if errno < 0 {
            return errno_of(errno);
        }
    }
    let none = 0u64;
    let how = libc::SIG_SETMASK as usize;
    // SAFETY: a set of the size given, which outlives the call.
    errno_of(unsafe { syscall(libc::SYS_rt_sigprocmask, [how, &raw const none as usize, 0, SET_SIZE, 0, 0]) })
}

/// prctl(2)
fn control([a, b, c, d, e]: [usize; 5]) -> i32 {
    // SAFETY: the callers above give numbers only.
    errno_of(unsafe { syscall(libc::SYS_prctl, [a, b, c, d, e, 0]) })
}

fn call(number: libc::c_long, [a, b, c]: [usize; 3]) -> i32 {
    // SAFETY: the callers above give numbers, C strings, and slices or values of theirs with their length.
    errno_of(unsafe { syscall(number, [a, b, c, 0, 0, 0]) })
}

fn errno_of(answer: isize) -> i32 {
    if answer < 0 { -answer as i32 } else { 0 }
}

/// Writes what a parent may be waiting for. Nobody can be told if it fails: the parent then sees the pipe's end.
pub(crate) fn tell(pipe: RawFd, bytes: &[u8]) {
    call(libc::SYS_write, [pipe as usize, bytes.as_ptr() as usize, bytes.len()]);
}

/// exit_group(2)
pub(crate) fn end(code: i32) -> ! {
    loop {
        call(libc::SYS_exit_group, [code as usize, 0, 0]);
    }
}

/// execve(2); it comes back only with an errno.
///
/// # Safety
/// A C string, and arrays of C strings that end with a null.
pub(crate) unsafe fn exec(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char) -> i32 {
    call(libc::SYS_execve, [path as usize, argv as usize, envp as usize])
}

/// Runs what the descriptor holds, whatever has its name by now: execveat(2) with AT_EMPTY_PATH. It comes back only with
/// an errno.
///
/// # Safety
/// Arrays of C strings that end with a null.
pub(crate) unsafe fn exec_held(program: RawFd, argv: *const *const c_char, envp: *const *const c_char) -> i32 {
    let flags = libc::AT_EMPTY_PATH as usize;
    let args = [program as usize, c"".as_ptr() as usize, argv as usize, envp as usize, flags, 0];
    // SAFETY: the caller's promise.
    errno_of(unsafe { syscall(libc::SYS_execveat, args) })
}

/// What the calls above are called, for errors.
pub(crate) mod names {
    pub(crate) const SET_LIMIT: &str = "prlimit64";
    pub(crate) const DUPLICATE: &str = "dup3";
    pub(crate) const SET_GID: &str = "setresgid";
    pub(crate) const SET_UID: &str = "setresuid";
    pub(crate) const DIE_WITH: &str = "prctl";
    pub(crate) const NO_NEW_PRIVS: &str = "prctl";
    pub(crate) const AFFINITY: &str = "sched_setaffinity";
    pub(crate) const SIGNALS: &str = "rt_sigaction";
    pub(crate) const EXEC_HELD: &str = "execveat";
}
