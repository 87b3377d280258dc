//! What a child is made to be, beside what it runs: plain values, owned, the same for every way of starting.

use crate::failure::{Failure, Reason, Result, Step};
use crate::sys;
use crate::sys::clone;
use crate::sys::files::{HELD, open_at};
use crate::sys::namespaces::{self, IdRange};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use std::ffi::{CString, c_int};
use std::os::fd::{AsFd, OwnedFd, RawFd};

/// By default nothing is changed, and every descriptor that was not asked for is closed.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    /// The supplementary groups; None: none where the uid or gid is given, else as they are.
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) umask: Option<u32>,
    /// Leads a session of its own (setsid).
    pub(crate) detached: bool,
    /// The process group that it joins; 0: a new one.
    pub(crate) pgid: Option<i32>,
    /// The child's descriptor whose terminal its session gets.
    pub(crate) ctty: Option<RawFd>,
    /// Its group goes to the foreground of this process's terminal.
    pub(crate) foreground: bool,
    /// The signal that it gets when the thread that starts it ends.
    pub(crate) pdeathsig: Option<c_int>,
    pub(crate) rlimits: Vec<Limit>,
    pub(crate) nice: Option<i32>,
    pub(crate) affinity: Option<CpuSet>,
    pub(crate) no_new_privs: bool,
    /// What is inheritable stays open.
    pub(crate) keep_fds: bool,
    pub(crate) chroot: Option<Place>,
    pub(crate) namespaces: Namespaces,
    /// Capabilities by their numbers, one bit each.
    pub(crate) ambient: u64,
    pub(crate) cgroup: Option<Place>,
}

/// A resource limit (getrlimit(2)); u64::MAX: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) resource: u32,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// CPUs as sched_setaffinity(2) takes them: bit N of the bytes is CPU N.
#[derive(Debug)]
pub(crate) struct CpuSet(Vec<u8>);

impl CpuSet {
    /// None: this system's sets have no place for one of them.
    pub(crate) fn of(cpus: impl IntoIterator<Item = u32>) -> Option<CpuSet> {
        let mut set = vec![0; sys::child_calls::CPU_SET_SIZE];
        for cpu in cpus {
            *set.get_mut(cpu as usize / 8)? |= 1 << (cpu % 8);
        }
        // The kernel's sets are arrays of `unsigned long`, in the machine's own byte order: little on those we run on.
        Some(CpuSet(set))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The namespaces that are made for it.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// CLONE_NEW* flags.
    pub(crate) flags: u64,
    pub(crate) uid_map: Vec<IdRange>,
    pub(crate) gid_map: Vec<IdRange>,
    /// Whether setgroups(2) may be called in its user namespace.
    pub(crate) setgroups: bool,
}

impl Namespaces {
    pub(crate) fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn new_user(&self) -> bool {
        self.has(namespaces::USER)
    }

    pub(super) fn new_time(&self) -> bool {
        self.has(namespaces::TIME)
    }

    pub(super) fn has_maps(&self) -> bool {
        !self.uid_map.is_empty() || !self.gid_map.is_empty()
    }

    pub(super) fn new_mount(&self) -> bool {
        self.has(namespaces::MOUNT)
    }
}

/// A directory that is opened when it is needed, as it was named at the call.
#[derive(Debug)]
pub(crate) enum Place {
    Held(OwnedFd),
    /// A path of this process's own; `from` where it was at the call, which an absolute path does not need.
    Path {
        from: Option<OwnedFd>,
        path: CString,
    },
}

impl Place {
    pub(super) fn open(&self, step: Step) -> Result<OwnedFd> {
        match self {
            Place::Held(fd) => sys::fd::duplicate_of(fd).map_err(Failure::at(step, "fcntl")),
            Place::Path { from, path } => {
                let from = from.as_ref().map_or(AT_FDCWD, AsFd::as_fd);
                let fd = open_at(from, path, HELD | OFlag::O_DIRECTORY).and_then(sys::fd::lift);
                fd.map_err(|errno| Failure::new(step, "open", errno).about(path.to_string_lossy()))
            }
        }
    }
}

impl Attributes {
    /// An error that names the first of those asked for that this system has no way to give.
    pub(super) fn available(&self) -> Result<()> {
        let asked = [
            ("pdeathsig", self.pdeathsig.is_some(), Step::Pdeathsig),
            ("cpuAffinity", self.affinity.is_some(), Step::Affinity),
            ("noNewPrivs", self.no_new_privs, Step::NoNewPrivs),
            ("namespaces", self.namespaces.flags != 0, Step::Namespaces),
            ("uidMappings", !self.namespaces.uid_map.is_empty(), Step::Namespaces),
            ("gidMappings", !self.namespaces.gid_map.is_empty(), Step::Namespaces),
            ("ambientCaps", self.ambient != 0, Step::Caps),
            ("cgroup", self.cgroup.is_some(), Step::Cgroup),
        ];
        match asked.into_iter().find(|(name, asked, _)| *asked && sys::ABSENT.contains(name)) {
            None => Ok(()),
            Some((name, _, step)) => {
                Err(Failure::new(step, clone::CALL, Errno::ENOSYS).because(Reason::Unavailable).detail(name))
            }
        }
    }

    /// Whether it becomes somebody else on its way to exec, by which the kernel takes away what the memory that it
    /// runs in may be (PR_GET_DUMPABLE).
    pub(super) fn changes_identity(&self) -> bool {
        self.uid.is_some() || self.gid.is_some() || self.ambient != 0 || self.namespaces.new_user()
    }

    /// Whether supplementary groups are set: as asked for, or emptied where somebody else's ids would keep ours.
    pub(super) fn sets_groups(&self) -> bool {
        self.groups.is_some() || self.uid.is_some() || self.gid.is_some()
    }

    /// Whether setgroups(2) may say EPERM without anything being lost that was asked for: nobody else's ids are taken,
    /// or the user namespace allows it to nobody.
    pub(super) fn may_keep_groups(&self) -> bool {
        if self.groups.is_some() {
            return false;
        }
        if self.namespaces.new_user() {
            return !self.namespaces.setgroups;
        }
        let ids = sys::identity::own();
        let same = self.uid.is_none_or(|uid| ids.uids == [uid; 3]) && self.gid.is_none_or(|gid| ids.gids == [gid; 3]);
        same || namespaces::setgroups_denied()
    }
}
