//! Which way each thing is done on this system: the one table of strategies, found by trying once. What was found may be
//! refused later (a filter set meanwhile), so whoever takes a way also knows the next one.

use crate::failure::{Failure, Reason, Result, Step};
use crate::sys::child_calls::names;
use crate::sys::clone::{self, Memory};
#[cfg(target_os = "linux")]
use crate::sys::proc;
use crate::sys::trial;
use nix::errno::Errno;
use std::sync::OnceLock;

#[derive(Debug)]
pub(crate) struct Ways {
    /// Whether the child shares our memory until exec. `COMMAND_ROOT_FORK=1`, for tests, takes the other way.
    pub(crate) memory: Memory,
    /// An emulator runs this process, as of those that a container of another machine runs by (qemu-user): what a child
    /// should share it copies. The programs of our own machine are then run by binfmt_misc too.
    #[cfg(target_os = "linux")]
    pub(crate) emulated: bool,
    /// Whether a child comes with a pidfd. `reap` goes by its number where it has none.
    pub(crate) pidfd: bool,
    /// Whether waitid(2) takes pidfds.
    pub(crate) wait_by_pidfd: bool,
    /// Whether a program is run by its descriptor alone.
    #[cfg(not(target_os = "macos"))]
    exec_held: bool,
}

/// How a program that is held by descriptor is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExecWay {
    /// execveat(fd, "", AT_EMPTY_PATH); on FreeBSD fexecve(fd)
    #[cfg(not(target_os = "macos"))]
    Held,
    /// execve("/proc/self/fd/N"): only for a child that sees our own /proc, and only where that is procfs.
    #[cfg(target_os = "linux")]
    ProcFd,
    /// execve("/.vol/DEVICE/INODE"), and a look at what runs before its first instruction.
    #[cfg(target_os = "macos")]
    Volfs,
    /// execve of a clone under a name that is ours alone.
    #[cfg(target_os = "macos")]
    PrivateCopy,
}

/// What was found at the first call that could try it: a shortage then is that start's own failure, and no answer.
pub(crate) fn ways() -> Result<&'static Ways> {
    static WAYS: OnceLock<Ways> = OnceLock::new();
    if let Some(ways) = WAYS.get() {
        return Ok(ways);
    }
    let forced = std::env::var_os("COMMAND_ROOT_FORK").is_some_and(|value| value == "1");
    let children = trial::children(!forced).map_err(Failure::at(Step::Fork, clone::CALL))?;
    Ok(WAYS.get_or_init(|| Ways {
        memory: if children.shared_memory { Memory::Shared } else { Memory::Copied },
        #[cfg(target_os = "linux")]
        emulated: !forced && !children.shared_memory,
        pidfd: children.pidfd,
        wait_by_pidfd: children.wait_by_pidfd,
        #[cfg(not(target_os = "macos"))]
        exec_held: trial::exec_held(),
    }))
}

impl Ways {
    /// None where there is neither. `proc`: whether the child sees our own /proc; by a planted one it would not run the
    /// file that was checked.
    #[cfg(target_os = "linux")]
    pub(crate) fn exec(&self, proc: bool) -> Option<ExecWay> {
        if self.exec_held {
            return Some(ExecWay::Held);
        }
        (proc && proc::is_there()).then_some(ExecWay::ProcFd)
    }

    #[cfg(target_os = "freebsd")]
    pub(crate) fn exec(&self, _paths: bool) -> Option<ExecWay> {
        self.exec_held.then_some(ExecWay::Held)
    }

    /// `paths`: whether the child finds by a path what we find by it.
    #[cfg(target_os = "macos")]
    pub(crate) fn exec(&self, paths: bool) -> Option<ExecWay> {
        paths.then(|| if trial::volfs() { ExecWay::Volfs } else { ExecWay::PrivateCopy })
    }
}

impl Ways {
    /// How a child's end is known, as probe() tells it.
    pub(crate) fn wait(&self) -> &'static str {
        match self.wait_by_pidfd {
            true => "pidfd",
            false if cfg!(target_os = "linux") => "waitid",
            false => "kqueue",
        }
    }
}

impl ExecWay {
    /// As probe() tells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(not(target_os = "macos"))]
            ExecWay::Held => names::EXEC_HELD,
            #[cfg(target_os = "linux")]
            ExecWay::ProcFd => "proc-fd",
            #[cfg(target_os = "macos")]
            ExecWay::Volfs => "volfs",
            #[cfg(target_os = "macos")]
            ExecWay::PrivateCopy => "private-copy",
        }
    }

    /// There is no way.
    pub(crate) fn unavailable() -> Failure {
        let what = if cfg!(target_os = "macos") {
            "chroot (running there what was found here)"
        } else if cfg!(target_os = "freebsd") {
            "running a program by its descriptor, by fexecve(2),"
        } else {
            "running a program by its descriptor, by execveat(2) or a procfs at /proc,"
        };
        Failure::new(Step::Exec, names::EXEC_HELD, Errno::ENOSYS).because(Reason::Unavailable).detail(what)
    }
}
