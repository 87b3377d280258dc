//! fork(2), and what a child comes with on these systems.

use nix::errno::Errno;
use std::ffi::c_void;
use std::os::fd::{OwnedFd, RawFd};

/// What the child runs; it never comes back.
pub(crate) type Entry = unsafe extern "C" fn(argument: *const c_void) -> !;

/// How the child stands to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// It runs in our memory until exec.
    Shared,
    /// It has a copy, as after fork(2).
    Copied,
}

/// What kind of process is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth {
    pub(crate) memory: Memory,
    /// Never: it has a copy of our descriptor table.
    #[allow(dead_code, reason = "nobody reads it here")]
    pub(crate) shares_files: bool,
    /// None: there are no such things here.
    pub(crate) namespaces: u64,
    pub(crate) cgroup: Option<RawFd>,
}

/// A process that was just made.
#[derive(Debug)]
pub(crate) struct Born {
    pub(crate) pid: libc::pid_t,
    /// There are none here.
    pub(crate) pidfd: Option<OwnedFd>,
}

/// Makes a child with a copy of our memory, that begins in `entry(argument)`.
///
/// # Safety
/// `entry` must keep to what is safe in a signal handler: other threads may have held locks at this moment.
pub(crate) unsafe fn fork(entry: Entry, argument: *const c_void) -> Result<Born, Errno> {
    // SAFETY: the caller's promise.
    match unsafe { libc::fork() } {
        // SAFETY: as above; the argument is copied with all else.
        0 => unsafe { entry(argument) },
        -1 => Err(Errno::last()),
        pid => Ok(Born { pid, pidfd: None }),
    }
}
