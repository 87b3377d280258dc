//! What this kernel offers, found by trying it once.

use super::clone::{Birth, Born, Entry, Memory, clone};
use super::pidfd::{self, Id};
use super::signals::Blocked;
use super::syscall::{EXIT, FEXECVE, syscall};
use crate::sys::stack::Stack;
use nix::errno::Errno;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) use crate::sys::bsd::absent::trial::*;

/// What a child comes with here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Children {
    /// One of rfork(RFSPAWN) really writes into our memory. Under emulators that may be a fork in disguise.
    pub(crate) shared_memory: bool,
    pub(crate) pidfd: bool,
    pub(crate) wait_by_pidfd: bool,
}

/// `may_share`: otherwise shared memory is not tried. An errno: it could not be tried this time, which says nothing.
pub(crate) fn children(may_share: bool) -> Result<Children, Errno> {
    let mut shared_memory = false;
    if may_share {
        let word = AtomicU32::new(0);
        match run(write_word, word.as_ptr().cast()) {
            Ok(()) => shared_memory = word.load(Ordering::Acquire) == 1,
            // A kernel without RFSPAWN.
            Err(Errno::EINVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(Children { shared_memory, pidfd: false, wait_by_pidfd: false })
}

fn run(entry: Entry, argument: *const c_void) -> Result<(), Errno> {
    let mut stack = Stack::take()?;
    let alive = AtomicU32::new(1);
    let plain = Birth { memory: Memory::Shared, shares_files: false, namespaces: 0, cgroup: None };
    let born = {
        let _blocked = Blocked::all();
        // SAFETY: the entry below makes system calls only; what it uses is kept until this returns, and by then it has
        // ended.
        unsafe { clone(&plain, &mut stack, &alive, entry, argument) }
    };
    stack.give_back();
    let Born { pid, .. } = born?;
    pidfd::wait(Id::Number(pid))?;
    pidfd::reap(Id::Number(pid)).map(drop)
}

unsafe extern "C" fn write_word(word: *const c_void) -> ! {
    // SAFETY: `children` gives its own AtomicU32.
    unsafe { (*word.cast::<AtomicU32>()).store(1, Ordering::Release) };
    loop {
        // SAFETY: it does not return.
        unsafe { syscall(EXIT, [0; 6]) };
    }
}

/// fexecve(2): without a descriptor it says EBADF where it is there.
pub(crate) fn exec_held() -> bool {
    let none: [*const c_void; 1] = [std::ptr::null()];
    let (argv, envp) = (none.as_ptr() as usize, none.as_ptr() as usize);
    // SAFETY: descriptor -1 can hold no program, so this process goes on; the pointers are to valid arrays.
    let answer = unsafe { syscall(FEXECVE, [-1i32 as u32 as usize, argv, envp, 0, 0, 0]) };
    answer == -(libc::EBADF as isize)
}

/// procctl(2) with PROC_NO_NEW_PRIVS_STATUS (14.0)
pub(crate) fn no_new_privs() -> bool {
    let mut state: c_int = 0;
    // SAFETY: it writes one int, which outlives the call.
    unsafe { libc::procctl(libc::P_PID, 0, libc::PROC_NO_NEW_PRIVS_STATUS, (&raw mut state).cast()) == 0 }
}
