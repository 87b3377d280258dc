//! Waiting for many descriptors at once: `polling`, level-triggered, with the promise it asks for kept here.

use polling::{Event, Events, PollMode, Poller};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Poll(Poller);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Interest {
    Read,
    Write,
}

impl Poll {
    /// The call that [`Poll::new`] may fail at, for errors.
    pub(crate) const CALL: &str = if cfg!(target_os = "linux") { "epoll_create1" } else { "kqueue" };

    pub(crate) fn new() -> io::Result<Poll> {
        // `polling` keeps its descriptors to itself, so they cannot be lifted: low numbers are taken while it opens them.
        let _low = super::fd::hold_low()?;
        Poller::new().map(Poll)
    }

    /// Reports `key` whenever `fd` is ready. It must be given to [`Poll::delete`] before it is closed: a child in its
    /// start may hold a copy, and the kernel keeps reporting what a copy holds.
    pub(crate) fn add(&self, fd: impl AsFd, key: usize, interest: Interest) -> io::Result<()> {
        let event = match interest {
            Interest::Read => Event::readable(key),
            Interest::Write => Event::writable(key),
        };
        // SAFETY: `polling` asks that it be deleted before it is dropped, which `delete` says to our callers; on the
        // systems we run on a forgotten one costs a wrong wake-up, no memory.
        unsafe { self.0.add_with_mode(fd.as_fd().as_raw_fd(), event, PollMode::Level) }
    }

    pub(crate) fn delete(&self, fd: impl AsFd) {
        // It can only say that the descriptor is not registered, which is what was wanted.
        let _ = self.0.delete(fd.as_fd());
    }

    /// Up to `count` keys that are ready; none when `limit` has passed or [`Poll::wake`] was called.
    pub(crate) fn wait(&self, keys: &mut Vec<usize>, count: NonZeroUsize, limit: Option<Duration>) -> io::Result<()> {
        let mut events = Events::with_capacity(count);
        self.0.wait(&mut events, limit)?;
        keys.extend(events.iter().map(|event| event.key));
        Ok(())
    }

    /// Ends a wait in another thread, or the next one.
    pub(crate) fn wake(&self) {
        // It fails only where the poller's own descriptor is gone, and then nobody waits.
        let _ = self.0.notify();
    }
}

/// Readable while there is something to be told: it can be watched in its turn.
impl AsFd for Poll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
