//! Names: a directory that is held open, and what is found beneath it. Knows nothing of processes.

mod escape;
mod look_path;

use crate::failure::{Failure, Reason, Result, Step};
use crate::sys;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

/// While anything on the system is renamed, openat2 gives up on names with `..` now and then.
const TRIES_AT_EAGAIN: usize = 32;

/// A directory held open; what is opened by it lies beneath it.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

impl Directory {
    /// Opens the directory at `path`, which is this process's own to resolve.
    pub(crate) fn open(path: &CStr) -> Result<Directory> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = openat(AT_FDCWD, path, flags, Mode::empty()).and_then(sys::fd::lift);
        fd.map(Directory).map_err(Failure::at(Step::Open, "open"))
    }

    /// A duplicate of a descriptor that somebody else opened.
    pub(crate) fn from_fd(fd: RawFd) -> Result<Directory> {
        let fd = sys::fd::duplicate(fd).map_err(Failure::at(Step::Open, "fcntl"))?;
        match kind(fd.as_fd())? {
            SFlag::S_IFDIR => Ok(Directory(fd)),
            _ => Err(Failure::new(Step::Open, "fstat", Errno::ENOTDIR)),
        }
    }

    /// A directory beneath this one.
    pub(crate) fn open_directory(&self, name: &CStr) -> Result<Directory> {
        self.resolve(name, OFlag::O_PATH | OFlag::O_DIRECTORY).map(Directory)
    }

    /// What `name` leads to beneath this directory, whatever it is, as an O_PATH descriptor: nothing is run, read or
    /// waited for by that.
    pub(crate) fn find(&self, name: &CStr) -> Result<OwnedFd> {
        self.resolve(name, OFlag::O_PATH)
    }

    /// Opens `name` beneath this directory by openat2(2).
    pub(crate) fn resolve(&self, name: &CStr, flags: OFlag) -> Result<OwnedFd> {
        let mut errno = Errno::EAGAIN;
        for _ in 0..TRIES_AT_EAGAIN {
            match sys::files::open_beneath(self.0.as_fd(), name, flags).and_then(sys::fd::lift) {
                Ok(fd) => return Ok(fd),
                Err(Errno::EAGAIN) => {}
                Err(other) => {
                    errno = other;
                    break;
                }
            }
        }
        Err(self.explain(name, errno))
    }

    fn explain(&self, name: &CStr, errno: Errno) -> Failure {
        let failure = Failure::new(Step::Resolve, "openat2", errno);
        match errno {
            Errno::EXDEV => failure.because(Reason::Escape).detail(escape::explain(self, name)),
            Errno::ENOSYS | Errno::EPERM => {
                failure.because(Reason::Unavailable).detail("openat2(2), by which names under a Root are resolved")
            }
            _ => failure,
        }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether names can be resolved here: openat2(2) is there and no filter refuses it.
pub(crate) fn can_resolve() -> bool {
    Directory::open(c"/").is_ok_and(|root| root.find(c".").is_ok())
}

/// The kind of file behind a descriptor (S_IFREG, S_IFDIR, …).
pub(crate) fn kind(fd: BorrowedFd<'_>) -> Result<SFlag> {
    let stat = fstat(fd).map_err(Failure::at(Step::Open, "fstat"))?;
    Ok(SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    /// A directory `root` with a directory `outside` beside it, gone with the value.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let at = std::env::temp_dir().join(format!("command-root-{name}-{}", std::process::id()));
            fs::create_dir_all(at.join("root/a/b")).unwrap();
            fs::create_dir_all(at.join("outside")).unwrap();
            fs::write(at.join("root/a/b/file"), "inside").unwrap();
            fs::write(at.join("outside/file"), "outside").unwrap();
            Place(at)
        }

        fn root(&self) -> Directory {
            Directory::open(&CString::new(self.0.join("root").as_os_str().as_bytes()).unwrap()).unwrap()
        }

        fn link(&self, name: &str, target: &str) {
            symlink(target, self.0.join("root").join(name)).unwrap();
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn outcome(root: &Directory, name: &str) -> std::result::Result<(), (Errno, Option<Reason>)> {
        root.find(&CString::new(name).unwrap()).map(drop).map_err(|failure| (failure.errno, failure.reason))
    }

    #[test]
    fn names_stay_beneath_the_root() {
        let place = Place::new("beneath");
        for (name, target) in
            [("inner", "a/b"), ("up", ".."), ("abs", "/etc"), ("loop", "loop"), ("hop", "up"), ("gone", "nothing")]
        {
            place.link(name, target);
        }
        let root = place.root();
        let escape = Err((Errno::EXDEV, Some(Reason::Escape)));
        for (name, expected) in [
            ("a/b/file", Ok(())),
            (".", Ok(())),
            ("a//b/./file", Ok(())),
            ("a/../a/b/file", Ok(())),
            ("inner/file", Ok(())),
            ("..", escape),
            ("a/../../outside/file", escape),
            ("/etc/passwd", escape),
            ("up/outside/file", escape),
            ("hop/outside/file", escape),
            ("abs/passwd", escape),
            ("loop", Err((Errno::ELOOP, None))),
            ("gone", Err((Errno::ENOENT, None))),
            ("", Err((Errno::ENOENT, None))),
            ("a/b/file/", Err((Errno::ENOTDIR, None))),
        ] {
            assert_eq!(outcome(&root, name), expected, "{name}");
        }
    }

    #[test]
    fn an_escape_names_the_link_that_leads_out() {
        let place = Place::new("explained");
        for (name, target) in [("a/abs", "/etc"), ("hop", "a/abs"), ("up", "a/../../outside")] {
            place.link(name, target);
        }
        let root = place.root();
        for (name, words) in [
            ("a/abs/passwd", "the link 'a/abs' leads to '/etc'"),
            ("hop/passwd", "the link 'a/abs' leads to '/etc'"),
            ("up", "the link 'up' leads to 'a/../../outside'"),
            ("a/../..", "'a/../..' goes above it"),
            ("/etc", "'/etc' is absolute"),
        ] {
            let failure = root.find(&CString::new(name).unwrap()).unwrap_err();
            assert_eq!(failure.detail.as_deref(), Some(words), "{name}");
        }
    }

    #[test]
    fn a_file_is_no_root() {
        assert_eq!(Directory::open(c"/dev/null").unwrap_err().errno, Errno::ENOTDIR);
        assert_eq!(Directory::open(c"/no/such/directory").unwrap_err().errno, Errno::ENOENT);
        assert_eq!(Directory::from_fd(-1).unwrap_err().errno, Errno::EBADF);
        let file = fs::File::open("/dev/null").unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
        assert_eq!(Directory::from_fd(fd).unwrap_err().errno, Errno::ENOTDIR);
    }
}
