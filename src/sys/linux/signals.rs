//! The signal mask of the calling thread, all 64 of them: libc's own calls leave 32 and 33 open, and a host's handler
//! would then run in the child, in our memory.

/// The kernel's sigset_t: one bit for each of 64 signals.
pub(crate) const SET_SIZE: usize = size_of::<u64>();

/// While it lives, no signal reaches this thread.
#[derive(Debug)]
pub(crate) struct Blocked {
    before: u64,
}

impl Blocked {
    pub(crate) fn all() -> Blocked {
        Blocked { before: set_mask(u64::MAX) }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        set_mask(self.before);
    }
}

/// Blocks every signal in this thread for as long as it runs.
pub(crate) fn block_for_good() {
    set_mask(u64::MAX);
}

fn set_mask(mask: u64) -> u64 {
    let mut before = 0u64;
    // SAFETY: both pointers are to sets of the size given; the call cannot fail with these arguments.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, &raw mut before, SET_SIZE);
    }
    before
}
