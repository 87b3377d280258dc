//! After the start: an engine sees children end, reads and writes their pipes and keeps their deadlines. The process has
//! one that turns on a thread of its own; an event loop may have one more that turns in it, for what needs no clock. They
//! start nothing, and no thread lives as long as a child. A child without a pidfd cannot be polled for: for it the next
//! look (`looks`) is a deadline like any other.

mod capture;
mod ending;
mod feed;
mod launch;
mod looks;
mod run;

use crate::failure::{Result, Step, io_failure};
use crate::sys;
use crate::sys::poll::Poll;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use ending::Ending;
pub(crate) use launch::{Interrupt, Launch, Launcher, launch_here};
pub(crate) use run::{Bounds, Run};

/// Called once, on the engine's thread or the one that aborts, with how a run ended.
pub(crate) type Done = Box<dyn FnOnce(Ending) + Send>;

#[derive(Debug)]
pub(crate) struct Engine {
    poll: Poll,
    table: Mutex<Table>,
}

#[derive(Default, Debug)]
struct Table {
    last: usize,
    jobs: HashMap<usize, Arc<Slot>>,
    deadlines: BTreeSet<(Instant, usize)>,
}

/// Empty once its run has ended.
#[derive(Debug)]
struct Slot(Mutex<Option<Job>>);

struct Job {
    run: Run,
    done: Done,
    /// The deadline that stands in the table.
    scheduled: Option<Instant>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.run.fmt(f)
    }
}

/// What is dealt with between two looks at the clock.
const AT_ONCE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

/// The engine that turns on a thread; it begins with the first call that works.
pub(crate) fn engine() -> Result<Arc<Engine>> {
    static ENGINE: Mutex<Option<Arc<Engine>>> = Mutex::new(None);
    let mut engine = lock(&ENGINE);
    if let Some(engine) = &*engine {
        return Ok(Arc::clone(engine));
    }
    let new = Engine::begin()?;
    *engine = Some(Arc::clone(&new));
    Ok(new)
}

impl Engine {
    fn begin() -> Result<Arc<Engine>> {
        let engine = Engine::idle()?;
        let theirs = Arc::clone(&engine);
        let thread = std::thread::Builder::new().name("command-root".into()).spawn(move || theirs.live());
        thread.map_err(|error| io_failure(Step::Fork, "clone", &error))?;
        Ok(engine)
    }

    /// One that does nothing until [`Engine::turn`] is called.
    pub(crate) fn idle() -> Result<Arc<Engine>> {
        let poll = Poll::new().map_err(|error| io_failure(Step::Fds, Poll::CALL, &error))?;
        Ok(Arc::new(Engine { poll, table: Mutex::default() }))
    }

    /// Takes a run over: `done` is called once, when all of it is over. The key is for [`Engine::abort`].
    pub(crate) fn adopt(&self, run: Run, done: Done) -> usize {
        let slot = Arc::new(Slot(Mutex::new(Some(Job { run, done, scheduled: None }))));
        // Held until it is registered: its first event finds it complete.
        let mut job = lock(&slot.0);
        let key = self.enter(Arc::clone(&slot));
        if let Some(job) = job.as_mut() {
            job.run.register(&self.poll, key);
            // Its time may have passed while it waited for its start: it is over then, however quick the program was.
            job.run.expire(&self.poll);
        }
        let (ended, is_next) = self.settle(key, &mut job);
        drop(job);
        self.finish(ended);
        if is_next {
            self.poll.wake();
        }
        key
    }

    /// Ends a run, if it has not ended.
    pub(crate) fn abort(&self, key: usize) {
        if self.with_run(key, Run::abort) {
            self.poll.wake();
        }
    }

    /// Lets go of a run that is not over: whoever asks has seen to what it waited for, and `done` is not called. One that
    /// was handed over meanwhile is seen to its end there.
    pub(crate) fn forget(&self, key: usize) {
        let Some(slot) = lock(&self.table).jobs.get(&key).map(Arc::clone) else { return };
        let mut job = lock(&slot.0);
        let Some(Job { mut run, scheduled, .. }) = job.take() else { return };
        run.leave(&self.poll);
        let mut table = lock(&self.table);
        table.jobs.remove(&key);
        if let Some(at) = scheduled {
            table.deadlines.remove(&(at, key));
        }
    }

