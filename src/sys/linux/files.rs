//! Files by descriptor: openat2(2), which mount and file system they are on, whether they may be executed.

use super::proc;
use crate::sys::access;
use crate::sys::fd::lift;
use crate::sys::resolve::How;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2, readlinkat};
use nix::sys::stat::Mode;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use std::ffi::{CStr, OsString};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The flag by which a file is held without being opened: nothing is run, read or waited for, and no permission on the
/// file itself is asked for.
pub(crate) const HELD: OFlag = OFlag::O_PATH;
/// The flags of descriptors that cannot be read from.
pub(crate) const NOT_READABLE: OFlag = HELD.union(OFlag::O_WRONLY);

/// openat(2), close-on-exec.
pub(crate) fn open_at(directory: BorrowedFd<'_>, name: &CStr, flags: OFlag) -> Result<OwnedFd, Errno> {
    openat(directory, name, flags | OFlag::O_CLOEXEC, Mode::empty())
}

/// What a link that is held leads to. (Its place, `_name` in `_directory`, may hold another by now.)
pub(crate) fn read_link(link: BorrowedFd<'_>, _directory: BorrowedFd<'_>, _name: &CStr) -> Result<OsString, Errno> {
    // With an empty name readlinkat reads the link that the descriptor itself holds.
    readlinkat(link, c"")
}

/// Opens once more what is held, by /proc where that is there: it is found though its name leads elsewhere by now.
pub(crate) fn reopen(held: BorrowedFd<'_>, flags: OFlag) -> Result<OwnedFd, Errno> {
    open(proc::path_of(held.as_raw_fd()).as_c_str(), flags | OFlag::O_CLOEXEC, Mode::empty()).and_then(lift)
}

/// The kernel's resolver, by its name in probe() and by its call.
pub(crate) const RESOLVER: &str = "openat2";
pub(crate) const RESOLVER_CALL: &str = "openat2";

/// Whether [`open_resolved`] can be asked for this.
pub(crate) fn resolves(_how: How) -> bool {
    true
}

/// Opens `name` from `root` by openat2(2), which follows no magic link.
pub(crate) fn open_resolved(root: BorrowedFd<'_>, name: &CStr, flags: OFlag, how: How) -> Result<OwnedFd, Errno> {
    let mut resolve = ResolveFlag::RESOLVE_NO_MAGICLINKS;
    resolve |= if how.in_root { ResolveFlag::RESOLVE_IN_ROOT } else { ResolveFlag::RESOLVE_BENEATH };
    resolve.set(ResolveFlag::RESOLVE_NO_SYMLINKS, !how.follow_links);
    resolve.set(ResolveFlag::RESOLVE_NO_XDEV, !how.cross_mounts);
    openat2(root, name, OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve))
}

/// A file system, as far as links on it are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkRules {
    /// procfs, some of whose links are magic.
    pub(crate) procfs: bool,
    /// Mounted with nosymfollow (5.10): no link on it is followed.
    pub(crate) nosymfollow: bool,
}

/// What fstatfs(2) says of the file system that `fd` is on.
pub(crate) fn link_rules(fd: BorrowedFd<'_>) -> Result<LinkRules, Errno> {
    // linux/statfs.h
    const ST_NOSYMFOLLOW: libc::c_ulong = 0x2000;
    // SAFETY: statvfs is plain numbers, for which zero is a value.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the struct is there to be filled; the descriptor is open.
    Errno::result(unsafe { libc::fstatvfs(fd.as_raw_fd(), &raw mut found) })?;
    Ok(LinkRules {
        procfs: fstatfs(fd)?.filesystem_type() == PROC_SUPER_MAGIC,
        nosymfollow: found.f_flag & ST_NOSYMFOLLOW != 0,
    })
}

/// By what a mount is known, for messages: the call, and all that it needs.
pub(crate) const MOUNT_CALL: &str = "statx";
pub(crate) const MOUNT_NEEDS: &str = "openat2(2), STATX_MNT_ID or /proc";

/// The mount that `fd` is on, by statx(2) with STATX_MNT_ID (5.8), else by /proc. Its device would not do: a bind mount
/// has the same. ENOSYS: it cannot be told.
pub(crate) fn mount_id(fd: BorrowedFd<'_>) -> Result<u64, Errno> {
    mount_id_by_statx(fd).or_else(|| mount_id_by_fdinfo(fd)).ok_or(Errno::ENOSYS)
}

fn mount_id_by_statx(fd: BorrowedFd<'_>) -> Option<u64> {
    // SAFETY: statx is plain numbers, for which zero is a value.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    let (flags, mask) = (libc::AT_EMPTY_PATH, libc::STATX_MNT_ID);
    // SAFETY: the kernel fills the struct that it is given; the descriptor is open, the name a C string.
    let result = unsafe { libc::syscall(libc::SYS_statx, fd.as_raw_fd(), c"".as_ptr(), flags, mask, &raw mut found) };
    // An emulator (qemu-user before 8) says 0 of every mount; in truth it is that of the first file system of all.
    (result == 0 && found.stx_mask & mask != 0 && found.stx_mnt_id != 0).then_some(found.stx_mnt_id)
}

fn mount_id_by_fdinfo(fd: BorrowedFd<'_>) -> Option<u64> {
    let info = fs::File::open(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).ok()?;
    // What somebody has put in the place of /proc is not believed.
    if !link_rules(info.as_fd()).ok()?.procfs {
        return None;
    }
    let text = std::io::read_to_string(info).ok()?;
    text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

/// The call by which [`may_execute`] asks, for errors.
pub(crate) const ACCESS_CALL: &str = "faccessat2";

/// EACCES unless this process, by its effective identity, may execute the file behind `fd`. By faccessat2(2) with
/// AT_EMPTY_PATH (5.8); before that by the mode bits, which know nothing of access lists and noexec mounts.
pub(crate) fn may_execute(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    // SAFETY: the descriptor is open, the name a C string.
    let answer = unsafe { libc::syscall(libc::SYS_faccessat2, fd.as_raw_fd(), c"".as_ptr(), libc::X_OK, flags) };
    match Errno::result(answer) {
        Err(Errno::ENOSYS | Errno::EPERM) => access::by_mode(fd),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn both_ways_name_the_same_mount() {
        for path in ["/", "/proc", "/dev/null", "/tmp"] {
            let file = fs::File::open(path).unwrap();
            let by_fdinfo = mount_id_by_fdinfo(file.as_fd());
            assert!(by_fdinfo.is_some(), "{path}");
            assert_eq!(mount_id(file.as_fd()).ok(), by_fdinfo, "{path}");
        }
        let mount = |path| mount_id(fs::File::open(path).unwrap().as_fd()).unwrap();
        assert_ne!(mount("/"), mount("/proc"));
    }

    #[test]
    fn both_ways_say_the_same_of_a_file_by_its_mode() {
        let path = std::env::temp_dir().join(format!("command-root-mode-{}", std::process::id()));
        fs::write(&path, "").unwrap();
        let file = fs::File::open(&path).unwrap();
        for mode in [0o644, 0o755, 0o711, 0o600, 0o100, 0o010, 0o001] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(may_execute(file.as_fd()), access::by_mode(file.as_fd()), "{mode:o}");
        }
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn links_of_procfs_are_told_from_others() {
        let procfs = |path| link_rules(fs::File::open(path).unwrap().as_fd()).unwrap().procfs;
        assert!(procfs("/proc/self/status"));
        assert!(!procfs("/"));
    }
}
