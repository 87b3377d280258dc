//! Closing descriptors in a child where close_range(2) is refused: before 5.9, or by a filter, which may have come after
//! it had worked. Everything here may be called between clone and exec: system calls by instruction only, a buffer on
//! the stack, no allocation, lock, panic or libc wrapper; the table that it works on is the calling process's own.

use super::proc::OWN_DESCRIPTORS;
use super::syscall::syscall;
use std::mem::MaybeUninit;

/// As many descriptors as are closed one by one, open or not: some 3 ms.
const LONGEST_LOOP: u64 = 1 << 16;

/// Closes every descriptor from `first` to `last`; 0, or an errno: ENOSYS where it cannot be told which there are. With
/// `list`, a directory from [`hold_list`], nothing is opened by name. One that is in the range is closed with the rest.
pub(crate) fn close_range(first: u32, last: u32, list: Option<u32>) -> i32 {
    let answer = call(libc::SYS_close_range, [first as usize, last as usize, 0]) as i32;
    if answer != -libc::ENOSYS && answer != -libc::EPERM {
        return -answer;
    }
    let listed = match list {
        Some(list) => close_by(list, first, last),
        None => close_listed(first, last),
    };
    if listed || close_each(first, last) { 0 } else { libc::ENOSYS }
}

/// Opens /proc/self/fd at the number `list`, where nothing that is wanted is: while it is the kernel's, before a chroot
/// puts a jail's in its place. Where it is not to be had, that number is closed, and [`close_range`] sees it.
pub(crate) fn hold_list(list: u32) {
    let directory = open_list();
    if directory == list as isize {
        return;
    }
    let cloexec = libc::O_CLOEXEC as usize;
    if directory < 0 || call(libc::SYS_dup3, [directory as usize, list as usize, cloexec]) < 0 {
        close(list);
    }
    if directory >= 0 {
        close(directory as u32);
    }
}

fn open_list() -> isize {
    let flags = (libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) as usize;
    call(libc::SYS_openat, [libc::AT_FDCWD as usize, OWN_DESCRIPTORS.as_ptr() as usize, flags])
}

/// A table of the calling process's own: a copy of what lies below `first` in the one that it shares. 0, or an errno;
/// before 5.9 ENOSYS.
pub(crate) fn unshare(first: u32) -> i32 {
    let flags = libc::CLOSE_RANGE_UNSHARE as usize;
    -(call(libc::SYS_close_range, [first as usize, u32::MAX as usize, flags]) as i32)
}

/// Those that a held list says, from its beginning.
fn close_by(list: u32, first: u32, last: u32) -> bool {
    let rewound = call(libc::SYS_lseek, [list as usize, 0, libc::SEEK_SET as usize]) == 0;
    let done = rewound && is_procfs(list) && close_entries(list, first, last);
    if first <= list && list <= last {
        close(list);
    }
    done
}

/// Those that /proc/self/fd lists, if it is procfs.
fn close_listed(first: u32, last: u32) -> bool {
    let directory = open_list();
    if directory < 0 {
        return false;
    }
    let directory = directory as u32;
    let done = is_procfs(directory) && close_entries(directory, first, last);
    close(directory);
    done
}

#[allow(clippy::unnecessary_cast, reason = "musl and glibc give the two numbers other types")]
fn is_procfs(directory: u32) -> bool {
    let mut found = MaybeUninit::<libc::statfs>::zeroed();
    let answer = call(libc::SYS_fstatfs, [directory as usize, found.as_mut_ptr() as usize, 0]);
    // SAFETY: plain numbers, for which zero is a value where the kernel has written nothing.
    let found = unsafe { found.assume_init() };
    answer == 0 && found.f_type as i64 == libc::PROC_SUPER_MAGIC as i64
}

/// procfs lists by number and goes on after the last one, so closing does not disturb it.
fn close_entries(directory: u32, first: u32, last: u32) -> bool {
    let mut entries = Entries([0; ROOM]);
    loop {
        let size = call(libc::SYS_getdents64, [directory as usize, entries.0.as_mut_ptr() as usize, ROOM]);
        if size <= 0 {
            return size == 0;
        }
        let mut at = 0;
        while at < size as usize {
            let Some((length, number)) = entries.read(at) else { return false };
            at = at.wrapping_add(length);
            if let Some(fd) = number
                && fd >= first
                && fd <= last
                && fd != directory
            {
                close(fd);
            }
        }
    }
}

