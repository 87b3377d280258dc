//! Sealable files in memory (memfd_create(2)), and copying into one.

use nix::errno::Errno;
use nix::sys::uio::pread;
use nix::unistd::write;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// May be executed (6.3); before that every memfd may.
const MFD_EXEC: libc::c_uint = 0x10;
/// No change to the x bits either (6.3).
const F_SEAL_EXEC: libc::c_int = 0x20;
const SEALS: libc::c_int = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

/// An empty file in memory that can be sealed and executed. EACCES: vm.memfd_noexec forbids the latter.
pub(crate) fn create(name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    match create_with(name, flags | MFD_EXEC) {
        // Not known before 6.3.
        Err(Errno::EINVAL) => create_with(name, flags),
        other => other,
    }
}

fn create_with(name: &CStr, flags: libc::c_uint) -> Result<OwnedFd, Errno> {
    // SAFETY: a C string that outlives the call.
    let fd = Errno::result(unsafe { libc::memfd_create(name.as_ptr(), flags) })?;
    // SAFETY: the kernel has just made it; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Seals the file against every change, for everybody and for good. EPERM: the seals are not all there afterwards.
pub(crate) fn seal(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let sealed = match add_seals(fd, SEALS | F_SEAL_EXEC) {
        Err(Errno::EINVAL) => add_seals(fd, SEALS),
        other => other,
    };
    sealed?;
    // SAFETY: it reads flags of a descriptor that the caller holds.
    let there = Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) })?;
    if there & SEALS == SEALS { Ok(()) } else { Err(Errno::EPERM) }
}

fn add_seals(fd: BorrowedFd<'_>, seals: libc::c_int) -> Result<(), Errno> {
    // SAFETY: it sets flags of a descriptor that the caller holds.
    Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, seals) }).map(drop)
}

/// How much is copied by one call, so that a copy that is no longer wanted ends soon.
const CHUNK: usize = 8 << 20;

/// One way of copying from an offset of a file to another's end: how much, 0 at the end.
type Copy = fn(BorrowedFd<'_>, &mut libc::off_t, BorrowedFd<'_>) -> Result<usize, Errno>;

/// The kernel's own copying first; which of them two file systems are able to is told by trying.
const WAYS: [Copy; 3] = [copy_file_range, sendfile, read_and_write];

/// Copies all of `from`, whatever its position, to `to`; `go_on` is asked between chunks, and says ECANCELED by false.
pub(crate) fn copy_all(from: BorrowedFd<'_>, to: BorrowedFd<'_>, go_on: impl Fn() -> bool) -> Result<(), Errno> {
    let mut ways = WAYS.iter();
    let mut way = ways.next();
    let mut at = 0;
    while let Some(copy) = way {
        if !go_on() {
            return Err(Errno::ECANCELED);
        }
        match copy(from, &mut at, to) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            // "Not between these", as each kernel and file system says it.
            Err(Errno::EXDEV | Errno::EINVAL | Errno::ENOSYS | Errno::EPERM | Errno::EOPNOTSUPP) => way = ways.next(),
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::EINVAL)
}

fn copy_file_range(from: BorrowedFd<'_>, at: &mut libc::off_t, to: BorrowedFd<'_>) -> Result<usize, Errno> {
    let end = std::ptr::null_mut();
    // SAFETY: the offset outlives the call; nothing else of ours is written.
    let copied = unsafe { libc::copy_file_range(from.as_raw_fd(), at, to.as_raw_fd(), end, CHUNK, 0) };
    // Of files whose size is not known beforehand (procfs, some FUSE) it says 0 at once; the next way tells.
    match Errno::result(copied)? as usize {
        0 => Err(Errno::EINVAL),
        copied => Ok(copied),
    }
}

fn sendfile(from: BorrowedFd<'_>, at: &mut libc::off_t, to: BorrowedFd<'_>) -> Result<usize, Errno> {
    // SAFETY: as above.
    let copied = unsafe { libc::sendfile(to.as_raw_fd(), from.as_raw_fd(), at, CHUNK) };
    Errno::result(copied).map(|copied| copied as usize)
}

fn read_and_write(from: BorrowedFd<'_>, at: &mut libc::off_t, to: BorrowedFd<'_>) -> Result<usize, Errno> {
    let mut buffer = [0; 64 << 10];
    let read = pread(from, &mut buffer, *at)?;
    let mut rest = buffer.get(..read).unwrap_or_default();
    while !rest.is_empty() {
        let written = write(to, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    *at += read as libc::off_t;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsFd;

    fn memory(content: &[u8]) -> File {
        let mut file = File::from(create(c"test").unwrap());
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn every_way_of_copying_copies_all() {
        let content: Vec<u8> = (0..300_000).map(|number| (number % 251) as u8).collect();
        let from = memory(&content);
        for copy in WAYS {
            let mut to = memory(b"");
            let mut at = 0;
            while matches!(copy(from.as_fd(), &mut at, to.as_fd()), Ok(count) if count > 0) {}
            let mut copied = Vec::new();
            to.rewind().unwrap();
            to.read_to_end(&mut copied).unwrap();
            assert!(copied == content);
        }
    }

    #[test]
    fn what_is_sealed_cannot_be_changed() {
        let mut file = memory(b"x");
        seal(file.as_fd()).unwrap();
        assert!(file.write_all(b"y").is_err());
        assert!(file.set_len(0).is_err());
        assert!(file.set_len(9).is_err());
        assert_eq!(add_seals(file.as_fd(), libc::F_SEAL_FUTURE_WRITE), Err(Errno::EPERM));
    }

    #[test]
    fn a_copy_that_is_no_longer_wanted_ends() {
        assert_eq!(copy_all(memory(b"x").as_fd(), memory(b"").as_fd(), || false), Err(Errno::ECANCELED));
    }
}
