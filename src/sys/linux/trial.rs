//! What this kernel offers, found by trying it once; versions and names say too little (filters, containers,
//! emulators). Whatever may end a process is tried in a child.

use super::clone::{Birth, Born, Entry, INTO_CGROUP, Memory, clone};
use super::pidfd::{self, Id, Status};
use super::signals::Blocked;
use super::syscall::syscall;
use crate::sys::stack::Stack;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::ffi::{CStr, CString, c_void};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What a child comes with here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Children {
    /// One of clone(CLONE_VM) really writes into our memory. Under emulators that may be refused, or be a fork in
    /// disguise.
    pub(crate) shared_memory: bool,
    /// CLONE_PIDFD (5.2).
    pub(crate) pidfd: bool,
    /// waitid(P_PIDFD) (5.4).
    pub(crate) wait_by_pidfd: bool,
}

/// `may_share`: otherwise shared memory is not tried. An errno: it could not be tried this time, which says nothing.
pub(crate) fn children(may_share: bool) -> Result<Children, Errno> {
    let word = AtomicU32::new(0);
    let shared = match may_share.then(|| run(Memory::Shared, write_word, word.as_ptr().cast())) {
        Some(Err(errno)) if is_passing(errno) => return Err(errno),
        Some(Ok(tried)) if word.load(Ordering::Acquire) == 1 => Some(tried),
        _ => None,
    };
    let shared_memory = shared.is_some();
    let Tried { pidfd, wait_by_pidfd, .. } = match shared {
        Some(tried) => tried,
        None => run(Memory::Copied, succeed, std::ptr::null())?,
    };
    Ok(Children { shared_memory, pidfd, wait_by_pidfd })
}

/// A shortage, or somebody's doing: not an answer of the kernel's to what was asked.
fn is_passing(errno: Errno) -> bool {
    matches!(errno, Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE | Errno::EINTR | Errno::ETIMEDOUT)
}

/// execveat(2) by descriptor: without one it says EBADF where it is there, before it looks at anything else.
pub(crate) fn exec_held() -> bool {
    execveat_nothing(libc::AT_EMPTY_PATH) == Errno::EBADF
}

/// AT_EXECVE_CHECK (6.14): the same, but EINVAL where the flag is not known.
pub(crate) fn execute_check() -> bool {
    const AT_EXECVE_CHECK: i32 = 0x10000;
    execveat_nothing(libc::AT_EMPTY_PATH | AT_EXECVE_CHECK) == Errno::EBADF
}

fn execveat_nothing(flags: i32) -> Errno {
    let none: [*const c_void; 1] = [std::ptr::null()];
    // SAFETY: descriptor -1 can hold no program, so this process goes on; the pointers are to valid arrays.
    unsafe { libc::syscall(libc::SYS_execveat, -1, c"".as_ptr(), none.as_ptr(), none.as_ptr(), flags) };
    Errno::last()
}

/// CLONE_INTO_CGROUP (5.7): a descriptor that cannot be open is EBADF where the flag is known.
pub(crate) fn clone_into_cgroup() -> bool {
    // SAFETY: clone_args is plain numbers, for which zero is a value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = INTO_CGROUP;
    args.exit_signal = libc::SIGCHLD as u64;
    args.cgroup = i32::MAX as u64;
    let size = size_of::<libc::clone_args>();
    // SAFETY: where something that is no Linux makes a process all the same, it has memory of its own and ends here.
    let result = unsafe { syscall(libc::SYS_clone3, [std::ptr::from_ref(&args) as usize, size, 0, 0, 0, 0]) };
    match result {
        0 => end(0),
        pid if pid > 0 => {
            // SAFETY: waits for the child that should not have been.
            unsafe { libc::waitpid(pid as libc::pid_t, std::ptr::null_mut(), 0) };
            false
        }
        errno => Errno::from_raw(-errno as i32) == Errno::EBADF,
    }
}

/// prctl(PR_GET_NO_NEW_PRIVS) (3.5).
pub(crate) fn no_new_privs() -> bool {
    // SAFETY: it reads a flag of this thread.
    unsafe { libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0 }
}

/// A sealable memfd that may be executed: vm.memfd_noexec=2 refuses it with EACCES.
pub(crate) fn sealed_memfd() -> bool {
    const MFD_EXEC: u32 = 0x10;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    [flags | MFD_EXEC, flags].into_iter().any(|flags| {
        // SAFETY: the name is a C string; the descriptor is closed at once.
        let fd = unsafe { libc::memfd_create(c"command-root-probe".as_ptr(), flags) };
        if fd >= 0 {
            // SAFETY: it was made just now.
            unsafe { libc::close(fd) };
        }
        fd >= 0
    })
}

/// User namespaces that are of use: the maps can be written and / can be made private in one (Ubuntu makes the
/// namespace and denies what it is for).
pub(crate) fn user_namespaces() -> bool {
    // SAFETY: these calls always succeed.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    let maps = (CString::new(format!("0 {uid} 1")), CString::new(format!("0 {gid} 1")));
    let (Ok(uid_map), Ok(gid_map)) = maps else { return false };
    let maps = Maps { uid_map, gid_map };
    let tried = run(Memory::Copied, enter_user_namespace, std::ptr::from_ref(&maps).cast());
    tried.is_ok_and(|tried| tried.succeeded)
}

