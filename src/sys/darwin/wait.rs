//! wait4(2) and waitid(2): only the first tells what a child used, and only the second leaves it as it is.

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

pub(crate) fn reap(pid: libc::pid_t) -> Result<Option<Exit>, Errno> {
    let mut status = 0;
    let mut usage = no_usage();
    // SAFETY: both pointers are to values that outlive the call.
    let found = unsafe { libc::wait4(pid, &raw mut status, libc::WNOHANG, &raw mut usage) };
    if Errno::result(found)? == 0 {
        return Ok(None);
    }
    // Bytes here, KiB elsewhere.
    usage.ru_maxrss /= 1024;
    Ok(Some(Exit { status: Status::of(status), core_dumped: libc::WCOREDUMP(status), usage: Some(usage) }))
}

/// Its usage is what proc_pid_rusage(3) tells: times, page faults that needed reading, and its size.
pub(crate) fn peek(pid: libc::pid_t) -> Result<Option<Exit>, Errno> {
    let info = by_waitid(pid, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)?;
    if info.si_signo == 0 {
        return Ok(None);
    }
    // The lower 24 bits of a code are told here, of which wait4 tells eight.
    let status = if info.si_code == libc::CLD_EXITED {
        Status::Code(info.si_status & 0xff)
    } else {
        Status::Signal(info.si_status)
    };
    Ok(Some(Exit { status, core_dumped: info.si_code == libc::CLD_DUMPED, usage: Some(usage_so_far(pid)) }))
}

pub(crate) fn wait(pid: libc::pid_t) -> Result<(), Errno> {
    by_waitid(pid, libc::WEXITED | libc::WNOWAIT).map(drop)
}

/// Never: a child that is made by volfs stands still until it has been looked at, and may not be woken by anybody else.
pub(crate) fn is_stopped(_pid: libc::pid_t) -> Result<bool, Errno> {
    Ok(false)
}

fn by_waitid(pid: libc::pid_t, options: c_int) -> Result<libc::siginfo_t, Errno> {
    // SAFETY: plain data, for which zero is a value; it is left so where there is nothing to tell.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a value that outlives the call.
    Errno::result(unsafe { libc::waitid(libc::P_PID, pid as libc::id_t, &raw mut info, options) })?;
    Ok(info)
}

fn no_usage() -> libc::rusage {
    // SAFETY: plain numbers, for which zero is a value.
    unsafe { std::mem::zeroed() }
}

fn usage_so_far(pid: libc::pid_t) -> libc::rusage {
    let mut usage = no_usage();
    // SAFETY: plain numbers, for which zero is a value.
    let mut found: libc::rusage_info_v0 = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes a value of the version that is asked for, which outlives the call.
    let answer = unsafe { libc::proc_pid_rusage(pid, libc::RUSAGE_INFO_V0, (&raw mut found).cast()) };
    if answer == 0 {
        usage.ru_utime = time(found.ri_user_time);
        usage.ru_stime = time(found.ri_system_time);
        usage.ru_majflt = found.ri_pageins as libc::c_long;
        usage.ru_maxrss = (found.ri_phys_footprint / 1024) as libc::c_long;
    }
    usage
}

/// From units of the processor's own clock.
fn time(ticks: u64) -> libc::timeval {
    let mut base = MachTimebase { numer: 1, denom: 1 };
    // SAFETY: it fills the struct that it is given.
    unsafe { mach_timebase_info(&raw mut base) };
    let nanoseconds = u128::from(ticks) * u128::from(base.numer) / u128::from(base.denom.max(1));
    libc::timeval {
        tv_sec: (nanoseconds / 1_000_000_000) as libc::time_t,
        tv_usec: (nanoseconds / 1_000 % 1_000_000) as libc::suseconds_t,
    }
}

/// mach/mach_time.h
#[repr(C)]
struct MachTimebase {
    numer: u32,
    denom: u32,
}

unsafe extern "C" {
    fn mach_timebase_info(info: *mut MachTimebase) -> c_int;
}
