//! The watched wait: until a child runs its program or has told why not, in slices, so that one who is stopped, frozen
//! or throttled in the middle of its start does not hold us for good (with CLONE_VFORK it would).

use super::act::Act;
use super::child::{Body, Progress, Report};
use super::reap::Child;
use super::request::Patience;
use crate::failure::{Failure, Reason, Result, Step};
use crate::sys::pidfd::Status;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long it sleeps before it looks whether the child stands still.
const SLICE: Duration = Duration::from_millis(100);
/// How long a killed child may take to let go before it is given up (state D).
const LAST_WAIT: Duration = Duration::from_secs(1);

pub(super) struct Watch<'a> {
    pub(super) body: &'a Body,
    pub(super) child: &'a Child,
    pub(super) patience: &'a Patience,
    pub(super) until: Instant,
}

impl Watch<'_> {
    /// The child lives in our memory: the kernel says when it has let go.
    pub(super) fn memory(&self) -> Result<()> {
        let mut killed: Option<Instant> = None;
        while self.body.is_alive() {
            self.body.wait(self.slice());
            if !self.body.is_alive() {
                break;
            }
            if let Some(since) = killed {
                if since.elapsed() > LAST_WAIT {
                    return Err(self.give_up(self.body.progress()));
                }
            } else if self.look_after() {
                killed = Some(Instant::now());
            }
        }
        self.judge(self.body.progress(), killed.is_some())
    }

    /// The child has a copy of our memory: it tells through the pipe, which exec or death closes.
    pub(super) fn pipe(&self, pipe: OwnedFd) -> Result<()> {
        let mut progress = Progress { at: 0, errno: 0 };
        let mut killed: Option<Instant> = None;
        loop {
            let slice = PollTimeout::try_from(self.slice()).unwrap_or(PollTimeout::ZERO);
            let ready = poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], slice);
            if ready.is_ok_and(|count| count > 0) {
                match read_report(&pipe) {
                    Some(report) => progress = report,
                    None => return self.judge(progress, killed.is_some()),
                }
            } else if let Some(since) = killed {
                if since.elapsed() > LAST_WAIT {
                    return Err(self.give_up(progress));
                }
            } else if self.look_after() {
                killed = Some(Instant::now());
            }
        }
    }

    fn slice(&self) -> Duration {
        let left = self.until.saturating_duration_since(Instant::now());
        left.clamp(Duration::from_millis(1), SLICE)
    }

    /// Wakes a child that was stopped; kills one for which there is no patience left, and says so.
    fn look_after(&self) -> bool {
        // ESRCH: it is ending by itself, which the wait is about to see.
        if self.patience.is_aborted() || Instant::now() >= self.until {
            let _ = self.child.kill_process(libc::SIGKILL);
            return true;
        }
        if self.child.is_stopped() {
            let _ = self.child.kill_process(libc::SIGCONT);
        }
        false
    }

    /// What the child's last word means. All that did not start is reaped here.
    fn judge(&self, Progress { at, errno }: Progress, killed: bool) -> Result<()> {
        let act = self.body.act(at);
        if errno == 0 && act.is_none() && !killed {
            return Ok(());
        }
        // ECHILD: somebody else's waitpid(-1) was first; it is gone all the same.
        let status = self.child.wait().ok().map(|exit| exit.status);
        let (step, syscall) = self.body.place(at);
        if killed {
            return Err(self.out_of_patience(step, syscall));
        }
        if errno != 0 {
            let failure = Failure::new(step, syscall, Errno::from_raw(errno));
            let feature = act.and_then(Act::feature).filter(|_| failure.errno == Errno::ENOSYS);
            return Err(match feature {
                Some(feature) => failure.because(Reason::Unavailable).detail(feature),
                None => failure,
            });
        }
        let by = match status {
            Some(Status::Signal(signal)) => Signal::try_from(signal).map_or("a signal", Signal::as_str),
            _ => "something that cannot be told",
        };
        Err(Failure::new(step, syscall, Errno::EINTR).detail(format!("ended in the middle of its start by {by}")))
    }

    fn out_of_patience(&self, step: Step, syscall: &'static str) -> Failure {
        if self.patience.is_aborted() {
            return Failure::new(step, syscall, Errno::ECANCELED).because(Reason::Aborted);
        }
        Failure::new(step, syscall, Errno::ETIMEDOUT).detail("stopped or frozen in the middle of its start")
    }

    /// A child that not even SIGKILL wakes: its body stays its own for good, and whenever it dies it is reaped.
    fn give_up(&self, progress: Progress) -> Failure {
        self.child.reap_later();
        let (step, syscall) = self.body.place(progress.at);
        self.out_of_patience(step, syscall)
    }
}

/// None at the pipe's end.
fn read_report(pipe: &OwnedFd) -> Option<Progress> {
    let mut bytes = [0; size_of::<Report>()];
    loop {
        match read(pipe, &mut bytes) {
            Ok(count) if count == bytes.len() => break,
            Err(Errno::EINTR) => {}
            _ => return None,
        }
    }
    let [a, b, c, d, e, f, g, h] = bytes;
    let (at, errno) = (i32::from_ne_bytes([a, b, c, d]), i32::from_ne_bytes([e, f, g, h]));
    Some(Progress { at: at as usize, errno })
}
