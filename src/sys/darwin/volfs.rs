//! /.vol/DEVICE/INODE: a file by its number, which is nobody else's as long as it is held open.
//!
//! The kernel makes a path of it and walks that (xnu, vfs_getrealpath), so whoever renames in that moment can put another
//! file there. A program that is started so therefore stands still (POSIX_SPAWN_START_SUSPENDED) until the file that it
//! really runs has been looked at.

use nix::errno::Errno;
use nix::sys::stat::fstat;
use std::ffi::{CString, c_char, c_int, c_void};
use std::os::fd::BorrowedFd;

/// The path by which the kernel finds what is held.
pub(crate) fn path_of(held: BorrowedFd<'_>) -> Result<CString, Errno> {
    let stat = fstat(held)?;
    CString::new(format!("/.vol/{}/{}", stat.st_dev, stat.st_ino)).map_err(|_| Errno::EINVAL)
}

const PREFIX: &[u8] = b"/.vol/";

/// Whether it is a path made by [`path_of`].
///
/// # Safety
/// A C string.
pub(super) unsafe fn is_of_it(path: *const c_char) -> bool {
    // SAFETY: nothing is read beyond the first byte that differs, and the NUL does.
    (0..PREFIX.len()).all(|at| PREFIX.get(at).copied() == Some(unsafe { *path.add(at) } as u8))
}

/// Whether the program that a child runs, standing still before its first instruction, is the file that is held. EPERM:
/// it may not be looked at, as one that has another identity by now.
pub(crate) fn runs(pid: libc::pid_t, held: BorrowedFd<'_>) -> Result<bool, Errno> {
    let wanted = fstat(held)?;
    let found = first_mapped(pid)?;
    Ok((found.vst_dev, found.vst_ino) == (wanted.st_dev as u32, wanted.st_ino))
}

/// sys/proc_info.h
const PROC_PIDREGIONPATHINFO: c_int = 8;

/// As many mappings as are looked at; the program's own is the lowest.
const MAPPINGS: usize = 8;

/// sys/proc_info.h: struct proc_regioninfo, and the same with the file that is mapped.
#[repr(C)]
struct Region {
    _before: [u32; 4],
    _offset: u64,
    _between: [u32; 14],
    address: u64,
    size: u64,
}

#[repr(C)]
struct RegionOfFile {
    region: Region,
    file: libc::vnode_info_path,
}

// As the kernel counts it; with another size it would say ENOMEM.
const _: () = assert!(size_of::<Region>() == 96);

/// The file behind the lowest mapping that is a file's.
fn first_mapped(pid: libc::pid_t) -> Result<libc::vinfo_stat, Errno> {
    let mut address = 0;
    for _ in 0..MAPPINGS {
        // SAFETY: plain numbers and text, for which zero is a value.
        let mut found: RegionOfFile = unsafe { std::mem::zeroed() };
        let (buffer, size) = ((&raw mut found).cast::<c_void>(), size_of::<RegionOfFile>() as c_int);
        // SAFETY: the kernel writes at most `size` bytes into a value of that size.
        let filled = unsafe { libc::proc_pidinfo(pid, PROC_PIDREGIONPATHINFO, address, buffer, size) };
        if filled < size {
            return Err(Errno::last());
        }
        let stat = found.file.vip_vi.vi_stat;
        if stat.vst_ino != 0 {
            return Ok(stat);
        }
        address = found.region.address.saturating_add(found.region.size);
    }
    Err(Errno::ENOENT)
}