const ROOM: usize = 1024;
/// struct linux_dirent64 (getdents64(2)): d_ino and d_off before these.
const RECORD_LENGTH: usize = 16;
const NAME: usize = 19;

#[repr(C, align(8))]
struct Entries([u8; ROOM]);

impl Entries {
    /// The record's length, and the number that is its name (none: `.`, `..`).
    fn read(&self, at: usize) -> Option<(usize, Option<u32>)> {
        let low = *self.0.get(at.wrapping_add(RECORD_LENGTH))?;
        let high = *self.0.get(at.wrapping_add(RECORD_LENGTH + 1))?;
        let length = usize::from(u16::from_ne_bytes([low, high]));
        if length <= NAME {
            return None;
        }
        Some((length, self.number(at.wrapping_add(NAME))))
    }

    fn number(&self, mut at: usize) -> Option<u32> {
        let mut number = 0u32;
        loop {
            match *self.0.get(at)? {
                0 => return Some(number),
                digit @ b'0'..=b'9' => number = number.checked_mul(10)?.checked_add(u32::from(digit & 0xf))?,
                _ => return None,
            }
            at = at.wrapping_add(1);
        }
    }
}

/// Every number up to the hard limit. The soft one does not do: it can be lowered, and what was opened above it stays.
fn close_each(first: u32, last: u32) -> bool {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let resource = libc::RLIMIT_NOFILE as usize;
    // SAFETY: the kernel writes one rlimit64 there, which outlives the call.
    let answer = unsafe { syscall(libc::SYS_prlimit64, [0, resource, 0, &raw mut limit as usize, 0, 0]) };
    if answer != 0 || limit.rlim_max > LONGEST_LOOP {
        return false;
    }
    let mut fd = first;
    while fd <= last && u64::from(fd) < limit.rlim_max {
        close(fd);
        fd = fd.wrapping_add(1);
    }
    true
}

/// EBADF: it was not open. Whatever else it says, it is closed.
fn close(fd: u32) {
    call(libc::SYS_close, [fd as usize, 0, 0]);
}

/// A call of at most three arguments.
fn call(number: libc::c_long, [a, b, c]: [usize; 3]) -> isize {
    // SAFETY: the callers above give numbers, constant strings and buffers of theirs, each as long as they say.
    unsafe { syscall(number, [a, b, c, 0, 0, 0]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::{AsRawFd, IntoRawFd};

    /// A file at a number from 700 on, where no other test has any.
    fn at_least(number: i32) -> u32 {
        let file = File::open("/dev/null").unwrap();
        // SAFETY: the file is open; nobody else knows the new number.
        let fd = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number) };
        assert!(fd >= number);
        fd as u32
    }

    fn is_open(fd: u32) -> bool {
        // SAFETY: it reads the flags of a number, open or not.
        unsafe { libc::fcntl(fd as i32, libc::F_GETFD) >= 0 }
    }

    #[test]
    fn what_is_listed_in_the_range_is_closed_and_nothing_else() {
        let low = at_least(700);
        let fds: Vec<u32> = (0..150).map(|_| at_least(710)).collect();
        let high = at_least(950);
        assert!(close_listed(710, 949));
        assert_eq!(fds.iter().filter(|fd| is_open(**fd)).count(), 0);
        assert!(is_open(low) && is_open(high));
        close(low);
        close(high);
    }

    #[test]
    fn each_number_up_to_the_hard_limit_is_closed() {
        let (low, high) = (at_least(960), at_least(970));
        let done = close_each(low + 1, high);
        assert_eq!(is_open(high), !done);
        assert!(is_open(low));
        close(low);
        close(high);
    }

    #[test]
    fn a_held_list_says_the_same_each_time_and_goes_with_its_range() {
        let fds: Vec<u32> = (0..3).map(|_| at_least(980)).collect();
        let list = at_least(1000);
        hold_list(list);
        assert!(close_by(list, fds[0], fds[1]));
        assert_eq!([is_open(fds[0]), is_open(fds[1]), is_open(fds[2]), is_open(list)], [false, false, true, true]);
        assert!(close_by(list, fds[2], list));
        assert!(!is_open(fds[2]) && !is_open(list));
        assert!(!close_by(list, fds[2], list));
    }

    #[test]
    fn only_procfs_is_believed() {
        let file = File::open("/dev").unwrap().into_raw_fd() as u32;
        assert!(!is_procfs(file));
        close(file);
        let file = File::open("/proc/self/fd").unwrap().into_raw_fd() as u32;
        assert!(is_procfs(file));
        close(file);
    }
}
