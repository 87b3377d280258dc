//! Closing descriptors in a child, where there is no call that closes a range.

use std::ffi::c_int;

/// As many numbers as are tried one by one, open or not.
const LONGEST_LOOP: u64 = 1 << 16;

/// sys/proc_info.h
const PROC_PIDLISTFDS: c_int = 1;
const ROOM: usize = 1024;

/// Closes every descriptor from `first` to `last`; 0, or an errno: ENOSYS where it cannot be told which there are. To be
/// called between fork and exec: no allocation.
pub(crate) fn close_range(first: u32, last: u32, _list: Option<u32>) -> i32 {
    if close_listed(first, last) || close_each(first, last) { 0 } else { libc::ENOSYS }
}

/// Those that proc_pidinfo(3) lists, if the list is a whole one.
fn close_listed(first: u32, last: u32) -> bool {
    let mut list = [libc::proc_fdinfo { proc_fd: 0, proc_fdtype: 0 }; ROOM];
    let size = size_of_val(&list) as c_int;
    // SAFETY: it takes nothing, and cannot fail; the kernel writes at most `size` bytes into the list.
    let filled = unsafe { libc::proc_pidinfo(libc::getpid(), PROC_PIDLISTFDS, 0, list.as_mut_ptr().cast(), size) };
    if filled <= 0 || filled >= size {
        return false;
    }
    for found in list.iter().take(filled as usize / size_of::<libc::proc_fdinfo>()) {
        let fd = found.proc_fd as u32;
        if fd >= first && fd <= last {
            close(fd);
        }
    }
    true
}

/// Every number up to the hard limit. The soft one does not do: it can be lowered, and what was opened above it stays.
fn close_each(first: u32, last: u32) -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit there, which outlives the call.
    let answer = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if answer != 0 || limit.rlim_max > LONGEST_LOOP {
        return false;
    }
    for fd in first..=last.min(limit.rlim_max as u32) {
        close(fd);
    }
    true
}

fn close(fd: u32) {
    // SAFETY: a child's own descriptor, which nothing of ours uses after this. EBADF: it was not open.
    unsafe { libc::close(fd as c_int) };
}

/// No list is needed, so nothing is opened by name, before a chroot or after.
pub(crate) fn hold_list(_list: u32) {}

/// The child's table is its own from the beginning.
pub(crate) fn unshare(_first: u32) -> i32 {
    libc::ENOSYS
}
