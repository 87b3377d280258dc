//! rfork(2) with RFSPAWN on a stack of its own, as posix_spawn(3) of this system does it; and fork(2).
//!
//! With RFSPAWN the calling thread, and it alone, waits in the kernel until the child has run its program or has ended,
//! as after vfork(2): whoever stops the child in that moment holds the thread.

use crate::sys::bsd::fork::fork;
use crate::sys::stack::{SIZE, Stack};
use nix::errno::Errno;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(crate) use crate::sys::bsd::fork::{Birth, Born, Entry, Memory};

/// The name of the call, for errors.
pub(crate) const CALL: &str = "rfork";

unsafe extern "C" {
    /// rfork_thread(3)
    fn rfork_thread(flags: c_int, stack: *mut c_void, entry: Entry, argument: *const c_void) -> libc::pid_t;
}

/// Makes a child that begins in `entry(argument)`; with shared memory on `stack`, and it has let go of it, `alive` being
/// zero, when this returns.
///
/// # Safety
/// `entry` must keep to what may be done between rfork and exec: no allocation, lock, panic or libc wrapper. With shared
/// memory all that `argument` leads to must stay as it is meanwhile.
pub(crate) unsafe fn clone(
    birth: &Birth,
    stack: &mut Stack,
    alive: &AtomicU32,
    entry: Entry,
    argument: *const c_void,
) -> Result<Born, Errno> {
    if birth.memory == Memory::Copied {
        // SAFETY: the caller's promise.
        return unsafe { fork(entry, argument) };
    }
    let top = stack.base().wrapping_add(SIZE).cast();
    // SAFETY: the stack is `SIZE` bytes of our own, aligned at its top, and nobody else uses it before this returns; the
    // rest is the caller's promise.
    let pid = unsafe { rfork_thread(libc::RFSPAWN, top, entry, argument) };
    alive.store(0, Ordering::Release);
    if pid < 0 { Err(Errno::last()) } else { Ok(Born { pid, pidfd: None }) }
}

/// Until a child has let go of our memory, but no longer than `limit`: it has by the time that [`clone`] returns.
pub(crate) fn wait_for_release(_alive: &AtomicU32, _limit: Duration) {}
