//! futex(2), as far as waiting for CLONE_CHILD_CLEARTID needs it.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Waits until `word` no longer holds `value`, somebody wakes it, or `limit` has passed: look again in each case.
pub(crate) fn wait(word: &AtomicU32, value: u32, limit: Duration) {
    let limit = libc::timespec { tv_sec: limit.as_secs() as _, tv_nsec: limit.subsec_nanos() as _ };
    // Not FUTEX_PRIVATE_FLAG: the kernel wakes it as a shared one.
    // SAFETY: both pointers are to values that outlive the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, value, &raw const limit) };
}
