//! Who may look into this process's memory, and write there: PR_GET_DUMPABLE.

use std::fs;

pub(crate) fn get() -> i32 {
    // SAFETY: it reads a number.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) }
}

/// 0 or 1.
pub(crate) fn set(dumpable: i32) {
    // SAFETY: it sets a number, and refuses what is none of the two.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, dumpable, 0, 0, 0) };
}

/// Whether the memory of a process that becomes somebody else is for root alone (fs.suid_dumpable, core(5)).
pub(crate) fn is_cleared_for_others() -> bool {
    let found = fs::read("/proc/sys/fs/suid_dumpable").unwrap_or_default();
    matches!(found.first(), Some(b'0' | b'2'))
}
