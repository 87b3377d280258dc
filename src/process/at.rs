//! A program's name as execveat(2) resolves it: `..`, links and absolute names lead wherever they lead. It is found before
//! there is a child, and held.

use super::means::{Begin, Means};
use crate::failure::{Failure, Result, Step};
use crate::program::Program;
use crate::root::Directory;
use crate::sys;
use crate::sys::files::{HELD, open_at};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct At {
    /// None: where the child is to begin (AT_FDCWD).
    pub(crate) from: Option<OwnedFd>,
    pub(crate) path: CString,
    /// Whether a link in the last component is followed.
    pub(crate) follow: bool,
    /// In which the interpreter of a script is found, where it is to be found in a Root.
    pub(crate) root: Option<Arc<Directory>>,
}

impl At {
    pub(super) fn find(&self, means: &Means) -> Result<Program> {
        let last = if self.follow { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        let flags = HELD | last;
        let fd = match (&self.from, &means.chroot, &means.begin) {
            (Some(from), ..) => self.open(Some(from), flags),
            (None, Some(root), begin) => self.find_inside(root, begin, flags),
            (None, None, Begin::At(directory)) => self.open(Some(directory), flags),
            (None, None, _) => self.open(None, flags),
        };
        Program::found_at(fd?, self.root.as_ref().map(|root| (Arc::clone(root), self.path.clone())))
    }

    fn open(&self, from: Option<&OwnedFd>, flags: OFlag) -> Result<OwnedFd> {
        let from = from.map_or(AT_FDCWD, AsFd::as_fd);
        let fd = open_at(from, &self.path, flags).and_then(sys::fd::lift);
        fd.map_err(Failure::at(Step::Resolve, "openat"))
    }

    /// As the child will see it, whose root directory is not ours.
    fn find_inside(&self, root: &OwnedFd, begin: &Begin, flags: OFlag) -> Result<OwnedFd> {
        let path = self.path.as_bytes();
        match begin {
            // Held by descriptor: what `..` is there, seen from inside, is not known, so that nothing may lead out.
            Begin::At(directory) if !path.starts_with(b"/") => {
                Directory::from_fd(directory.as_raw_fd())?.resolve(&self.path, flags)
            }
            Begin::Inside(directory) if !path.starts_with(b"/") && !path.is_empty() => {
                let joined = [directory.as_bytes(), b"/", path].concat();
                let joined = CString::new(joined).map_err(|_| Failure::new(Step::Resolve, "openat", Errno::EINVAL))?;
                Directory::seen_from(root)?.resolve(&joined, flags)
            }
            _ => Directory::seen_from(root)?.resolve(&self.path, flags),
        }
    }
}
