//! Who the calling thread is.

/// Real, effective and saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) uids: [u32; 3],
    pub(crate) gids: [u32; 3],
}

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

/// The calling thread's nice value.
pub(crate) fn nice() -> i32 {
    // SAFETY: it reads a number, and cannot fail for the caller itself. The kernel's own answer is 20 less it, which no
    // errno can be mistaken for.
    20 - unsafe { libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, 0) } as i32
}
