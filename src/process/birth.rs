//! What kind of process is made: in which namespaces, in which cgroup, and what it means when none could be made.

use super::attributes::Attributes;
use crate::failure::{Failure, Reason, Result, Step};
use crate::sys;
use crate::sys::clone::{self, Birth, Memory};
use crate::sys::namespaces;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// How the child comes into its cgroup.
#[derive(Debug)]
pub(super) enum Joining {
    /// Born in it, by clone3(2).
    ByBirth(RawFd),
    /// By writing itself into its cgroup.procs: before 5.7, or where clone3 is refused.
    ByHand(OwnedFd),
}

impl Joining {
    pub(super) fn by_birth(cgroup: &OwnedFd) -> Joining {
        Joining::ByBirth(cgroup.as_raw_fd())
    }

    pub(super) fn by_hand(cgroup: &OwnedFd) -> Result<Joining> {
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let procs = openat(cgroup, c"cgroup.procs", flags, Mode::empty()).and_then(sys::fd::lift);
        procs.map(Joining::ByHand).map_err(Failure::at(Step::Cgroup, "openat"))
    }
}

pub(super) fn of(memory: Memory, shares_files: bool, attributes: &Attributes, joining: Option<&Joining>) -> Birth {
    // By unshare(2), in the child: see `order`.
    let mut later = namespaces::MOUNT;
    let cgroup = match joining {
        Some(Joining::ByBirth(cgroup)) => Some(*cgroup),
        Some(Joining::ByHand(_)) => {
            later |= namespaces::CGROUP;
            None
        }
        None => None,
    };
    Birth { memory, shares_files, namespaces: attributes.namespaces.flags & !later, cgroup }
}

/// What clone's errno is about: it is told of what it can only mean.
pub(super) fn failed(errno: Errno, birth: &Birth) -> Failure {
    let step = match errno {
        Errno::EAGAIN | Errno::ENOMEM => Step::Fork,
        Errno::EPERM | Errno::EINVAL | Errno::ENOSPC | Errno::EUSERS if birth.namespaces != 0 => Step::Namespaces,
        _ if birth.cgroup.is_some() => Step::Cgroup,
        Errno::ENOSYS if birth.namespaces & namespaces::TIME != 0 => {
            let failure = Failure::new(Step::Namespaces, clone::CALL, errno).because(Reason::Unavailable);
            return failure.detail("namespaces: a new time namespace, by clone3(2),");
        }
        _ => Step::Fork,
    };
    Failure::new(step, clone::CALL, errno)
}

/// Whether clone3(2) did not take what only it can do. Nothing was made then.
pub(super) fn is_refused(failure: &Failure) -> bool {
    failure.syscall == clone::CALL
        && matches!(failure.errno, Errno::ENOSYS | Errno::EPERM | Errno::EINVAL | Errno::E2BIG)
}
