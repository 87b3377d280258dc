//! Reading one output pipe into one buffer, up to a bound.

use crate::sys::fd;
use nix::errno::Errno;
use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

#[derive(Debug)]
pub(crate) struct Capture {
    pipe: OwnedFd,
    bytes: Vec<u8>,
    limit: usize,
    /// Whether what passes the limit is dropped; otherwise it is an overflow.
    discard: bool,
    dropped: bool,
}

/// How a pipe stands after a turn of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// All that was there has been read.
    Open,
    /// There may be more: others have their turn first.
    More,
    Ended,
    /// More was written than the limit allows.
    Overflow,
    /// It cannot be read on (ENOMEM): what comes is lost.
    Failed(Errno),
}

/// The first reads go through a buffer of the thread's own, of this size: most programs print less, and one buffer
/// that fits is then all that is allocated for them.
const SCRATCH_SIZE: usize = 64 << 10;
thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}
/// As much as one pipe may take of the engine's time before the others have their turn.
const TURN: usize = 1 << 20;

impl Capture {
    /// Reads `pipe`, which is made non-blocking.
    pub(crate) fn new(pipe: OwnedFd, limit: usize, discard: bool) -> Capture {
        // It cannot fail for an open pipe, and if it did the reads would only wait.
        let _ = fd::set_nonblocking(pipe.as_fd());
        Capture { pipe, bytes: Vec::new(), limit, discard, dropped: false }
    }

    /// Reads what is there, up to a turn's worth.
    pub(crate) fn turn(&mut self) -> Turn {
        let mut left = TURN;
        while left > 0 {
            match self.read_once() {
                Ok(0) => return Turn::Ended,
                Ok(_) if self.dropped && !self.discard => return Turn::Overflow,
                Ok(count) => left = left.saturating_sub(count),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Turn::Open,
                Err(errno) => return Turn::Failed(errno),
            }
        }
        Turn::More
    }

    /// One read: into the buffer itself once that has grown, else by way of the thread's scratch.
    fn read_once(&mut self) -> Result<usize, Errno> {
        let room = self.limit.saturating_sub(self.bytes.len());
        if self.bytes.len() >= SCRATCH_SIZE && room > 0 {
            // Doubling, so that growing stays cheap; beyond 128 KiB the allocator moves pages, not bytes.
            let chunk = self.bytes.len().clamp(SCRATCH_SIZE, TURN).min(room);
            return fd::read_onto(&self.pipe, &mut self.bytes, chunk);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            let count = fd::read_onto(&self.pipe, scratch, SCRATCH_SIZE)?;
            let kept = count.min(room);
            self.bytes.extend_from_slice(scratch.get(..kept).unwrap_or_default());
            self.dropped |= kept < count;
            Ok(count)
        })
    }

    /// What was read, and whether more was written.
    pub(crate) fn into_bytes(self) -> (Vec<u8>, bool) {
        (self.bytes, self.dropped)
    }
}

impl AsFd for Capture {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
