//! What will run: a regular file held by descriptor, and what is to be said when the kernel does not take it.

mod interpreter;

use crate::failure::{Failure, Reason, Result, Step};
use crate::root::Directory;
use crate::sys;
use interpreter::{Interpreter, read_interpreter};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, SFlag, fstat};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

/// A program held by descriptor: whatever its name leads to later, this file is meant.
#[derive(Debug)]
pub(crate) struct Program {
    fd: OwnedFd,
    size: u64,
    /// By which it can be opened for reading; none for a descriptor that came from outside.
    found: Option<(Arc<Directory>, CString)>,
}

/// A file by its number, to see that a descriptor still holds what it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) kind: u32,
}

impl Identity {
    pub(crate) fn of(fd: RawFd) -> Result<Identity> {
        let fd = sys::fd::duplicate(fd).map_err(Failure::at(Step::Open, "fcntl"))?;
        fstat(&fd).map(|stat| Identity::from(&stat)).map_err(Failure::at(Step::Open, "fstat"))
    }
}

impl From<&FileStat> for Identity {
    fn from(stat: &FileStat) -> Identity {
        Identity { dev: stat.st_dev, ino: stat.st_ino, kind: stat.st_mode & SFlag::S_IFMT.bits() }
    }
}

impl Program {
    /// The program `name` beneath `root`. Whether it may be executed is for exec to say.
    pub(crate) fn find(root: &Arc<Directory>, name: CString) -> Result<Program> {
        let fd = root.find(&name)?;
        let stat = stat_regular(fd.as_fd())?;
        Ok(Program { fd, size: stat.st_size as u64, found: Some((Arc::clone(root), name)) })
    }

    /// What a descriptor from outside holds, if that is still the file that was `expected`.
    pub(crate) fn held(fd: OwnedFd, expected: impl FnOnce(Identity) -> bool) -> Result<Program> {
        let stat = stat_regular(fd.as_fd())?;
        if !expected(Identity::from(&stat)) {
            let failure = Failure::new(Step::Open, "fstat", Errno::ESTALE);
            return Err(failure.detail("the descriptor holds another file than when the command was made"));
        }
        Ok(Program { fd, size: stat.st_size as u64, found: None })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Why exec said ENOENT of a file that is held open: a close-on-exec descriptor cannot hold a script (its
    /// interpreter could not open it), and an ELF file may name a loader that is not there. Looked at only then.
    pub(crate) fn explain_enoent(&self, failure: Failure) -> Failure {
        match self.open_for_reading().and_then(|file| read_interpreter(&file)) {
            Some(Interpreter::Script(interpreter)) => {
                failure.because(Reason::ScriptDenied).detail(format!("its interpreter is {interpreter}"))
            }
            Some(Interpreter::Loader(path)) => failure.detail(format!("its loader {path} is missing")),
            None => failure.detail("it is a script, or the loader it names is missing"),
        }
    }

    fn open_for_reading(&self) -> Option<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let Some((root, name)) = &self.found else {
            // Opened by somebody else, and perhaps for reading.
            return sys::fd::duplicate(self.fd.as_raw_fd()).ok().map(File::from);
        };
        let file = root.resolve(name, flags).ok()?;
        let same = Identity::from(&fstat(&file).ok()?) == Identity::from(&fstat(&self.fd).ok()?);
        same.then(|| File::from(file))
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// EACCES for what is no regular file, as execve(2) says.
fn stat_regular(fd: BorrowedFd<'_>) -> Result<FileStat> {
    let stat = fstat(fd).map_err(Failure::at(Step::Open, "fstat"))?;
    let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
    if kind == SFlag::S_IFREG {
        return Ok(stat);
    }
    let what = if kind == SFlag::S_IFDIR { "it is a directory" } else { "it is not a regular file" };
    Err(Failure::new(Step::Open, "fstat", Errno::EACCES).detail(what))
}
