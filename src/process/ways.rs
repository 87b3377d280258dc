//! Which way each thing is done on this system: the one table of strategies, found by trying once. What was found may be
//! refused later (a filter set meanwhile), so whoever takes a way also knows the next one.

use crate::failure::{Failure, Reason, Result, Step};
use crate::sys::clone::Memory;
use crate::sys::{proc, trial};
use nix::errno::Errno;
use std::sync::OnceLock;

#[derive(Debug)]
pub(crate) struct Ways {
    /// Whether the child shares our memory until exec. `COMMAND_ROOT_FORK=1`, for tests, takes the other way.
    pub(crate) memory: Memory,
    /// An emulator runs this process, as of those that a container of another machine runs by (qemu-user): what a child
    /// should share it copies. The programs of our own machine are then run by binfmt_misc too.
    pub(crate) emulated: bool,
    /// Whether a child comes with a pidfd. `reap` goes by its number where it has none.
    pub(crate) pidfd: bool,
    /// Whether waitid(2) takes pidfds.
    pub(crate) wait_by_pidfd: bool,
    execveat: bool,
}

/// How a program that is held by descriptor is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExecWay {
    /// execveat(fd, "", AT_EMPTY_PATH)
    Execveat,
    /// execve("/proc/self/fd/N"): only for a child that sees our own /proc, and only where that is procfs.
    ProcFd,
}

/// What was found at the first call that could try it: a shortage then is that start's own failure, and no answer.
pub(crate) fn ways() -> Result<&'static Ways> {
    static WAYS: OnceLock<Ways> = OnceLock::new();
    if let Some(ways) = WAYS.get() {
        return Ok(ways);
    }
    let forced = std::env::var_os("COMMAND_ROOT_FORK").is_some_and(|value| value == "1");
    let children = trial::children(!forced).map_err(Failure::at(Step::Fork, "clone3"))?;
    Ok(WAYS.get_or_init(|| Ways {
        memory: if children.shared_memory { Memory::Shared } else { Memory::Copied },
        emulated: !forced && !children.shared_memory,
        pidfd: children.pidfd,
        wait_by_pidfd: children.wait_by_pidfd,
        execveat: trial::execveat(),
    }))
}

impl Ways {
    /// None where there is neither. `proc`: whether the child sees our own /proc; by a planted one it would not run the
    /// file that was checked.
    pub(crate) fn exec(&self, proc: bool) -> Option<ExecWay> {
        if self.execveat {
            return Some(ExecWay::Execveat);
        }
        (proc && proc::is_there()).then_some(ExecWay::ProcFd)
    }
}

impl ExecWay {
    /// There is no way.
    pub(crate) fn unavailable() -> Failure {
        let what = "running a program by its descriptor, by execveat(2) or a procfs at /proc,";
        Failure::new(Step::Exec, "execveat", Errno::ENOSYS).because(Reason::Unavailable).detail(what)
    }
}