    fn enter(&self, slot: Arc<Slot>) -> usize {
        let mut table = lock(&self.table);
        table.last += 1;
        let key = table.last;
        table.jobs.insert(key, slot);
        key
    }

    fn live(&self) {
        sys::signals::block_for_good();
        loop {
            let now = Instant::now();
            let limit = self.next_deadline().map(|at| at.saturating_duration_since(now));
            // EINTR cannot be, with every signal blocked; ENOMEM passes.
            let _ = self.turn(AT_ONCE, limit);
            for key in self.due(Instant::now()) {
                self.with_run(key, Run::expire);
            }
        }
    }

    /// Waits, `limit` at most, and deals with up to `count` of the events that have come.
    pub(crate) fn turn(&self, count: NonZeroUsize, limit: Option<Duration>) -> io::Result<()> {
        let mut keys = Vec::new();
        self.poll.wait(&mut keys, count, limit)?;
        for key in keys {
            let (key, place) = run::place_of(key);
            self.with_run(key, |run, poll| run.ready(place, poll));
        }
        Ok(())
    }

    /// Ends a wait of [`Engine::turn`], or the next one.
    pub(crate) fn wake(&self) {
        self.poll.wake();
    }

    /// Gives all its runs to the engine that has a thread: this one will not be turned any more, or one of them needs a
    /// clock. Without that engine they stay.
    pub(crate) fn hand_over(&self) {
        if lock(&self.table).jobs.is_empty() {
            return;
        }
        let Ok(to) = engine() else { return };
        let mut table = lock(&self.table);
        table.deadlines.clear();
        // The keys go on: one that was given out is never another run's.
        let jobs = std::mem::take(&mut table.jobs);
        drop(table);
        for slot in jobs.into_values() {
            if let Some(Job { mut run, done, .. }) = lock(&slot.0).take() {
                run.leave(&self.poll);
                to.adopt(run, done);
            }
        }
    }

    pub(crate) fn needs_a_clock(&self) -> bool {
        self.next_deadline().is_some()
    }

    /// Whether its deadline is now the next one of all.
    fn with_run(&self, key: usize, act: impl FnOnce(&mut Run, &Poll)) -> bool {
        let Some(slot) = lock(&self.table).jobs.get(&key).map(Arc::clone) else { return false };
        let mut job = lock(&slot.0);
        if let Some(job) = job.as_mut() {
            act(&mut job.run, &self.poll);
        }
        let (ended, is_next) = self.settle(key, &mut job);
        drop(job);
        self.finish(ended);
        is_next
    }

    /// After whatever was done to a run: takes it out where it is over, else keeps its deadline.
    fn settle(&self, key: usize, slot: &mut Option<Job>) -> (Option<Job>, bool) {
        let Some(job) = slot else { return (None, false) };
        let is_over = job.run.is_finished();
        let next = if is_over { None } else { job.run.next_deadline() };
        if next != job.scheduled || is_over {
            let mut table = lock(&self.table);
            if let Some(before) = job.scheduled {
                table.deadlines.remove(&(before, key));
            }
            job.scheduled = next;
            if let Some(next) = next {
                table.deadlines.insert((next, key));
                return (None, table.deadlines.first() == Some(&(next, key)));
            }
            if is_over {
                table.jobs.remove(&key);
            }
        }
        (if is_over { slot.take() } else { None }, false)
    }

    /// Outside every lock: `done` may take its own.
    fn finish(&self, job: Option<Job>) {
        let Some(Job { run, done, .. }) = job else { return };
        if let Some(rest) = run.afterlife() {
            self.adopt(rest, Box::new(drop));
        }
        done(run.into_ending());
    }

    fn next_deadline(&self) -> Option<Instant> {
        lock(&self.table).deadlines.first().map(|(at, _)| *at)
    }

    /// Those whose deadline has come; each takes itself out when it is settled.
    fn due(&self, now: Instant) -> Vec<usize> {
        let table = lock(&self.table);
        table.deadlines.range(..=(now, usize::MAX)).map(|(_, key)| *key).collect()
    }
}

/// A poisoned lock is one whose holder panicked between two consistent states: all updates under ours are single.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Readable while [`Engine::turn`] has something to do.
impl AsFd for Engine {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.as_fd()
    }
}
