//! Descriptors: owned duplicates of what callers name by number, reading into a buffer's spare room.

use super::files::{HELD, open_at};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FcntlArg, OFlag, fcntl};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Our own descriptors are never 0–2: a child's standard streams go there, and a host may have one of them closed.
const LOWEST: RawFd = 3;

/// A duplicate, close-on-exec, of the descriptor that a caller gave as a number. EBADF: it is not open.
pub(crate) fn duplicate(fd: RawFd) -> Result<OwnedFd, Errno> {
    duplicate_above(fd, LOWEST)
}

/// Another duplicate of one of ours.
pub(crate) fn duplicate_of(fd: &OwnedFd) -> Result<OwnedFd, Errno> {
    duplicate(fd.as_raw_fd())
}

/// The same file by a number from `lowest` on, close-on-exec.
pub(crate) fn duplicate_above(fd: RawFd, lowest: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: F_DUPFD_CLOEXEC takes any number and refuses those that are not open.
    let copy = Errno::result(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, lowest.max(LOWEST)) })?;
    // SAFETY: the kernel has just made it; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// The descriptor of that number, which whoever names it gives up.
pub(crate) fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: lib/ names what take_streams() gave it, once; it closes nothing itself, and a runtime that leaves it open
    // does not come back to it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[cfg(target_os = "linux")]
/// dup3(2): `place`, close-on-exec, holds from here on what `fd` holds.
pub(crate) fn replace(place: BorrowedFd<'_>, fd: RawFd) -> Result<(), Errno> {
    // SAFETY: numbers; what `place` held before is closed by whoever owns it, which is the same number.
    Errno::result(unsafe { libc::dup3(fd, place.as_raw_fd(), libc::O_CLOEXEC) }).map(drop)
}

/// The same file by a number that is none of a child's standard streams.
pub(crate) fn lift(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    if fd.as_raw_fd() >= LOWEST { Ok(fd) } else { duplicate(fd.as_raw_fd()) }
}

/// Takes every number that is free below our lowest, for as long as it is held.
pub(crate) fn hold_low() -> Result<Vec<OwnedFd>, Errno> {
    let mut held = Vec::new();
    loop {
        let fd = open_at(AT_FDCWD, c"/", HELD | OFlag::O_DIRECTORY)?;
        if fd.as_raw_fd() >= LOWEST {
            return Ok(held);
        }
        held.push(fd);
    }
}

/// The name of the call by which [`pipe`] makes one, for errors.
pub(crate) const PIPE_CALL: &str = if cfg!(target_os = "macos") { "pipe" } else { "pipe2" };

/// A pipe(2), close-on-exec: its end for reading, its end for writing.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (read, write) = both_ends()?;
    Ok((lift(read)?, lift(write)?))
}

#[cfg(not(target_os = "macos"))]
fn both_ends() -> Result<(OwnedFd, OwnedFd), Errno> {
    nix::unistd::pipe2(OFlag::O_CLOEXEC)
}

/// There is no pipe2(2) there: what another thread starts in between, and not by posix_spawn(2) with
/// POSIX_SPAWN_CLOEXEC_DEFAULT as libuv and we do, inherits both ends.
#[cfg(target_os = "macos")]
fn both_ends() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (read, write) = nix::unistd::pipe()?;
    for end in [&read, &write] {
        fcntl(end, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    }
    Ok((read, write))
}

/// Marks a pipe's end as one that says EAGAIN instead of waiting.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(drop)
}

/// Removes O_NONBLOCK from the open file behind `fd`: a program given it as a standard stream expects to wait.
pub(crate) fn set_blocking(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    if flags.contains(OFlag::O_NONBLOCK) {
        fcntl(fd, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    }
    Ok(())
}

/// Reads up to `limit` bytes onto the end of `buffer`; 0 at the end of the file.
pub(crate) fn read_onto(fd: impl AsFd, buffer: &mut Vec<u8>, limit: usize) -> Result<usize, Errno> {
    buffer.try_reserve(limit).map_err(|_| Errno::ENOMEM)?;
    let spare = buffer.spare_capacity_mut();
    let room = limit.min(spare.len());
    // SAFETY: the kernel writes at most `room` bytes into the buffer's own spare capacity.
    let read = unsafe { libc::read(fd.as_fd().as_raw_fd(), spare.as_mut_ptr().cast(), room) };
    let read = Errno::result(read)? as usize;
    // SAFETY: the kernel has written `read` bytes there.
    unsafe { buffer.set_len(buffer.len() + read) };
    Ok(read)
}

/// For tests: another descriptor of the same file, at this number, inheritable and never closed.
#[cfg(test)]
pub(crate) fn leave_open_at(fd: impl AsFd, number: RawFd) -> Result<(), Errno> {
    // SAFETY: the number is one that the test alone uses.
    Errno::result(unsafe { libc::dup2(fd.as_fd().as_raw_fd(), number) }).map(drop)
}