/// How a trial's child came and went.
#[derive(Clone, Copy, Debug)]
struct Tried {
    /// It ended with 0.
    succeeded: bool,
    pidfd: bool,
    wait_by_pidfd: bool,
}

/// A child that runs `entry`, to its end. EINTR: somebody, or we after too long a time, killed it.
fn run(memory: Memory, entry: Entry, argument: *const c_void) -> Result<Tried, Errno> {
    let mut stack = Stack::take()?;
    let alive = AtomicU32::new(1);
    let born = {
        let _blocked = Blocked::all();
        // SAFETY: the entries below make system calls only; what they use is kept until the child has ended.
        unsafe { clone(&Birth::plain(memory), &mut stack, &alive, entry, argument) }
    };
    let Born { pid, pidfd } = match born {
        Ok(born) => born,
        Err(errno) => {
            stack.give_back();
            return Err(errno);
        }
    };
    await_end(pid, pidfd.as_ref().map(AsFd::as_fd));
    let by_pidfd = pidfd.as_ref().map(|pidfd| pidfd::peek(Id::Pidfd(pidfd.as_fd())));
    // ECHILD: it has ended, and whoever ignores SIGCHLD has had it reaped. Anything else: that is not taken here.
    let wait_by_pidfd = matches!(by_pidfd, Some(Ok(_) | Err(Errno::ECHILD)));
    let status = match pidfd::reap(Id::Number(pid)) {
        Ok(exit) => exit.map(|exit| exit.status),
        Err(_) => pidfd.as_ref().and_then(|pidfd| pidfd::afterwards(pidfd.as_fd())).map(|exit| exit.status),
    };
    stack.give_back();
    match status {
        Some(Status::Signal(_)) => Err(Errno::EINTR),
        status => Ok(Tried { succeeded: status == Some(Status::Code(0)), pidfd: pidfd.is_some(), wait_by_pidfd }),
    }
}

/// How long a trial may take before its child is killed: it makes a few system calls.
const LONGEST: Duration = Duration::from_secs(2);
const SLICE: Duration = Duration::from_millis(20);

/// Watched, as every start is: whoever stops it must not hold us. It stays to be reaped.
fn await_end(pid: libc::pid_t, pidfd: Option<BorrowedFd<'_>>) {
    let begun = Instant::now();
    while matches!(pidfd::peek(Id::Number(pid)), Ok(None)) {
        nap(pidfd);
        let signal = match pidfd::is_stopped(Id::Number(pid)) {
            _ if begun.elapsed() > LONGEST => libc::SIGKILL,
            Ok(true) => libc::SIGCONT,
            _ => continue,
        };
        // ESRCH: it has just ended.
        let _ = pidfd::kill(pid, signal);
    }
}

fn nap(pidfd: Option<BorrowedFd<'_>>) {
    let slice = PollTimeout::try_from(SLICE).unwrap_or(PollTimeout::ZERO);
    match pidfd {
        // EINTR: a signal of the host's; the next look tells.
        Some(pidfd) => drop(poll(&mut [PollFd::new(pidfd, PollFlags::POLLIN)], slice)),
        None => std::thread::sleep(Duration::from_millis(1)),
    }
}

unsafe extern "C" fn write_word(word: *const c_void) -> ! {
    // SAFETY: `shared_memory` gives its own AtomicU32.
    unsafe { (*word.cast::<AtomicU32>()).store(1, Ordering::Release) };
    end(0)
}

unsafe extern "C" fn succeed(_: *const c_void) -> ! {
    end(0)
}

struct Maps {
    uid_map: CString,
    gid_map: CString,
}

unsafe extern "C" fn enter_user_namespace(maps: *const c_void) -> ! {
    // SAFETY: `user_namespaces` gives its own Maps.
    let maps = unsafe { &*maps.cast::<Maps>() };
    let flags = (libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as usize;
    // SAFETY: in a child with memory of its own; every pointer is to a C string.
    let made = unsafe { syscall(libc::SYS_unshare, [flags, 0, 0, 0, 0, 0]) } == 0
        && write_file(c"/proc/self/setgroups", c"deny")
        && write_file(c"/proc/self/uid_map", &maps.uid_map)
        && write_file(c"/proc/self/gid_map", &maps.gid_map)
        && {
            let private = (libc::MS_REC | libc::MS_PRIVATE) as usize;
            // SAFETY: as above.
            unsafe { syscall(libc::SYS_mount, [0, c"/".as_ptr() as usize, 0, private, 0, 0]) == 0 }
        };
    end(usize::from(!made))
}

fn write_file(path: &CStr, content: &CStr) -> bool {
    let at = libc::AT_FDCWD as usize;
    // SAFETY: a C string and its length; nothing else of the child is touched.
    unsafe {
        let fd = syscall(libc::SYS_openat, [at, path.as_ptr() as usize, libc::O_WRONLY as usize, 0, 0, 0]);
        let length = content.count_bytes();
        fd >= 0
            && syscall(libc::SYS_write, [fd as usize, content.as_ptr() as usize, length, 0, 0, 0]) == length as isize
    }
}

fn end(code: usize) -> ! {
    loop {
        // SAFETY: it does not return.
        unsafe { syscall(libc::SYS_exit_group, [code, 0, 0, 0, 0, 0]) };
    }
}
