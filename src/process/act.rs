//! What a child does between clone and exec, each thing by name: decided by the parent (`order`), obeyed in `child`.

use super::plan::Move;
use crate::failure::Step;
use crate::sys::child_calls::names;
use std::ffi::{CStr, c_char, c_int};
use std::os::fd::RawFd;

/// One act of the child. Its descriptors are numbers in the child's table at that moment. Pointers lead to what the
/// child's body keeps.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Waits until the maps of its user namespace have been written.
    AwaitMaps {
        ours: RawFd,
        theirs: RawFd,
    },
    /// Writes itself into a cgroup.procs.
    JoinCgroup(RawFd),
    /// unshare(2)
    Unshare(c_int),
    /// mount(2) of `/` with MS_REC | MS_PRIVATE
    MakeMountsPrivate,
    NewSession,
    /// setpgid(2); 0: a group of its own
    JoinGroup(i32),
    /// Its group (0: its own) to the foreground of this terminal.
    TakeForeground {
        tty: RawFd,
        pgid: i32,
    },
    SetLimit {
        resource: u32,
        soft: u64,
        hard: u64,
    },
    SetNice(i32),
    /// /proc/self/fd, opened while it can be found, at this number: for closing what is not to be had, if it must be.
    HoldList(RawFd),
    /// fchdir(2) to what is to be the root directory
    EnterRoot(RawFd),
    /// chroot(2) to the working directory
    ChangeRoot,
    SetUmask(u32),
    Move(Move),
    /// What `Move::CloseRange` does, by the list that is held.
    CloseListed {
        first: RawFd,
        last: RawFd,
        list: RawFd,
    },
    TakeTerminal(RawFd),
    SetGroups(Groups),
    SetGid(u32),
    SetUid(u32),
    KeepCapabilities,
    InheritCapabilities(u64),
    RaiseCapabilities(u64),
    /// fchdir(2)
    ChangeDirectory(RawFd),
    /// chdir(2)
    ChangeDirectoryTo(Text),
    /// The signal that it gets when its parent's thread ends; who the parent is.
    DieWith {
        parent: i32,
        signal: i32,
    },
    SetAffinity(Cpus),
    SetNoNewPrivs,
    /// Every disposition to its default, then no signal blocked.
    ResetSignals,
}

/// The supplementary groups that a child is to have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups {
    pub(super) first: *const u32,
    pub(super) count: usize,
    /// EPERM is no failure: nothing was asked for that it would be about.
    pub(super) optional: bool,
}

/// A C string.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text(pub(super) *const c_char);

impl From<&CStr> for Text {
    fn from(text: &CStr) -> Text {
        Text(text.as_ptr())
    }
}

/// A set of CPUs, one bit each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpus {
    pub(super) first: *const u8,
    pub(super) count: usize,
}

impl Act {
    pub(super) fn step(self) -> Step {
        match self {
            Act::AwaitMaps { .. } | Act::Unshare(_) | Act::MakeMountsPrivate => Step::Namespaces,
            Act::JoinCgroup(_) => Step::Cgroup,
            Act::NewSession => Step::Setsid,
            Act::JoinGroup(_) => Step::Setpgid,
            Act::TakeForeground { .. } => Step::Foreground,
            Act::SetLimit { .. } => Step::Rlimits,
            Act::SetNice(_) => Step::Nice,
            Act::EnterRoot(_) | Act::ChangeRoot => Step::Chroot,
            Act::SetUmask(_) => Step::Umask,
            Act::HoldList(_) | Act::Move(_) | Act::CloseListed { .. } => Step::Fds,
            Act::TakeTerminal(_) => Step::Ctty,
            Act::SetGroups(_) => Step::Groups,
            Act::SetGid(_) => Step::Setgid,
            Act::SetUid(_) => Step::Setuid,
            Act::KeepCapabilities | Act::InheritCapabilities(_) | Act::RaiseCapabilities(_) => Step::Caps,
            Act::ChangeDirectory(_) | Act::ChangeDirectoryTo(_) => Step::Chdir,
            Act::DieWith { .. } => Step::Pdeathsig,
            Act::SetAffinity(_) => Step::Affinity,
            Act::SetNoNewPrivs => Step::NoNewPrivs,
            Act::ResetSignals => Step::Signals,
        }
    }

    /// The name of its system call, for the error.
    pub(super) fn syscall(self) -> &'static str {
        match self {
            Act::AwaitMaps { .. } => "read",
            Act::JoinCgroup(_) => "write",
            Act::Unshare(_) => "unshare",
            Act::MakeMountsPrivate => "mount",
            Act::NewSession => "setsid",
            Act::JoinGroup(_) => "setpgid",
            Act::TakeForeground { .. } | Act::TakeTerminal(_) => "ioctl",
            Act::SetLimit { .. } => names::SET_LIMIT,
            Act::SetNice(_) => "setpriority",
            Act::HoldList(_) => "openat",
            Act::EnterRoot(_) | Act::ChangeDirectory(_) => "fchdir",
            Act::ChangeRoot => "chroot",
            Act::SetUmask(_) => "umask",
            Act::Move(Move::Park { .. } | Move::Place { .. }) => names::DUPLICATE,
            Act::Move(Move::Stay { .. }) => "fcntl",
            Act::Move(Move::Close { .. }) => "close",
            Act::Move(Move::CloseRange { .. } | Move::Unshare { .. }) | Act::CloseListed { .. } => "close_range",
            Act::SetGroups(_) => "setgroups",
            Act::SetGid(_) => names::SET_GID,
            Act::SetUid(_) => names::SET_UID,
            Act::InheritCapabilities(_) => "capset",
            Act::KeepCapabilities | Act::RaiseCapabilities(_) => "prctl",
            Act::DieWith { .. } => names::DIE_WITH,
            Act::SetNoNewPrivs => names::NO_NEW_PRIVS,
            Act::ChangeDirectoryTo(_) => "chdir",
            Act::SetAffinity(_) => names::AFFINITY,
            Act::ResetSignals => names::SIGNALS,
        }
    }

    /// What is not to be had on this system when it says ENOSYS.
    pub(super) fn feature(self) -> Option<&'static str> {
        match self {
            Act::Move(Move::CloseRange { .. }) | Act::CloseListed { .. } => Some(
                "closeFds: closing what a child is not to have, by close_range(2), a procfs at /proc or a hard \
                 RLIMIT_NOFILE of at most 65536,",
            ),
            _ => None,
        }
    }
}
