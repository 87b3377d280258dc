//! Writing a program's input to its standard input.

use crate::sys::fd;
use nix::errno::Errno;
use nix::unistd::write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// As much as one pipe may take of the engine's time before the others have their turn: a quick reader would keep it.
const TURN: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Feed {
    pipe: OwnedFd,
    input: Vec<u8>,
    written: usize,
}

impl Feed {
    pub(crate) fn new(pipe: OwnedFd, input: Vec<u8>) -> Feed {
        // As in Capture.
        let _ = fd::set_nonblocking(pipe.as_fd());
        Feed { pipe, input, written: 0 }
    }

    /// Writes what the pipe takes, up to a turn's worth; false when there is nothing left to do: all is written, or nobody reads (EPIPE),
    /// which is the program's own choice and no error.
    pub(crate) fn turn(&mut self) -> bool {
        let end = self.input.len().min(self.written.saturating_add(TURN));
        loop {
            let rest = self.input.get(self.written..end).unwrap_or_default();
            if rest.is_empty() {
                return end < self.input.len();
            }
            match write(&self.pipe, rest) {
                Ok(count) => self.written += count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return true,
                Err(_) => return false,
            }
        }
    }
}

impl AsFd for Feed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
