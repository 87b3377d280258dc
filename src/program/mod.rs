//! What will run: a regular file held by descriptor, and what is to be said when the kernel does not take it.

mod interpreter;
mod script;
mod seal;
#[cfg(target_os = "linux")]
mod sealed_copy;

use crate::failure::{Failure, Reason, Result, Step};
use crate::root::Directory;
use crate::sys;
use crate::sys::files::NOT_READABLE;
#[cfg(target_os = "linux")]
use interpreter::complete_elf;
use interpreter::{Interpreter, read_interpreter};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{FileStat, SFlag, fstat};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

pub(crate) use script::{Image, Scripts, Subject, Wish};
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

#[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "these numbers have other widths elsewhere")]
impl From<&FileStat> for Identity {
    fn from(stat: &FileStat) -> Identity {
        let kind = (stat.st_mode & SFlag::S_IFMT.bits()).into();
        Identity { dev: stat.st_dev as u64, ino: stat.st_ino, kind }
    }
}

impl Program {
    /// The program `name` beneath `root`. Whether it may be executed is for exec to say.
    pub(crate) fn find(root: &Arc<Directory>, name: CString) -> Result<Program> {
        Program::found_at(root.find(&name)?, Some((Arc::clone(root), name)))
    }

    /// What was found; `found`: by what else it can be opened, and in which Root an interpreter is looked for.
    pub(crate) fn found_at(fd: OwnedFd, found: Option<(Arc<Directory>, CString)>) -> Result<Program> {
        let stat = stat_regular(fd.as_fd())?;
        Ok(Program { fd, size: stat.st_size as u64, found, sealed: None })
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
            None => Err(failure.because(Reason::Unavailable).detail(UNREADABLE)),
        }
    }

    /// The machine of an ELF file of which ENOENT can only mean that somebody runs it in the kernel's place
    /// (binfmt_misc), who does not take a close-on-exec descriptor. Never a script.
    #[cfg(target_os = "linux")]
    pub(crate) fn handled_machine(&self) -> Option<u16> {
        self.open_for_reading().ok().and_then(|file| complete_elf(&file))
    }

    /// The same, as an interpreter can read it by /dev/fd/N in the child: where the kernel hands on there what is open, and
    /// does not open the file anew, it has to be open for reading, and for this child alone.
    fn for_interpreter(self: &Arc<Self>) -> Result<Arc<Program>> {
        if !sys::proc::HANDS_ON {
            return Ok(Arc::clone(self));
        }
        let fd = OwnedFd::from(self.open_anew().map_err(|failure| Failure { step: Step::Script, ..failure })?);
        Ok(Arc::new(Program { fd, size: self.size, found: self.found.clone(), sealed: None }))
    }

    /// A clone of it that nobody else finds.
    #[cfg(target_os = "macos")]
    pub(crate) fn private_copy(&self) -> Result<sys::private_copy::PrivateCopy> {
        let file = self.open_for_reading().map_err(|failure| Failure { step: Step::Exec, ..failure })?;
        let stat = fstat(&file).map_err(Failure::at(Step::Exec, "fstat"))?;
        if stat.st_mode & (libc::S_ISUID | libc::S_ISGID) != 0 {
            let failure = Failure::new(Step::Exec, "fclonefileat", Errno::ENOTSUP).because(Reason::Unavailable);
            return Err(failure.detail("running a set-user-ID program, which a copy would not be,"));
        }
        sys::private_copy::PrivateCopy::of(file.as_fd()).map_err(|errno| {
            let failure = Failure::new(Step::Exec, "fclonefileat", errno);
            match errno {
                Errno::EXDEV | Errno::ENOTSUP | Errno::EROFS => failure
                    .because(Reason::Unavailable)
                    .detail("running a program that is on another volume than temporary files are"),
                _ => failure,
            }
        })
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
        self.open_anew()
    }

    /// The very file that is held, for reading, with an offset of its own.
    fn open_anew(&self) -> Result<File> {
        let file = sys::files::reopen(self.fd.as_fd(), READING).or_else(|errno| match &self.found {
            // What is held is found by its name where nothing else finds it, if it has that name still.
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
}

/// Of what cannot be told before the start whether it is a script.
const UNREADABLE: &str = if cfg!(target_os = "linux") {
    "running a program that may not be read, without execveat(2),"
} else {
    "running a program that may not be read, and may be a script,"
};

/// What is opened is a regular file, unless its name was given to another meanwhile: that is then not waited for.
const READING: OFlag = OFlag::O_RDONLY.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY);

fn is_readable(fd: &OwnedFd) -> bool {
    let Ok(flags) = fcntl(fd, FcntlArg::F_GETFL) else { return false };
    let flags = OFlag::from_bits_retain(flags);
    !flags.intersects(NOT_READABLE)
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// EACCES for what is no regular file, as execve(2) says; ELOOP for a link that is held itself.
fn stat_regular(fd: BorrowedFd<'_>) -> Result<FileStat> {
    let stat = fstat(fd).map_err(Failure::at(Step::Open, "fstat"))?;
    let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
    if kind == SFlag::S_IFREG {
        return Ok(stat);
    }
    let (errno, what) = match kind {
        SFlag::S_IFDIR => (Errno::EACCES, "it is a directory"),
        SFlag::S_IFLNK => (Errno::ELOOP, "it is a symlink, which is not to be followed"),
        _ => (Errno::EACCES, "it is not a regular file"),
    };
    Err(Failure::new(Step::Open, "fstat", errno).detail(what))
}
