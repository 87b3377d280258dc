//! Resource limits by their names.

pub(crate) const NOFILE: u32 = libc::RLIMIT_NOFILE as u32;

/// Resource limits by the names that they have on Linux; None: there is none of that name here.
pub(crate) fn resource(name: &str) -> Option<u32> {
    let known = match name {
        "as" => libc::RLIMIT_AS,
        "core" => libc::RLIMIT_CORE,
        "cpu" => libc::RLIMIT_CPU,
        "data" => libc::RLIMIT_DATA,
        "fsize" => libc::RLIMIT_FSIZE,
        "memlock" => libc::RLIMIT_MEMLOCK,
        "nofile" => libc::RLIMIT_NOFILE,
        "nproc" => libc::RLIMIT_NPROC,
        "rss" => libc::RLIMIT_RSS,
        "stack" => libc::RLIMIT_STACK,
        _ => return None,
    };
    Some(known as u32)
}

/// As setrlimit(2) takes it: u64::MAX is what means none everywhere above.
pub(crate) fn limit(soft: u64, hard: u64) -> libc::rlimit {
    let number = |value| if value == u64::MAX { libc::RLIM_INFINITY } else { value as libc::rlim_t };
    libc::rlimit { rlim_cur: number(soft), rlim_max: number(hard) }
}
