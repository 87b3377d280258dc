//! clone3(2) and clone(2) with a stack of the caller's choice. libc cannot be used: its syscall() returns twice on one
//! stack, and musl's clone() refuses CLONE_CHILD_CLEARTID.

use super::futex;
use crate::sys::fd;
use crate::sys::stack::{SIZE, Stack};
use nix::errno::Errno;
use std::arch::global_asm;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

// One call for both, by number. The child begins on the new stack, where its function and that function's argument
// have been laid; with the frame pointer cleared, a walk of the stack ends there.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".hidden command_root_clone",
    ".globl command_root_clone",
    ".type command_root_clone,@function",
    "command_root_clone:",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    "mov r10, r8",
    "mov r8, r9",
    "syscall",
    "test rax, rax",
    "jz 2f",
    "ret",
    "2:",
    "xor ebp, ebp",
    "pop rax",
    "pop rdi",
    "call rax",
    "ud2",
    ".size command_root_clone, . - command_root_clone",
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".hidden command_root_clone",
    ".globl command_root_clone",
    ".type command_root_clone,@function",
    "command_root_clone:",
    "mov x8, x0",
    "mov x0, x1",
    "mov x1, x2",
    "mov x2, x3",
    "mov x3, x4",
    "mov x4, x5",
    "svc #0",
    "cbz x0, 2f",
    "ret",
    "2:",
    "mov x29, xzr",
    "mov x30, xzr",
    "ldp x1, x0, [sp], #16",
    "blr x1",
    "brk #1",
    ".size command_root_clone, . - command_root_clone",
);

unsafe extern "C" {
    fn command_root_clone(number: libc::c_long, a: usize, b: usize, c: usize, d: usize, e: usize) -> isize;
}

/// Resets the child's handlers to their defaults (linux/sched.h, 5.5); beyond the 32 bits that clone() can take.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// The name of the call, for errors.
pub(crate) const CALL: &str = "clone3";

/// What the child runs; it never comes back.
pub(crate) type Entry = unsafe extern "C" fn(argument: *const libc::c_void) -> !;

/// How the child stands to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// It runs in our memory until exec (CLONE_VM); the kernel zeroes the given word and wakes its futex when the
    /// child lets go of it, at exec or death.
    Shared,
    /// It has a copy, as after fork(2).
    Copied,
}

/// A process that was just made.
#[derive(Debug)]
pub(crate) struct Born {
    pub(crate) pid: libc::pid_t,
    /// None where the kernel makes no pidfd at clone (before 5.2).
    pub(crate) pidfd: Option<OwnedFd>,
}

/// What kind of process is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth {
    pub(crate) memory: Memory,
    /// Whether the child begins in our own descriptor table (CLONE_FILES).
    pub(crate) shares_files: bool,
    /// CLONE_NEW* flags.
    pub(crate) namespaces: u64,
    /// A directory of cgroup v2 that it is born in (clone3 alone can do that, from 5.7 on).
    pub(crate) cgroup: Option<RawFd>,
}

impl Birth {
    /// One like its parent.
    pub(crate) fn plain(memory: Memory) -> Birth {
        Birth { memory, shares_files: false, namespaces: 0, cgroup: None }
    }

    fn flags(self) -> u64 {
        let shared = (libc::CLONE_VM | libc::CLONE_CHILD_CLEARTID) as u64;
        let memory = if self.memory == Memory::Shared { shared } else { 0 };
        let files = if self.shares_files { libc::CLONE_FILES as u64 } else { 0 };
        self.namespaces | memory | files
    }

    /// Whether it takes what clone() has no place for.
    fn needs_clone3(self) -> bool {
        self.cgroup.is_some() || self.namespaces & NEWTIME != 0
    }
}

/// CLONE_INTO_CGROUP (linux/sched.h, 5.7); libc's constant has the wrong width.
pub(crate) const INTO_CGROUP: u64 = 0x2_0000_0000;

/// CLONE_NEWTIME (5.6): in clone() that bit belongs to the signal.
pub(crate) const NEWTIME: u64 = 0x80;

