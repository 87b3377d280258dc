//! One started program until all of it is over: its end, its pipes, its deadline. A state machine that waits for
//! nothing itself; the engine's thread turns it, or, for outputSync(), the calling one.

use super::capture::{Capture, Turn};
use super::ending::Ending;
use super::feed::Feed;
use crate::process::Child;
use crate::sys::pidfd::Exit;
use crate::sys::poll::{Interest, Poll};
use nix::errno::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

/// What bounds a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// When the call was made.
    pub(crate) called: Instant,
    pub(crate) deadline: Option<Instant>,
    pub(crate) kill_signal: i32,
    /// Bytes of each stream.
    pub(crate) max_buffer: usize,
    /// Whether what passes max_buffer is dropped; otherwise the program is ended.
    pub(crate) discard: bool,
}

impl Bounds {
    /// Of a run that only waits for its child: spawn() keeps deadlines in JavaScript, as Node does.
    pub(crate) fn none() -> Bounds {
        Bounds { called: Instant::now(), deadline: None, kill_signal: libc::SIGTERM, max_buffer: 0, discard: true }
    }
}

#[derive(Debug)]
pub(crate) struct Run {
    child: Arc<Child>,
    exit: Option<Result<Exit, Errno>>,
    feed: Option<Feed>,
    outputs: [Output; 2],
    bounds: Bounds,
    timed_out: bool,
    aborted: bool,
    overflowed: Option<usize>,
}

/// One of the child's output streams.
#[derive(Debug)]
enum Output {
    NotPiped,
    Open(Capture),
    Closed(Vec<u8>, bool),
}

/// What a poller's key is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Exit,
    Input,
    Output(usize),
}

const PLACES: usize = 4;

impl Place {
    fn key(self, run: usize) -> usize {
        run * PLACES
            + match self {
                Place::Exit => 0,
                Place::Input => 1,
                Place::Output(index) => 2 + index,
            }
    }
}

/// Which run, and what of it.
pub(super) fn place_of(key: usize) -> (usize, Place) {
    let place = match key % PLACES {
        0 => Place::Exit,
        1 => Place::Input,
        index => Place::Output(index - 2),
    };
    (key / PLACES, place)
}

impl Run {
    /// A run that only waits for the child's end.
    pub(crate) fn watching(child: Arc<Child>, bounds: Bounds) -> Run {
        Run {
            child,
            exit: None,
            feed: None,
            outputs: [Output::NotPiped, Output::NotPiped],
            bounds,
            timed_out: false,
            aborted: false,
            overflowed: None,
        }
    }

    /// A run that also writes `input` to the child and reads what it prints, through our ends of its pipes.
    pub(crate) fn capturing(child: Arc<Child>, streams: Vec<Option<OwnedFd>>, input: Vec<u8>, bounds: Bounds) -> Run {
        let mut streams = streams.into_iter();
        let feed = streams.next().flatten().map(|pipe| Feed::new(pipe, input));
        let mut output = || match streams.next().flatten() {
            Some(pipe) => Output::Open(Capture::new(pipe, bounds.max_buffer, bounds.discard)),
            None => Output::NotPiped,
        };
        let outputs = [output(), output()];
        Run { feed, outputs, ..Run::watching(child, bounds) }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.bounds.deadline
    }

