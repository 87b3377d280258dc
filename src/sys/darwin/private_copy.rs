//! A clone (clonefile(2)) of a file under a name that nobody else can guess or reach, for as long as a start takes.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, stat};
use nix::unistd::{UnlinkatFlags, geteuid, mkdtemp, unlinkat};
use std::ffi::{CStr, CString};
use std::fs::remove_dir;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Gone with this value; what runs it goes on.
#[derive(Debug)]
pub(crate) struct PrivateCopy {
    /// Of mode 0700.
    place: PathBuf,
    directory: Option<OwnedFd>,
}

const NAME: &CStr = c"program";

impl PrivateCopy {
    /// EPERM: where temporary files are, others may rename ours. EXDEV, ENOTSUP: the file is on another volume than temporary files are, or on one without clones. EBADF: it may not
    /// be read.
    pub(crate) fn of(file: BorrowedFd<'_>) -> Result<PrivateCopy, Errno> {
        let temporary = std::env::temp_dir();
        if !keeps_names(&stat(&temporary)?) {
            return Err(Errno::EPERM);
        }
        let mut copy = PrivateCopy { place: mkdtemp(&temporary.join("command-root-XXXXXX"))?, directory: None };
        let directory = open(&copy.place, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        // SAFETY: both descriptors are open, the name is a C string.
        let cloned = unsafe { libc::fclonefileat(file.as_raw_fd(), directory.as_fd().as_raw_fd(), NAME.as_ptr(), 0) };
        copy.directory = Some(directory);
        Errno::result(cloned).map(|_| copy)
    }

    pub(crate) fn path(&self) -> CString {
        let path = [self.place.as_os_str().as_bytes(), b"/", NAME.to_bytes()].concat();
        // There is no NUL in it.
        CString::new(path).unwrap_or_default()
    }
}

/// Whether nobody but us, and root, can give the name of what is ours in this directory to something else.
fn keeps_names(directory: &FileStat) -> bool {
    let ours = [0, geteuid().as_raw()].contains(&directory.st_uid);
    ours && (directory.st_mode & 0o022 == 0 || directory.st_mode & libc::S_ISVTX != 0)
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        // What cannot be removed any more somebody else has removed.
        if let Some(directory) = &self.directory {
            let _ = unlinkat(directory, NAME, UnlinkatFlags::NoRemoveDir);
        }
        let _ = remove_dir(&self.place);
    }
}
