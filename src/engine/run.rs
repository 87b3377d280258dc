//! One started program until all of it is over: its end, its pipes, its deadline. A state machine that waits for
//! nothing itself; the engine's thread turns it, or, for outputSync(), the calling one.

use super::capture::{Capture, Turn};
use super::ending::Ending;
use super::feed::Feed;
use super::looks::Looks;
use crate::process::{Child, Scope};
use crate::sys::pidfd::Exit;
use crate::sys::poll::{Interest, Poll};
use nix::errno::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What bounds a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// When the call was made.
    pub(crate) called: Instant,
    pub(crate) deadline: Option<Instant>,
    pub(crate) kill_signal: i32,
    /// From kill_signal to SIGKILL.
    pub(crate) force_kill_after: Option<Duration>,
    /// From the program's end until pipes that others hold open are closed. None: they are waited for, unless the
    /// program was ended by us.
    pub(crate) wait_delay: Option<Duration>,
    /// Bytes of each stream.
    pub(crate) max_buffer: usize,
    /// Whether what passes max_buffer is dropped; otherwise the program is ended.
    pub(crate) discard: bool,
}

impl Bounds {
    /// Of a run that only waits for its child: spawn() keeps deadlines in JavaScript, as Node does.
    pub(crate) fn none() -> Bounds {
        Bounds {
            called: Instant::now(),
            deadline: None,
            kill_signal: libc::SIGTERM,
            force_kill_after: None,
            wait_delay: None,
            max_buffer: 0,
            discard: true,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Run {
    child: Arc<Child>,
    exit: Option<Result<Exit, Errno>>,
    feed: Option<Feed>,
    outputs: [Output; 2],
    bounds: Bounds,
    /// When each is to happen; None: not, or not any more.
    expires_at: Option<Instant>,
    killed_at: Option<Instant>,
    closes_at: Option<Instant>,
    timed_out: bool,
    aborted: bool,
    overflowed: Option<usize>,
    /// Why something that was written could not be read.
    unreadable: Option<Errno>,
    truncated: bool,
    is_afterlife: bool,
    /// Where its end cannot be polled for, until it has been seen.
    looks: Option<Looks>,
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
            expires_at: bounds.deadline,
            killed_at: None,
            closes_at: None,
            bounds,
            timed_out: false,
            aborted: false,
            overflowed: None,
            unreadable: None,
            truncated: false,
            is_afterlife: false,
            looks: None,
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

    /// When [`Run::expire`] is to be called next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        [self.expires_at, self.killed_at, self.closes_at, self.looks.as_ref().map(Looks::at)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Asks `poll` to report what this run waits for. What cannot be watched (ENOMEM, ENOSPC) ends the program rather
    /// than being forgotten.
    pub(super) fn register(&mut self, poll: &Poll, key: usize) {
        if self.is_afterlife {
            return;
        }
        let mut watched = self.register_exit(poll, key);
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

    /// Asks for no more reports: another poller will be asked.
    pub(super) fn leave(&mut self, poll: &Poll) {
        if let (None, None, Some(pidfd)) = (&self.exit, &self.looks, self.child.pollable()) {
            poll.delete(pidfd);
        }
        self.looks = None;
        if let Some(feed) = &self.feed {
            poll.delete(feed);
        }
        for output in &self.outputs {
            if let Output::Open(capture) = output {
                poll.delete(capture);
            }
        }
    }

    fn register_exit(&mut self, poll: &Poll, key: usize) -> io::Result<()> {
        let added = self.child.pollable().map(|pidfd| poll.add(pidfd, Place::Exit.key(key), Interest::Read));
        match added {
            Some(Ok(())) => return Ok(()),
            // EPERM: before 5.3 a pidfd cannot be polled.
            Some(Err(error)) if error.raw_os_error() != Some(libc::EPERM) => return Err(error),
            _ => {}
        }
        self.looks = Some(Looks::begin(Instant::now()));
        Ok(())
    }

    /// It cannot be seen to end: it is made to, and reaped by somebody who waits for nothing else.
    fn end_unwatched(&mut self, poll: &Poll, errno: Errno) {
        self.kill(libc::SIGKILL);
        let child = Arc::clone(&self.child);
        // Without a thread it stays a zombie until this process ends.
        let _ = std::thread::Builder::new().spawn(move || child.wait());
        self.looks = None;
        self.exit = Some(Err(errno));
        self.close_input(poll);
        self.close_outputs(poll);
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

    /// Does what is due: a look, its time is over, it has not heeded its signal, its pipes have been waited for.
    pub(super) fn expire(&mut self, poll: &Poll) {
        let now = Instant::now();
        if self.looks.as_mut().is_some_and(|looks| looks.is_due(now)) {
            self.ready(Place::Exit, poll);
        }
        if self.expires_at.take_if(|at| *at <= now).is_some() {
            self.timed_out = true;
            self.stop(poll);
        }
        if self.killed_at.take_if(|at| *at <= now).is_some() {
            self.kill(libc::SIGKILL);
        }
        if self.closes_at.take_if(|at| *at <= now).is_some() {
            self.close_outputs(poll);
        }
    }

    /// Nobody wants it any more.
    pub(super) fn abort(&mut self, poll: &Poll) {
        self.aborted = true;
        self.stop(poll);
    }

    fn stop(&mut self, poll: &Poll) {
        self.kill(self.bounds.kill_signal);
        if self.killed_at.is_none() {
            self.killed_at = self.bounds.force_kill_after.and_then(|after| Instant::now().checked_add(after));
        }
        self.wind_up(poll);
    }

    fn kill(&self, signal: i32) {
        // ESRCH: it has ended. EPERM: it has become somebody else's; then its end is waited for.
        let _ = self.child.kill(signal);
    }

    fn see_exit(&mut self, poll: &Poll) {
        if self.exit.is_some() {
            return;
        }
        self.exit = self.child.ended().transpose();
        if self.exit.is_none() {
            return;
        }
        if let (None, Some(pidfd)) = (self.looks.take(), self.child.pollable()) {
            poll.delete(pidfd);
        }
    }

    fn read(&mut self, index: usize, poll: &Poll) {
        let Some(Output::Open(capture)) = self.outputs.get_mut(index) else { return };
        match capture.turn() {
            Turn::Open | Turn::More => {}
            Turn::Ended => self.close_output(index, poll),
            Turn::Overflow => {
                self.close_output(index, poll);
                self.overflowed.get_or_insert(index + 1);
                self.stop(poll);
            }
            Turn::Failed(errno) => {
                self.close_output(index, poll);
                self.unreadable.get_or_insert(errno);
                self.truncated = true;
                self.stop(poll);
            }
        }
    }

    /// Once the program has gone: nobody reads its input; and its pipes, which others may hold open, are waited for as
    /// long as was said.
    fn wind_up(&mut self, poll: &Poll) {
        if self.exit.is_none() {
            return;
        }
        self.close_input(poll);
        let was_ended = self.timed_out || self.aborted || self.overflowed.is_some() || self.unreadable.is_some();
        let delay = self.bounds.wait_delay.or(was_ended.then_some(Duration::ZERO));
        match delay {
            Some(Duration::ZERO) => self.close_outputs(poll),
            Some(delay) if self.closes_at.is_none() => self.closes_at = Instant::now().checked_add(delay),
            _ => {}
        }
    }

    /// With what is in them by now.
    fn close_outputs(&mut self, poll: &Poll) {
        for index in 0..self.outputs.len() {
            if let Some(Output::Open(capture)) = self.outputs.get_mut(index) {
                self.truncated |= capture.turn() == Turn::More;
            }
            self.close_output(index, poll);
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

    /// What is left to be done once it is over: a group that was told to end, and whose leader did, is still to be
    /// killed where it does not heed that.
    pub(super) fn afterlife(&self) -> Option<Run> {
        let killed_at = self.killed_at.filter(|_| self.child.scope() == Scope::Group && !self.is_afterlife)?;
        let bounds = Bounds::none();
        Some(Run { killed_at: Some(killed_at), is_afterlife: true, ..Run::watching(Arc::clone(&self.child), bounds) })
    }

    /// Its program has gone and its pipes are at their end.
    pub(super) fn is_finished(&self) -> bool {
        if self.is_afterlife {
            return self.killed_at.is_none();
        }
        self.exit.is_some() && !self.outputs.iter().any(|output| matches!(output, Output::Open(_)))
    }

    pub(super) fn into_ending(self) -> Ending {
        let mut truncated = self.truncated;
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
            unreadable: self.unreadable,
            truncated,
            duration: self.bounds.called.elapsed(),
        }
    }
}