/// Makes a child that begins in `entry(argument)` on `stack`. Where clone3 is not to be had and is needed, that is the
/// answer: ENOSYS, E2BIG, EINVAL or EPERM.
///
/// # Safety
/// `entry` must keep to what may be done between clone and exec: no allocation, lock, panic or libc wrapper. With
/// shared memory `stack`, `alive` and all that `argument` leads to must stay as they are until `alive` is zero.
pub(crate) unsafe fn clone(
    birth: &Birth,
    stack: &mut Stack,
    alive: &AtomicU32,
    entry: Entry,
    argument: *const libc::c_void,
) -> Result<Born, Errno> {
    lay(stack, entry, argument);
    let mut pidfd: RawFd = -1;
    let plain = birth.flags();
    let with_pidfd = plain | libc::CLONE_PIDFD as u64;
    // SAFETY: the caller's promises about entry, stack, alive and argument are handed on.
    let mut pid = unsafe { clone3(with_pidfd | CLONE_CLEAR_SIGHAND, birth.cgroup, stack, alive, &mut pidfd) };
    // The child itself sees to its handlers where that flag cannot be had. Before 5.2 clone() ignores CLONE_PIDFD.
    for flags in [with_pidfd, plain] {
        if birth.needs_clone3() || !is_refused(pid) {
            break;
        }
        // SAFETY: as above.
        pid = unsafe { clone1(flags, stack, alive, &mut pidfd) };
    }
    if pid < 0 {
        return Err(Errno::from_raw(-pid as i32));
    }
    // SAFETY: the kernel has put a new descriptor there, which nobody else knows. clone() before 5.2 ignores the flag
    // and leaves the -1.
    let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
    // Where no other number is to be had, the child goes by its own.
    let pidfd = pidfd.and_then(|pidfd| fd::lift(pidfd).ok());
    Ok(Born { pid: pid as libc::pid_t, pidfd })
}

/// Waits until a child that shares our memory has let go of it and `alive` is zero, but no longer than `limit`.
pub(crate) fn wait_for_release(alive: &AtomicU32, limit: Duration) {
    futex::wait(alive, 1, limit);
}

/// Two words at the stack's top, where the child finds them: what it calls, and with what.
const LAID: usize = 2 * size_of::<usize>();

fn lay(stack: &mut Stack, entry: Entry, argument: *const libc::c_void) {
    // SAFETY: the top two words of a readable and writable mapping that `stack` owns; SIZE keeps them aligned.
    unsafe { stack.base().add(SIZE - LAID).cast::<[usize; 2]>().write([entry as usize, argument as usize]) };
}

/// Not there (clone3 before 5.3, a flag later), or a filter that answers for what it cannot look into.
fn is_refused(answer: isize) -> bool {
    answer < 0 && matches!(Errno::from_raw(-answer as i32), Errno::ENOSYS | Errno::EPERM | Errno::EINVAL)
}

/// # Safety
/// As of [`clone`].
unsafe fn clone3(flags: u64, cgroup: Option<RawFd>, stack: &Stack, alive: &AtomicU32, pidfd: &mut RawFd) -> isize {
    let args = libc::clone_args {
        flags: flags | if cgroup.is_some() { INTO_CGROUP } else { 0 },
        pidfd: std::ptr::from_mut(pidfd) as u64,
        child_tid: alive.as_ptr() as u64,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.base() as u64,
        stack_size: (SIZE - LAID) as u64,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: cgroup.unwrap_or(0) as u64,
    };
    let size = size_of::<libc::clone_args>();
    // SAFETY: `args` is read by the kernel before the call returns; the rest is the caller's promise.
    unsafe { command_root_clone(libc::SYS_clone3, std::ptr::from_ref(&args) as usize, size, 0, 0, 0) }
}

/// # Safety
/// As of [`clone`].
unsafe fn clone1(flags: u64, stack: &Stack, alive: &AtomicU32, pidfd: &mut RawFd) -> isize {
    let flags = flags as usize | libc::SIGCHLD as usize;
    let top = stack.base() as usize + SIZE - LAID;
    // clone(2): the pidfd takes parent_tid's place; the last two arguments change places between architectures.
    let pidfd = std::ptr::from_mut(pidfd) as usize;
    let (d, e) = if cfg!(target_arch = "x86_64") { (alive.as_ptr() as usize, 0) } else { (0, alive.as_ptr() as usize) };
    // SAFETY: the caller's promise.
    unsafe { command_root_clone(libc::SYS_clone, flags, top, pidfd, d, e) }
}
