//! What will run: a regular file held by descriptor, and what is to be said when the kernel does not take it.

mod interpreter;
mod script;
mod seal;

use crate::failure::{Failure, Reason, Result, Step};
use crate::root::Directory;
use crate::sys;
use interpreter::{Interpreter, complete_elf, read_interpreter};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

pub(crate) use script::{Image, Scripts, Wish};
pub(crate) use seal::Seal;

/// A program held by descriptor: whatever its name leads to later, this file is meant.
#[derive(Debug)]
pub(crate) struct Program {
    fd: OwnedFd,
    size: u64,
    /// By which it can be opened for reading; none for a descriptor that came from outside.
    found: Option<(Arc<Directory>, CString)>,
    /// The sha256 of a sealed copy, in lower-case hex.
    sealed: Option<String>,
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
        Ok(Program { fd, size: stat.st_size as u64, found: Some((Arc::clone(root), name)), sealed: None })
    }

    /// What a descriptor from outside holds, if that is still the file that was `expected`.
    pub(crate) fn held(fd: OwnedFd, expected: impl FnOnce(Identity) -> bool) -> Result<Program> {
        let stat = stat_regular(fd.as_fd())?;
        if !expected(Identity::from(&stat)) {
            let failure = Failure::new(Step::Open, "fstat", Errno::ESTALE);
            return Err(failure.detail("the descriptor holds another file than when the command was made"));
        }
        Ok(Program { fd, size: stat.st_size as u64, found: None, sealed: None })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// In lower-case hex, of a sealed copy.
    pub(crate) fn sha256(&self) -> Option<&str> {
        self.sealed.as_deref()
    }

    /// Why exec said ENOENT of a file that is held open: a close-on-exec descriptor cannot hold a script (its
    /// interpreter could not open it), and an ELF file may name a loader that is not there; so may a script that the
    /// kernel was to run (`as_script`). Looked at only then.
    pub(crate) fn explain_enoent(&self, failure: Failure, as_script: bool) -> Failure {
        match self.interpreter() {
            Ok(Some(Interpreter::Script(line))) if as_script => {
                failure.detail(format!("its interpreter {} is missing", line.interpreter()))
            }
            Ok(Some(Interpreter::Script(line))) => {
                failure.because(Reason::ScriptDenied).detail(format!("its interpreter is {}", line.interpreter()))
            }
            Ok(Some(Interpreter::Loader(path))) => failure.detail(format!("its loader {path} is missing")),
            _ if as_script => failure.detail("its interpreter is missing"),
            _ => failure.detail("it is a script, or the loader it names is missing"),
        }
    }

    /// Refuses a script before the start: for a way of starting that would run its interpreter, close-on-exec or not.
    /// What cannot be read may be one, so it is refused too. (The look and the exec are two moments: whoever writes into
    /// the file in between is not seen.)
    pub(crate) fn deny_before(&self) -> Result<()> {
        let failure = Failure::new(Step::Exec, "execve", Errno::ENOENT);
        let readable = self.open_for_reading().ok().filter(|file| file.read_at(&mut [0; 2], 0).is_ok());
        match readable.map(|file| read_interpreter(&file)) {
            Some(Some(Interpreter::Script(line))) => {
                Err(failure.because(Reason::ScriptDenied).detail(format!("its interpreter is {}", line.interpreter())))
            }
            Some(_) => Ok(()),
            None => {
                let what = "running a program that may not be read, without execveat(2),";
                Err(failure.because(Reason::Unavailable).detail(what))
            }
        }
    }

    /// The machine of an ELF file of which ENOENT can only mean that somebody runs it in the kernel's place
    /// (binfmt_misc), who does not take a close-on-exec descriptor. Never a script.
    pub(crate) fn handled_machine(&self) -> Option<u16> {
        self.open_for_reading().ok().and_then(|file| complete_elf(&file))
    }

    /// None where it names none, or may not be read. An error: it could not be looked at for want of something.
    fn interpreter(&self) -> Result<Option<Interpreter>> {
        match self.open_for_reading() {
            Ok(file) => Ok(read_interpreter(&file)),
            Err(failure) if matches!(failure.errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM) => Err(failure),
            Err(_) => Ok(None),
        }
    }

    /// The very file that is held, for reading.
    fn open_for_reading(&self) -> Result<File> {
        if self.sealed.is_some() || is_readable(&self.fd) {
            return sys::fd::duplicate(self.fd.as_raw_fd()).map(File::from).map_err(Failure::at(Step::Open, "fcntl"));
        }
        let file = self.reopen().or_else(|errno| match &self.found {
            Some((root, name)) => root.resolve(name, READING),
            None => Err(Failure::new(Step::Open, "open", errno)),
        })?;
        let held = fstat(&self.fd).map_err(Failure::at(Step::Open, "fstat"))?;
        let read = fstat(&file).map_err(Failure::at(Step::Open, "fstat"))?;
        if Identity::from(&read) == Identity::from(&held) {
            return Ok(File::from(file));
        }
        Err(Failure::new(Step::Open, "fstat", Errno::ESTALE).detail("another file has its name by now"))
    }

    /// By /proc, where it is there: what is held is found, though its name leads elsewhere by now.
    fn reopen(&self) -> std::result::Result<OwnedFd, Errno> {
        let path = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        open(path.as_str(), READING | OFlag::O_CLOEXEC, Mode::empty()).and_then(sys::fd::lift)
    }
}

/// What is opened is a regular file, unless its name was given to another meanwhile: that is then not waited for.
const READING: OFlag = OFlag::O_RDONLY.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY);

fn is_readable(fd: &OwnedFd) -> bool {
    let Ok(flags) = fcntl(fd, FcntlArg::F_GETFL) else { return false };
    let flags = OFlag::from_bits_retain(flags);
    !flags.intersects(OFlag::O_PATH | OFlag::O_WRONLY)
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
