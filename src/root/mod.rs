//! Names: a directory that is held open, and what is found beneath it. Knows nothing of processes.

mod explain;
mod kernel;
mod look_path;
mod resolver;
mod rules;
#[cfg(test)]
mod tests;
mod walk;

use crate::failure::{Failure, Reason, Result, Step};
use crate::sys;
use crate::sys::files::{HELD, open_at};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{SFlag, fstat};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

pub(crate) use resolver::{Resolver, in_use};
pub(crate) use rules::{Asked, Rules};

/// A directory held open, and the rules by which names are resolved from it.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    rules: Rules,
}

impl Directory {
    /// Opens the directory at `path`, which is this process's own to resolve.
    pub(crate) fn open(path: &CStr) -> Result<Directory> {
        let fd = open_at(AT_FDCWD, path, HELD | OFlag::O_DIRECTORY).and_then(sys::fd::lift);
        let fd = fd.map_err(Failure::at(Step::Open, "open"))?;
        Ok(Directory { fd, rules: Rules::default() })
    }

    /// A duplicate of a descriptor that somebody else opened.
    pub(crate) fn from_fd(fd: RawFd) -> Result<Directory> {
        let fd = sys::fd::duplicate(fd).map_err(Failure::at(Step::Open, "fcntl"))?;
        match kind(fd.as_fd())? {
            SFlag::S_IFDIR => Ok(Directory { fd, rules: Rules::default() }),
            _ => Err(Failure::new(Step::Open, "fstat", Errno::ENOTDIR)),
        }
    }

    /// The directory behind `fd` as a process sees it whose root directory it is.
    pub(crate) fn seen_from(fd: &OwnedFd) -> Result<Directory> {
        let asked = Asked { in_root: Some(true), ..Asked::default() };
        Directory::from_fd(fd.as_raw_fd()).map(|directory| directory.under(asked))
    }

    /// A directory beneath this one, with its rules.
    pub(crate) fn open_directory(&self, name: &CStr) -> Result<Directory> {
        let fd = self.resolve(name, HELD | OFlag::O_DIRECTORY)?;
        Ok(Directory { fd, rules: self.rules })
    }

    /// The same directory with the rules that are asked for; of the others it keeps its own.
    pub(crate) fn under(self, asked: Asked) -> Directory {
        Directory { rules: self.rules.with(asked), ..self }
    }

    /// What `name` leads to beneath this directory, whatever it is, held and not opened: nothing is run, read or waited for by
    /// that.
    pub(crate) fn find(&self, name: &CStr) -> Result<OwnedFd> {
        self.resolve(name, HELD)
    }

    /// Opens `name` beneath this directory. With O_NOFOLLOW a link in the last component is not followed.
    pub(crate) fn resolve(&self, name: &CStr, flags: OFlag) -> Result<OwnedFd> {
        let fd = self.open_by(self.rules, name, flags).map_err(|failure| self.explain(name, failure))?;
        sys::fd::lift(fd).map_err(Failure::at(Step::Resolve, "fcntl"))
    }

    fn open_by(&self, rules: Rules, name: &CStr, flags: OFlag) -> Result<OwnedFd> {
        resolver::open(self.fd.as_fd(), rules, name, flags)
    }

    /// EXDEV is said of a name that leads out, and of a mount that is not to be crossed.
    fn explain(&self, name: &CStr, failure: Failure) -> Failure {
        match failure.errno {
            Errno::EXDEV if self.only_crosses_a_mount(name) => failure.detail("it leads onto another mount"),
            Errno::EXDEV => self.say_where(name, failure.because(Reason::Escape)),
            Errno::ELOOP => self.say_where(name, failure),
            _ => failure,
        }
    }

    fn only_crosses_a_mount(&self, name: &CStr) -> bool {
        let anywhere = Rules { cross_mounts: true, ..self.rules };
        let again = || self.open_by(anywhere, name, HELD);
        !self.rules.cross_mounts && again().map_err(|failure| failure.errno).err() != Some(Errno::EXDEV)
    }

    fn say_where(&self, name: &CStr, failure: Failure) -> Failure {
        match explain::explain(self, name, failure.errno) {
            Some(words) => failure.detail(words),
            None => failure,
        }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The kind of file behind a descriptor (S_IFREG, S_IFDIR, …).
pub(crate) fn kind(fd: BorrowedFd<'_>) -> Result<SFlag> {
    let stat = fstat(fd).map_err(Failure::at(Step::Open, "fstat"))?;
    Ok(SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()))
}
