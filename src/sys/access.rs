//! Whether a file may be executed, where the kernel cannot be asked about a descriptor.

use nix::errno::Errno;
use nix::sys::stat::fstat;
use std::ffi::c_int;
use std::os::fd::BorrowedFd;

/// EACCES unless this process, by its effective identity and the mode bits alone, may execute the file behind `fd`.
pub(crate) fn by_mode(fd: BorrowedFd<'_>) -> Result<(), Errno> {
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
