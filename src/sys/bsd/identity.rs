//! Who the calling process is.

/// Real, effective and saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) uids: [u32; 3],
    pub(crate) gids: [u32; 3],
}

#[cfg(target_os = "freebsd")]
pub(crate) fn own() -> Ids {
    let (mut uids, mut gids) = ([0; 3], [0; 3]);
    let ([ruid, euid, suid], [rgid, egid, sgid]) = (&mut uids, &mut gids);
    // SAFETY: each pointer is to a number that outlives the call; with such they cannot fail.
    unsafe {
        libc::getresuid(ruid, euid, suid);
        libc::getresgid(rgid, egid, sgid);
    }
    Ids { uids, gids }
}

/// The saved ids cannot be asked for: they are taken for the effective ones, which they are unless a program that was
/// given other ids has put its own back.
#[cfg(target_os = "macos")]
pub(crate) fn own() -> Ids {
    // SAFETY: they take nothing and cannot fail.
    let (ruid, euid, rgid, egid) = unsafe { (libc::getuid(), libc::geteuid(), libc::getgid(), libc::getegid()) };
    Ids { uids: [ruid, euid, euid], gids: [rgid, egid, egid] }
}

/// The calling process's nice value.
pub(crate) fn nice() -> i32 {
    // SAFETY: it reads a number, and cannot fail for the caller itself.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
}
