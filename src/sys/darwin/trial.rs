//! What this system offers, found by trying it once.

use super::pidfd::{self, Id};
use super::spawn::Spawn;
use super::volfs;
use crate::sys::strings::Strings;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::os::fd::AsFd;
use std::sync::OnceLock;

pub(crate) use crate::sys::bsd::absent::trial::*;

/// What a child comes with here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Children {
    pub(crate) shared_memory: bool,
    pub(crate) pidfd: bool,
    pub(crate) wait_by_pidfd: bool,
}

pub(crate) fn children(_may_share: bool) -> Result<Children, Errno> {
    Ok(Children { shared_memory: false, pidfd: false, wait_by_pidfd: false })
}

/// Whether a program that is held can be started by /.vol, and it can be told that it is that one which runs. It is tried
/// once, with a program that does nothing.
pub(crate) fn volfs() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();
    *WORKS.get_or_init(|| start_by_volfs().unwrap_or(false))
}

fn start_by_volfs() -> Result<bool, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let program = open(c"/usr/bin/true", flags, Mode::empty())?;
    let path = volfs::path_of(program.as_fd())?;
    let (argv, envp) = (Strings::new(vec![c"true".to_owned()]), Strings::new(Vec::new()));
    let mut spawn = Spawn::new()?;
    spawn.suspended();
    let pid = spawn.start(&path, &argv, &envp)?;
    let runs = volfs::runs(pid, program.as_fd());
    let _ = pidfd::kill(pid, libc::SIGKILL);
    pidfd::wait(Id::Number(pid))?;
    pidfd::reap(Id::Number(pid))?;
    runs
}

/// prctl and procctl are not there.
pub(crate) fn no_new_privs() -> bool {
    false
}
