//! Files by descriptor, where there is no O_PATH: held by the least that they can be opened for.

use super::volfs;
use crate::sys::access;
use crate::sys::fd::lift;
use crate::sys::resolve::How;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::sys::statfs::fstatfs;
use std::ffi::{CStr, OsString};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// The flag by which a file is held: O_EXEC, which for a directory is O_SEARCH. See [`open_at`].
pub(crate) const HELD: OFlag = OFlag::from_bits_retain(libc::O_EXEC);
/// The flags of descriptors that cannot be read from.
pub(crate) const NOT_READABLE: OFlag = HELD.union(OFlag::O_WRONLY);

/// openat(2), close-on-exec. With [`HELD`] nothing is run or waited for by it: a directory is opened to be searched, a
/// file to be read or, where that is not allowed, to be executed (EACCES: neither is), a link that is not followed is
/// opened itself; of what else there is EACCES is said.
pub(crate) fn open_at(directory: BorrowedFd<'_>, name: &CStr, flags: OFlag) -> Result<OwnedFd, Errno> {
    if flags.contains(HELD) && !flags.contains(OFlag::O_DIRECTORY) {
        return hold(directory, name, flags & OFlag::O_NOFOLLOW);
    }
    openat(directory, name, flags | OFlag::O_CLOEXEC, Mode::empty())
}

/// As often as a name may lead to another file between the look and the opening.
const TRIES: usize = 32;

/// `last`: O_NOFOLLOW, or nothing.
fn hold(directory: BorrowedFd<'_>, name: &CStr, last: OFlag) -> Result<OwnedFd, Errno> {
    let look = if last.is_empty() { AtFlags::empty() } else { AtFlags::AT_SYMLINK_NOFOLLOW };
    for _ in 0..TRIES {
        let stat = fstatat(directory, name, look)?;
        let open = |flags: OFlag| openat(directory, name, flags | OFlag::O_CLOEXEC, Mode::empty());
        let opened = match kind(&stat) {
            SFlag::S_IFDIR => open(HELD | OFlag::O_DIRECTORY | last),
            SFlag::S_IFLNK => open(OFlag::from_bits_retain(libc::O_SYMLINK)),
            SFlag::S_IFREG if leads_elsewhere(directory, name, &stat)? => return Err(Errno::ELOOP),
            SFlag::S_IFREG => open(OFlag::O_NONBLOCK | OFlag::O_NOCTTY | last).or_else(|errno| match errno {
                Errno::EACCES => open(HELD | last),
                _ => Err(errno),
            }),
            _ => return Err(Errno::EACCES),
        };
        match opened {
            Ok(fd) if is_same(&fstat(&fd)?, &stat) => return Ok(fd),
            // It has another file's name by now.
            Ok(_) | Err(Errno::ELOOP | Errno::ENOTDIR | Errno::EISDIR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::EAGAIN)
}

/// Whether what looks like a file of a directory is on another device than that: one of /dev/fd, which leads wherever
/// this process has something open. (Only directories are mounted upon.)
fn leads_elsewhere(directory: BorrowedFd<'_>, name: &CStr, stat: &FileStat) -> Result<bool, Errno> {
    Ok(!name.to_bytes().contains(&b'/') && fstatat(directory, c".", AtFlags::empty())?.st_dev != stat.st_dev)
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

fn is_same(one: &FileStat, other: &FileStat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// What the link `name` in `directory` leads to: what was there when it was looked at, or another by now, which is then
/// what the name leads to.
pub(crate) fn read_link(_link: BorrowedFd<'_>, directory: BorrowedFd<'_>, name: &CStr) -> Result<OsString, Errno> {
    readlinkat(directory, name)
}

/// Opens once more what is held, by /.vol: whoever asks has to look whether it is the same file.
pub(crate) fn reopen(held: BorrowedFd<'_>, flags: OFlag) -> Result<OwnedFd, Errno> {
    let path = volfs::path_of(held)?;
    open(path.as_c_str(), flags | OFlag::O_CLOEXEC, Mode::empty()).and_then(lift)
}

/// The kernel resolves no whole name for us: its O_RESOLVE_BENEATH says EACCES of what leads out, and of much else.
pub(crate) const RESOLVER: &str = "walk";
pub(crate) const RESOLVER_CALL: &str = "openat";

pub(crate) fn resolves(_how: How) -> bool {
    false
}

/// ENOSYS, always.
pub(crate) fn open_resolved(_root: BorrowedFd<'_>, _name: &CStr, _flags: OFlag, _how: How) -> Result<OwnedFd, Errno> {
    Err(Errno::ENOSYS)
}

/// A file system, as far as links on it are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkRules {
    /// There is no procfs.
    pub(crate) procfs: bool,
    /// Nor a mount that follows no links.
    pub(crate) nosymfollow: bool,
}

pub(crate) fn link_rules(_fd: BorrowedFd<'_>) -> Result<LinkRules, Errno> {
    Ok(LinkRules { procfs: false, nosymfollow: false })
}

/// By what a mount is known, for messages: the call, and all that it needs.
pub(crate) const MOUNT_CALL: &str = "fstatfs";
pub(crate) const MOUNT_NEEDS: &str = "fstatfs(2)";

/// The mount that `fd` is on.
pub(crate) fn mount_id(fd: BorrowedFd<'_>) -> Result<u64, Errno> {
    let id = fstatfs(fd)?.filesystem_id();
    // SAFETY: fsid_t is two numbers of 32 bits, which libc does not show.
    Ok(unsafe { std::mem::transmute::<libc::fsid_t, u64>(id) })
}

/// The call by which [`may_execute`] asks, for errors.
pub(crate) const ACCESS_CALL: &str = "fstat";

/// EACCES unless this process, by its effective identity, may execute the file behind `fd`: by the mode bits and its
/// mount, which know nothing of access lists.
pub(crate) fn may_execute(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: statfs is plain numbers and text, for which zero is a value.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the struct is there to be filled; the descriptor is open.
    Errno::result(unsafe { libc::fstatfs(fd.as_raw_fd(), &raw mut found) })?;
    if found.f_flags & libc::MNT_NOEXEC as u32 != 0 { Err(Errno::EACCES) } else { access::by_mode(fd) }
}
