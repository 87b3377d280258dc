//! The signal mask of the calling thread.

use nix::sys::signal::{SigSet, SigmaskHow};

/// While it lives, no signal reaches this thread that can be kept from it.
#[derive(Debug)]
pub(crate) struct Blocked {
    before: SigSet,
}

impl Blocked {
    pub(crate) fn all() -> Blocked {
        Blocked { before: set_mask(&SigSet::all()) }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        set_mask(&self.before);
    }
}

/// Blocks every signal in this thread for as long as it runs.
pub(crate) fn block_for_good() {
    set_mask(&SigSet::all());
}

fn set_mask(mask: &SigSet) -> SigSet {
    // It cannot fail with these arguments.
    mask.thread_swap_mask(SigmaskHow::SIG_SETMASK).unwrap_or_else(|_| SigSet::empty())
}
