//! Files by descriptor: openat2(2), which mount and file system they are on, whether they may be executed.

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::fstat;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use std::ffi::{CStr, c_int};
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

/// EACCES unless this process, by its effective identity, may execute the file behind `fd`. By faccessat2(2) with
/// AT_EMPTY_PATH (5.8); before that by the mode bits, which know nothing of access lists and noexec mounts.
pub(crate) fn may_execute(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    // SAFETY: the descriptor is open, the name a C string.
    let answer = unsafe { libc::syscall(libc::SYS_faccessat2, fd.as_raw_fd(), c"".as_ptr(), libc::X_OK, flags) };
    match Errno::result(answer) {
        Err(Errno::ENOSYS | Errno::EPERM) => may_execute_by_mode(fd),
        other => other.map(drop),
    }
}

fn may_execute_by_mode(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let stat = fstat(fd)?;
    // SAFETY: it takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    let bits = if user == 0 {
        0o111
    } else if user == stat.st_uid {
        0o100
    } else if groups()?.contains(&stat.st_gid) {
        0o010
    } else {
        0o001
    };
    if stat.st_mode & bits != 0 { Ok(()) } else { Err(Errno::EACCES) }
}

/// The effective group and the supplementary ones.
fn groups() -> Result<Vec<libc::gid_t>, Errno> {
    const NGROUPS_MAX: usize = 65_536;
    let mut groups = vec![0; NGROUPS_MAX];
    // SAFETY: the kernel writes at most as many ids as it is told that there is room for.
    let count = Errno::result(unsafe { libc::getgroups(NGROUPS_MAX as c_int, groups.as_mut_ptr()) })?;
    groups.truncate(count as usize);
    // SAFETY: it takes nothing and cannot fail.
    groups.push(unsafe { libc::getegid() });
    Ok(groups)
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
            assert_eq!(may_execute(file.as_fd()), may_execute_by_mode(file.as_fd()), "{mode:o}");
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
