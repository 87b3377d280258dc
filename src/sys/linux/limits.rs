//! Resource limits and priorities of other processes, and limits by their names.

use nix::errno::Errno;

#[allow(clippy::unnecessary_cast, reason = "glibc and musl give the numbers other types")]
pub(crate) const NOFILE: u32 = libc::RLIMIT_NOFILE as u32;

/// Raises a process's hard limit to `hard`, where it is lower; its soft limit stays. By prlimit(2).
pub(crate) fn raise_hard_limit(pid: libc::pid_t, resource: u32, hard: u64) -> Result<(), Errno> {
    let mut now = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let none = std::ptr::null::<libc::rlimit64>();
    // SAFETY: the kernel writes one rlimit64, which outlives the call.
    Errno::result(unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, none, &raw mut now) })?;
    if now.rlim_max >= hard {
        return Ok(());
    }
    let raised = libc::rlimit64 { rlim_cur: now.rlim_cur, rlim_max: hard };
    let none = std::ptr::null_mut::<libc::rlimit64>();
    // SAFETY: the kernel reads one rlimit64, which outlives the call.
    Errno::result(unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, &raw const raised, none) }).map(drop)
}

/// setpriority(2) of another process.
pub(crate) fn set_nice_of(pid: libc::pid_t, nice: i32) -> Result<(), Errno> {
    // SAFETY: numbers only.
    Errno::result(unsafe { libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, pid, nice) }).map(drop)
}

/// Resource limits by the names that they have here (getrlimit(2)); None: there is none of that name.
pub(crate) fn resource(name: &str) -> Option<u32> {
    let known = match name {
        "as" => libc::RLIMIT_AS,
        "core" => libc::RLIMIT_CORE,
        "cpu" => libc::RLIMIT_CPU,
        "data" => libc::RLIMIT_DATA,
        "fsize" => libc::RLIMIT_FSIZE,
        "locks" => libc::RLIMIT_LOCKS,
        "memlock" => libc::RLIMIT_MEMLOCK,
        "msgqueue" => libc::RLIMIT_MSGQUEUE,
        "nice" => libc::RLIMIT_NICE,
        "nofile" => libc::RLIMIT_NOFILE,
        "nproc" => libc::RLIMIT_NPROC,
        "rss" => libc::RLIMIT_RSS,
        "rtprio" => libc::RLIMIT_RTPRIO,
        "rttime" => libc::RLIMIT_RTTIME,
        "sigpending" => libc::RLIMIT_SIGPENDING,
        "stack" => libc::RLIMIT_STACK,
        _ => return None,
    };
    #[allow(clippy::unnecessary_cast, reason = "glibc and musl give the numbers other types")]
    Some(known as u32)
}
