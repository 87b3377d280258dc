//! All that a start uses, owned: nothing that the caller does afterwards changes what will be started.

use super::at::At;
use super::attributes::{Attributes, Place};
use super::means::Means;
use super::reap::Scope;
use crate::failure::{Failure, Result, Step};
use crate::program::{Program, Scripts, Seal};
use crate::root::Directory;
use crate::sys;
use crate::sys::files::{HELD, open_at};
use crate::sys::strings::Strings;
use nix::fcntl::{AT_FDCWD, OFlag};
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) target: Target,
    pub(crate) argv: Arc<Strings>,
    pub(crate) environment: Environment,
    pub(crate) cwd: Cwd,
    /// One for each of the child's descriptors, from 0.
    pub(crate) stdio: Vec<Stdio>,
    pub(crate) attributes: Arc<Attributes>,
    /// Whom signals are for; a group is a new one (that of the session, where the child leads one).
    pub(crate) scope: Scope,
    /// Once it has ended it is not reaped before it is dropped: until then its number is nobody else's.
    pub(crate) kept: bool,
    /// A sealed copy of the program is run, made at this start.
    pub(crate) seal: Option<Seal>,
    pub(crate) scripts: Scripts,
}

/// What is to be run.
#[derive(Debug)]
pub(crate) enum Target {
    /// Beneath a Root, by its rules.
    Named {
        root: Arc<Directory>,
        name: CString,
    },
    Held(Arc<Program>),
    /// What execve(2) finds, in the child, where that is by then.
    Path(CString),
    /// What execveat(2) finds: held from here on.
    At(At),
}

/// What a target turns out to be.
#[derive(Debug)]
pub(super) enum Found {
    Held(Arc<Program>),
    Path(CString),
}

#[derive(Debug)]
pub(crate) enum Environment {
    /// 'KEY=value' each; the whole of it.
    Given(Arc<Strings>),
    /// This process's own, at the call.
    Own,
}

/// Where the child begins.
#[derive(Debug)]
pub(crate) enum Cwd {
    /// Where the starting process is.
    Here,
    /// Where it was at the call: for a start that may happen after it has gone elsewhere. As inherited: whether the child
    /// could enter it by its own rights does not matter.
    Inherited(OwnedFd),
    /// A directory as it was named at the call.
    Place(Place),
    /// A path that the child itself finds, once it has its own root.
    Inside(Arc<CString>),
    /// A directory beneath a Root.
    Beneath { root: Arc<Directory>, name: CString },
}

/// What one of the child's descriptors is.
#[derive(Debug)]
pub(crate) enum Stdio {
    /// A pipe(2) for 0–2, beyond a socketpair(2); its other end is ours.
    Pipe,
    /// /dev/null
    Null,
    /// A duplicate of the child's own descriptor 1.
    Stdout,
    Given(OwnedFd),
    Closed,
}

/// How long a start may take, and who may end it before.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    /// The caller's own; all of a run is to be over by then.
    pub(crate) deadline: Option<Instant>,
    /// Set by another thread: no longer wanted.
    pub(crate) aborted: Arc<AtomicBool>,
    /// Whether this thread may sleep: the JavaScript thread may not.
    pub(crate) may_sleep: bool,
}

/// A start that is not done by then is stuck: stopped, frozen or throttled in its middle.
const LONGEST_START: Duration = Duration::from_secs(10);
/// However short the caller's own deadline: a start that is merely slow is let through, and its program then ended.
const SHORTEST_START: Duration = Duration::from_millis(100);

impl Patience {
    pub(crate) fn new(deadline: Option<Instant>, aborted: Arc<AtomicBool>, may_sleep: bool) -> Patience {
        Patience { deadline, aborted, may_sleep }
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    /// Until when a child made now may be in the middle of its start.
    pub(super) fn until(&self) -> Instant {
        let now = Instant::now();
        let (shortest, longest) = (now + SHORTEST_START, now + LONGEST_START);
        self.deadline.map_or(longest, |own| own.clamp(shortest, longest))
    }

    /// Whether what takes long before there is a child (a seal) is still wanted.
    pub(super) fn goes_on(&self) -> bool {
        !self.is_aborted() && self.deadline.is_none_or(|at| Instant::now() < at)
    }
}

impl Request {
    /// Whether the child, at its exec, has the /proc that we have. With another root or mount namespace it may not, and
    /// nothing is then found by it.
    pub(super) fn sees_our_proc(&self) -> bool {
        self.attributes.chroot.is_none() && !self.attributes.namespaces.new_mount()
    }
}

impl Target {
    /// The program itself, held; by its path alone where the child's own execve(2) is to find it.
    pub(super) fn open(&self, means: &Means) -> Result<Found> {
        let held = |program| Found::Held(Arc::new(program));
        match self {
            Target::Named { root, name } => Program::find(root, name.clone()).map(held),
            Target::Held(program) => Ok(Found::Held(Arc::clone(program))),
            Target::Path(path) => Ok(Found::Path(path.clone())),
            Target::At(at) => at.find(means).map(held),
        }
    }
}

impl Environment {
    pub(super) fn strings(&self) -> Arc<Strings> {
        match self {
            Environment::Given(strings) => Arc::clone(strings),
            Environment::Own => Arc::new(sys::environment::snapshot()),
        }
    }
}

impl Cwd {
    /// The directory to begin in, held from here on; None: as it is.
    pub(super) fn open(&self) -> Result<Option<OwnedFd>> {
        match self {
            Cwd::Here | Cwd::Inherited(_) | Cwd::Inside(_) => Ok(None),
            Cwd::Place(place) => place.open(Step::Chdir).map(Some),
            Cwd::Beneath { root, name } => match root.resolve(name, HELD | OFlag::O_DIRECTORY) {
                Ok(fd) => Ok(Some(fd)),
                Err(failure) => Err(Failure { step: Step::Chdir, ..failure }.about(name.to_string_lossy())),
            },
        }
    }

    /// Where this process is now.
    pub(crate) fn here() -> Result<OwnedFd> {
        let fd = open_at(AT_FDCWD, c".", HELD | OFlag::O_DIRECTORY);
        fd.and_then(sys::fd::lift).map_err(Failure::at(Step::Chdir, "open"))
    }
}

impl Stdio {
    /// A duplicate of the caller's descriptor, made at the call.
    pub(crate) fn given(index: usize, number: i32) -> Result<Stdio> {
        let copy = sys::fd::duplicate(number).map(Stdio::Given);
        copy.map_err(|errno| {
            Failure::new(Step::Fds, "fcntl", errno).detail(format!("descriptor {number}, to be the child's {index}"))
        })
    }
}
