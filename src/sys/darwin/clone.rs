//! fork(2). A child that shares our memory cannot be had: vfork(2) is fork(2) by another name.

use crate::sys::bsd::fork::fork;
use nix::errno::Errno;
use std::ffi::c_void;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

pub(crate) use crate::sys::bsd::fork::{Birth, Born, Entry, Memory};

/// The name of the call, for errors.
pub(crate) const CALL: &str = "fork";

/// Makes a child with a copy of our memory, that begins in `entry(argument)`.
///
/// # Safety
/// `entry` must keep to what is safe in a signal handler: other threads may have held locks at this moment.
pub(crate) unsafe fn clone(
    _birth: &Birth,
    _stack: &mut super::stack::Stack,
    _alive: &AtomicU32,
    entry: Entry,
    argument: *const c_void,
) -> Result<Born, Errno> {
    // SAFETY: the caller's promise.
    unsafe { fork(entry, argument) }
}

/// No child shares our memory.
pub(crate) fn wait_for_release(_alive: &AtomicU32, _limit: Duration) {}
