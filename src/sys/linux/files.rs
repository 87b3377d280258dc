//! Files by descriptor: openat2(2), which mount and file system they are on.

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Opens `name` from `root` by openat2(2).
pub(crate) fn open_resolved(
    root: BorrowedFd<'_>,
    name: &CStr,
    flags: OFlag,
    resolve: ResolveFlag,
) -> Result<OwnedFd, Errno> {
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
    (result == 0 && found.stx_mask & mask != 0).then_some(found.stx_mnt_id)
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn links_of_procfs_are_told_from_others() {
        let procfs = |path| link_rules(fs::File::open(path).unwrap().as_fd()).unwrap().procfs;
        assert!(procfs("/proc/self/status"));
        assert!(!procfs("/"));
    }
}
