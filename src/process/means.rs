//! What a start opens in the parent before there is a child, so that the child has nothing to look up by name.

use super::attributes::{Attributes, Place};
use super::request::{Cwd, Request};
use crate::failure::{Failure, Result, Step};
use crate::sys;
use crate::sys::fd::PIPE_CALL;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Means {
    pub(super) begin: Begin,
    pub(super) chroot: Option<OwnedFd>,
    /// This process's controlling terminal.
    pub(super) tty: Option<OwnedFd>,
    pub(super) cgroup: Option<OwnedFd>,
}

/// Where the child begins.
#[derive(Debug)]
pub(super) enum Begin {
    Here,
    /// By the rights that it has at first.
    Inherited(OwnedFd),
    /// By those that it has in the end.
    At(OwnedFd),
    /// A path that it finds itself, in its own root.
    Inside(Arc<CString>),
}

impl Means {
    pub(super) fn open(request: &Request) -> Result<Means> {
        let attributes = &request.attributes;
        let chroot = attributes.chroot.as_ref().map(|place| place.open(Step::Chroot)).transpose()?;
        let begin = match &request.cwd {
            Cwd::Inside(path) => Begin::Inside(Arc::clone(path)),
            Cwd::Inherited(fd) => {
                Begin::Inherited(sys::fd::duplicate_of(fd).map_err(Failure::at(Step::Chdir, "fcntl"))?)
            }
            cwd => cwd.open()?.map_or(Begin::Here, Begin::At),
        };
        if attributes.namespaces.new_mount() && chroot.is_some() && matches!(begin, Begin::At(_)) {
            // A descriptor leads to the mounts that were there before: from it `..` would lead out of the new root.
            return Err(Failure::new(Step::Chdir, "fchdir", Errno::EXDEV));
        }
        Ok(Means {
            begin,
            chroot,
            tty: attributes.foreground.then(open_terminal).transpose()?,
            cgroup: attributes.cgroup.as_ref().map(open_cgroup).transpose()?,
        })
    }
}

impl Means {
    /// Where it begins, if it finds that by itself.
    pub(super) fn path(&self) -> Option<Arc<CString>> {
        match &self.begin {
            Begin::Inside(path) => Some(Arc::clone(path)),
            _ => None,
        }
    }

    /// Whether a directory is held for it to begin in.
    pub(super) fn has_cwd(&self) -> bool {
        matches!(self.begin, Begin::At(_) | Begin::Inherited(_))
    }

    /// What it enters before anything else.
    pub(super) fn cwd_at_first(&self) -> Option<RawFd> {
        match &self.begin {
            Begin::Inherited(cwd) => Some(cwd.as_raw_fd()),
            _ => None,
        }
    }

    /// What stays open for the child until after its moves.
    pub(super) fn cwd_after_moves(&self, attributes: &Attributes) -> Option<&OwnedFd> {
        match &self.begin {
            Begin::At(cwd) if !attributes.namespaces.new_mount() => Some(cwd),
            _ => None,
        }
    }
}

fn open_terminal() -> Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let tty = open(c"/dev/tty", flags, Mode::empty()).and_then(sys::fd::lift);
    tty.map_err(|errno| Failure::new(Step::Foreground, "open", errno).about("/dev/tty"))
}

/// EBADF for what is no directory of cgroup v2, as clone3(2) says.
fn open_cgroup(place: &Place) -> Result<OwnedFd> {
    let directory = place.open(Step::Cgroup)?;
    if sys::cgroup::is_one(directory.as_fd()) {
        return Ok(directory);
    }
    Err(Failure::new(Step::Cgroup, "clone3", Errno::EBADF).detail("it is no directory of cgroup v2"))
}

/// On which a child in a new user namespace waits for its maps. A pipe, and no word in memory that is shared: should
/// this process end meanwhile, the child sees that.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) child: OwnedFd,
    pub(super) parent: OwnedFd,
}

impl Gate {
    pub(super) fn for_child_of(attributes: &Attributes) -> Result<Option<Gate>> {
        if !attributes.namespaces.new_user() {
            return Ok(None);
        }
        let (child, parent) = sys::fd::pipe().map_err(Failure::at(Step::Fds, PIPE_CALL))?;
        Ok(Some(Gate { child, parent }))
    }

    pub(super) fn numbers(&self) -> (RawFd, RawFd) {
        (self.child.as_raw_fd(), self.parent.as_raw_fd())
    }

    /// Lets the child go on. Our own copy of its end keeps this from ever being a SIGPIPE.
    pub(super) fn open(&self) {
        // A pipe takes one byte; a child that has ended meanwhile is what the watch sees.
        let _ = nix::unistd::write(&self.parent, &[1]);
    }
}
