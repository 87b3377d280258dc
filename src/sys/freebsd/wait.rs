//! wait6(2), which tells how a child ended and what it used, and leaves it as it is where that is asked for.

use super::pidfd::Status;
use nix::errno::Errno;
use std::ffi::c_int;

/// How a process ended, and what it used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    pub(crate) status: Status,
    pub(crate) core_dumped: bool,
    /// None where it cannot be told.
    pub(crate) usage: Option<libc::rusage>,
}

/// sys/resource.h
#[repr(C)]
struct Usages {
    own: libc::rusage,
    of_its_children: libc::rusage,
}

unsafe extern "C" {
    fn wait6(
        kind: libc::idtype_t,
        id: libc::id_t,
        status: *mut c_int,
        options: c_int,
        usages: *mut Usages,
        info: *mut libc::siginfo_t,
    ) -> libc::pid_t;
}

pub(crate) fn reap(pid: libc::pid_t) -> Result<Option<Exit>, Errno> {
    look(pid, libc::WEXITED | libc::WNOHANG)
}

pub(crate) fn peek(pid: libc::pid_t) -> Result<Option<Exit>, Errno> {
    look(pid, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
}

pub(crate) fn wait(pid: libc::pid_t) -> Result<(), Errno> {
    look(pid, libc::WEXITED | libc::WNOWAIT).map(drop)
}

pub(crate) fn is_stopped(pid: libc::pid_t) -> Result<bool, Errno> {
    let stopped = by_wait6(pid, libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT)?;
    Ok(stopped.is_some_and(|(status, _)| libc::WIFSTOPPED(status)))
}

fn look(pid: libc::pid_t, options: c_int) -> Result<Option<Exit>, Errno> {
    let Some((status, usages)) = by_wait6(pid, options)? else { return Ok(None) };
    Ok(Some(Exit { status: Status::of(status), core_dumped: libc::WCOREDUMP(status), usage: Some(usages.own) }))
}

/// None: there is nothing to tell.
fn by_wait6(pid: libc::pid_t, options: c_int) -> Result<Option<(c_int, Usages)>, Errno> {
    let mut status = 0;
    // SAFETY: plain numbers, for which zero is a value.
    let mut usages: Usages = unsafe { std::mem::zeroed() };
    let none = std::ptr::null_mut();
    // SAFETY: both pointers are to values that outlive the call.
    let found = unsafe { wait6(libc::P_PID, pid.into(), &raw mut status, options, &raw mut usages, none) };
    Ok((Errno::result(found)? != 0).then_some((status, usages)))
}
