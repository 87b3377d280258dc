//! Files by descriptor: O_PATH, O_RESOLVE_BENEATH and O_EMPTY_PATH (13.1), which mount they are on, whether they may be
//! executed.

use crate::sys::access;
use crate::sys::fd::lift;
use crate::sys::resolve::How;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::Mode;
use nix::sys::statfs::fstatfs;
use std::ffi::{CStr, OsString};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

/// The flag by which a file is held without being opened: nothing is run, read or waited for, and no permission on the
/// file itself is asked for.
pub(crate) const HELD: OFlag = OFlag::O_PATH;
/// The flags of descriptors that cannot be read from.
pub(crate) const NOT_READABLE: OFlag = HELD.union(OFlag::O_EXEC).union(OFlag::O_WRONLY);

/// openat(2), close-on-exec. ELOOP: a link that is not to be followed.
pub(crate) fn open_at(directory: BorrowedFd<'_>, name: &CStr, flags: OFlag) -> Result<OwnedFd, Errno> {
    openat(directory, name, flags | OFlag::O_CLOEXEC, Mode::empty()).map_err(|errno| match errno {
        Errno::EMLINK => Errno::ELOOP,
        other => other,
    })
}

/// What a link that is held leads to. (Its place, `_name` in `_directory`, may hold another by now.)
pub(crate) fn read_link(link: BorrowedFd<'_>, _directory: BorrowedFd<'_>, _name: &CStr) -> Result<OsString, Errno> {
    // With an empty name readlinkat reads the link that the descriptor itself holds.
    readlinkat(link, c"")
}

/// Opens once more what is held, though its name leads elsewhere by now.
pub(crate) fn reopen(held: BorrowedFd<'_>, flags: OFlag) -> Result<OwnedFd, Errno> {
    let empty = OFlag::from_bits_retain(libc::O_EMPTY_PATH);
    openat(held, c"", flags | empty | OFlag::O_CLOEXEC, Mode::empty()).and_then(lift)
}

/// The kernel's resolver, by its name in probe() and by its call.
pub(crate) const RESOLVER: &str = "o-resolve-beneath";
pub(crate) const RESOLVER_CALL: &str = "openat";

/// Whether [`open_resolved`] can be asked for this: for names beneath their root, without further rules.
pub(crate) fn resolves(how: How) -> bool {
    how == (How { in_root: false, follow_links: true, cross_mounts: true })
}

/// Opens `name` from `root` with O_RESOLVE_BENEATH, by which EXDEV is said of what leads out. ENOSYS: it is not known.
pub(crate) fn open_resolved(root: BorrowedFd<'_>, name: &CStr, flags: OFlag, _how: How) -> Result<OwnedFd, Errno> {
    if !knows_beneath() {
        return Err(Errno::ENOSYS);
    }
    open_at(root, name, flags | OFlag::from_bits_retain(libc::O_RESOLVE_BENEATH)).map_err(|errno| match errno {
        Errno::ENOTCAPABLE => Errno::EXDEV,
        other => other,
    })
}

/// openat(2) ignores flags that it does not know; fstatat(2) does not, and its flag came with the other.
fn knows_beneath() -> bool {
    static KNOWS: OnceLock<bool> = OnceLock::new();
    *KNOWS.get_or_init(|| {
        let Ok(directory) = open_at(nix::fcntl::AT_FDCWD, c"/dev", HELD | OFlag::O_DIRECTORY) else { return false };
        // SAFETY: stat is plain numbers, for which zero is a value.
        let mut found: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open, the name a C string; the struct is there to be filled.
        let answer =
            unsafe { libc::fstatat(directory.as_raw_fd(), c"..".as_ptr(), &raw mut found, libc::AT_RESOLVE_BENEATH) };
        Errno::result(answer) == Err(Errno::ENOTCAPABLE)
    })
}

/// A file system, as far as links on it are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkRules {
    /// One some of whose links are magic; the links of this system's procfs are words.
    pub(crate) procfs: bool,
    /// Mounted with nosymfollow: no link on it is followed.
    pub(crate) nosymfollow: bool,
}

/// What fstatfs(2) says of the file system that `fd` is on.
pub(crate) fn link_rules(fd: BorrowedFd<'_>) -> Result<LinkRules, Errno> {
    Ok(LinkRules { procfs: false, nosymfollow: statfs(fd)?.f_flags & libc::MNT_NOSYMFOLLOW as u64 != 0 })
}

/// By what a mount is known, for messages: the call, and all that it needs.
pub(crate) const MOUNT_CALL: &str = "fstatfs";
pub(crate) const MOUNT_NEEDS: &str = "fstatfs(2)";

/// The mount that `fd` is on. Its device would not do: a nullfs mount has that of what it shows.
pub(crate) fn mount_id(fd: BorrowedFd<'_>) -> Result<u64, Errno> {
    let id = fstatfs(fd)?.filesystem_id();
    // SAFETY: fsid_t is two numbers of 32 bits, which libc does not show.
    Ok(unsafe { std::mem::transmute::<libc::fsid_t, u64>(id) })
}

fn statfs(fd: BorrowedFd<'_>) -> Result<libc::statfs, Errno> {
    // SAFETY: statfs is plain numbers and text, for which zero is a value.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the struct is there to be filled; the descriptor is open.
    Errno::result(unsafe { libc::fstatfs(fd.as_raw_fd(), &raw mut found) })?;
    Ok(found)
}

/// The call by which [`may_execute`] asks, for errors.
pub(crate) const ACCESS_CALL: &str = "faccessat";

/// EACCES unless this process, by its effective identity, may execute the file behind `fd`. By faccessat(2) with
/// AT_EMPTY_PATH; before 13.1 by the mode bits, which know nothing of access lists and noexec mounts.
pub(crate) fn may_execute(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    // SAFETY: the descriptor is open, the name a C string.
    let answer = unsafe { libc::faccessat(fd.as_raw_fd(), c"".as_ptr(), libc::X_OK, flags) };
    match Errno::result(answer) {
        Err(Errno::EINVAL) => access::by_mode(fd),
        other => other.map(drop),
    }
}