    /// Asks `poll` to report what this run waits for. What cannot be watched (ENOMEM, ENOSPC) ends the program rather
    /// than being forgotten.
    pub(super) fn register(&mut self, poll: &Poll, key: usize) {
        let mut watched = poll.add(self.child.as_fd(), Place::Exit.key(key), Interest::Read);
        if let Some(feed) = &mut self.feed {
            if feed.turn() {
                watched = watched.and_then(|()| poll.add(&*feed, Place::Input.key(key), Interest::Write));
            } else {
                self.feed = None;
            }
        }
        for (index, output) in self.outputs.iter().enumerate() {
            if let Output::Open(capture) = output {
                watched = watched.and_then(|()| poll.add(capture, Place::Output(index).key(key), Interest::Read));
            }
        }
        if let Err(error) = watched {
            self.end_unwatched(poll, Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)));
        }
    }

    fn end_unwatched(&mut self, poll: &Poll, errno: Errno) {
        // ESRCH: it has ended by itself.
        let _ = self.child.kill(libc::SIGKILL);
        let _ = crate::sys::pidfd::reap_now(self.child.as_fd());
        self.exit = Some(Err(errno));
        self.aborted = true;
        self.wind_up(poll);
    }

    pub(super) fn ready(&mut self, place: Place, poll: &Poll) {
        match place {
            Place::Exit => self.see_exit(poll),
            Place::Input => {
                if self.feed.as_mut().is_some_and(|feed| !feed.turn()) {
                    self.close_input(poll);
                }
            }
            Place::Output(index) => self.read(index, poll),
        }
        self.wind_up(poll);
    }

    /// The deadline has come.
    pub(super) fn expire(&mut self, poll: &Poll) {
        self.timed_out = true;
        self.stop(poll);
    }

    /// Nobody wants it any more.
    pub(super) fn abort(&mut self, poll: &Poll) {
        self.aborted = true;
        self.stop(poll);
    }

    fn stop(&mut self, poll: &Poll) {
        if self.exit.is_none() {
            // ESRCH: it has just ended. EPERM: it has become somebody else's; then its end is waited for.
            let _ = self.child.kill(self.bounds.kill_signal);
        }
        self.wind_up(poll);
    }

    fn see_exit(&mut self, poll: &Poll) {
        if self.exit.is_some() {
            return;
        }
        self.exit = self.child.reap().transpose();
        if self.exit.is_some() {
            poll.delete(self.child.as_fd());
        }
    }

    fn read(&mut self, index: usize, poll: &Poll) {
        let Some(Output::Open(capture)) = self.outputs.get_mut(index) else { return };
        match capture.turn() {
            Turn::Open => {}
            Turn::Ended => self.close_output(index, poll),
            Turn::Overflow => {
                self.close_output(index, poll);
                self.overflowed.get_or_insert(index + 1);
                self.stop(poll);
            }
        }
    }

    /// Once the program has gone: nobody reads its input, and, where it was ended, its pipes are closed with what is
    /// in them, though others may hold them open.
    fn wind_up(&mut self, poll: &Poll) {
        if self.exit.is_none() {
            return;
        }
        self.close_input(poll);
        if self.timed_out || self.aborted || self.overflowed.is_some() {
            for index in 0..self.outputs.len() {
                if let Some(Output::Open(capture)) = self.outputs.get_mut(index) {
                    capture.turn();
                }
                self.close_output(index, poll);
            }
        }
    }

    fn close_input(&mut self, poll: &Poll) {
        if let Some(feed) = self.feed.take() {
            poll.delete(&feed);
        }
    }

    fn close_output(&mut self, index: usize, poll: &Poll) {
        let Some(output) = self.outputs.get_mut(index) else { return };
        *output = match std::mem::replace(output, Output::NotPiped) {
            Output::Open(capture) => {
                poll.delete(&capture);
                let (bytes, dropped) = capture.into_bytes();
                Output::Closed(bytes, dropped)
            }
            other => other,
        };
    }

    /// Its program has gone and its pipes are at their end.
    pub(super) fn is_finished(&self) -> bool {
        self.exit.is_some() && !self.outputs.iter().any(|output| matches!(output, Output::Open(_)))
    }

    pub(super) fn into_ending(self) -> Ending {
        let mut truncated = false;
        let [stdout, stderr] = self.outputs.map(|output| match output {
            Output::Closed(bytes, dropped) => {
                truncated |= dropped;
                Some(bytes)
            }
            _ => None,
        });
        Ending {
            failure: None,
            pid: self.child.pid(),
            exit: self.exit,
            stdout,
            stderr,
            timed_out: self.timed_out,
            aborted: self.aborted,
            overflowed: self.overflowed,
            truncated,
            duration: self.bounds.called.elapsed(),
        }
    }
}
