//! Which way each thing is done on this system: the one table of strategies, found by trying once.

use crate::failure::{Failure, Reason, Result, Step};
use crate::sys::clone::Memory;
use crate::sys::trial;
use nix::errno::Errno;
use std::sync::OnceLock;

#[derive(Debug)]
pub(crate) struct Ways {
    /// Whether the child shares our memory until exec. `COMMAND_ROOT_FORK=1`, for tests, takes the other way.
    pub(crate) memory: Memory,
    pub(crate) pidfd: bool,
    pub(crate) execveat: bool,
    pub(crate) close_range: bool,
}

/// What was found at the first call.
pub(crate) fn ways() -> &'static Ways {
    static WAYS: OnceLock<Ways> = OnceLock::new();
    WAYS.get_or_init(|| {
        let forced = std::env::var_os("COMMAND_ROOT_FORK").is_some_and(|value| value == "1");
        let shared = !forced && trial::shared_memory();
        Ways {
            memory: if shared { Memory::Shared } else { Memory::Copied },
            pidfd: shared || trial::pidfd(),
            execveat: trial::execveat(),
            close_range: trial::close_range(),
        }
    })
}

impl Ways {
    /// What a start cannot do without, said before anything has happened.
    pub(crate) fn require(&self) -> Result<()> {
        for (there, step, syscall, what) in [
            (self.pidfd, Step::Fork, "clone", "CLONE_PIDFD and waitid(P_PIDFD), Linux 5.4"),
            (self.execveat, Step::Exec, "execveat", "execveat(2), by which a program is run by its descriptor"),
            (
                self.close_range,
                Step::Fds,
                "close_range",
                "close_range(2), Linux 5.9, by which other descriptors are closed",
            ),
        ] {
            if !there {
                return Err(Failure::new(step, syscall, Errno::ENOSYS).because(Reason::Unavailable).detail(what));
            }
        }
        Ok(())
    }
}
