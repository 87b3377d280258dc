//! From a request to a run: on a thread made for the start by the thread that asks (whose restrictions it inherits:
//! credentials, no_new_privs, Landlock, seccomp, namespaces belong to threads), or on the calling thread itself.

use super::{AT_ONCE as EVENTS, Bounds, Done, Ending, Run, engine, lock, run};
use crate::failure::{Failure, Reason, Step, io_failure};
use crate::process::{Child, Patience, Request, Started, start};
use crate::sys::clone;
use crate::sys::poll::Poll;
use nix::errno::Errno;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A run to be started.
pub(crate) struct Launch {
    pub(crate) request: Request,
    pub(crate) input: Vec<u8>,
    pub(crate) bounds: Bounds,
    pub(crate) interrupt: Arc<Interrupt>,
    pub(crate) done: Done,
}

/// Ends a run wherever it stands: before its start, in it, or after.
#[derive(Debug, Default)]
pub(crate) struct Interrupt {
    aborted: Arc<AtomicBool>,
    /// The engine's key, once it has taken the run over.
    key: Mutex<Option<usize>>,
}

impl Interrupt {
    fn abort(&self) {
        self.aborted.store(true, Ordering::Release);
        let key = *lock(&self.key);
        if let (Some(key), Ok(engine)) = (key, engine()) {
            engine.abort(key);
        }
    }

    /// Whoever comes second of this and `abort` sees the other.
    fn adopted(&self, key: usize) {
        *lock(&self.key) = Some(key);
        if self.aborted.load(Ordering::Acquire)
            && let Ok(engine) = engine()
        {
            engine.abort(key);
        }
    }
}

/// Enough to keep the processors busy; more threads would only contend for the memory's lock.
const AT_ONCE: usize = 32;
/// For a start, which is a few frames deep and reads its output nowhere.
const STACK: usize = 256 << 10;

/// The starts of one environment: so many at once, the others wait for their turn on the JavaScript thread.
#[derive(Default)]
pub(crate) struct Launcher {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    under_way: usize,
    waiting: VecDeque<Launch>,
}

impl Launcher {
    /// Starts it on a thread of its own, now or when its turn comes in [`Launcher::go_on`]. `call` asks for that, from
    /// any thread.
    pub(crate) fn launch(self: &Arc<Self>, launch: Launch, call: impl Fn() + Send + 'static) {
        let mut queue = lock(&self.queue);
        if queue.under_way >= AT_ONCE || !queue.waiting.is_empty() {
            queue.waiting.push_back(launch);
            return;
        }
        queue.under_way += 1;
        drop(queue);
        begin(launch, Turn { launcher: Arc::clone(self), call });
    }

    /// Starts those that waited and whose turn it is.
    pub(crate) fn go_on(self: &Arc<Self>, call: impl Fn() + Clone + Send + 'static) {
        while let Some((launch, turn)) = self.next(call.clone()) {
            begin(launch, turn);
        }
    }

    fn next<F: Fn()>(self: &Arc<Self>, call: F) -> Option<(Launch, Turn<F>)> {
        let mut queue = lock(&self.queue);
        if queue.under_way >= AT_ONCE {
            return None;
        }
        let launch = queue.waiting.pop_front()?;
        queue.under_way += 1;
        Some((launch, Turn { launcher: Arc::clone(self), call }))
    }

    /// Ends one that waits, or has been started.
    pub(crate) fn abort(&self, interrupt: &Arc<Interrupt>) {
        match self.take(interrupt) {
            Some(launch) => {
                launch.fail(Failure::new(Step::Fork, clone::CALL, Errno::ECANCELED).because(Reason::Aborted));
            }
            None => interrupt.abort(),
        }
    }

    /// The time of one is over: it does not wait any more. One that has been started is the engine's to end.
    pub(crate) fn expire(&self, interrupt: &Arc<Interrupt>) {
        if let Some(Launch { bounds, done, .. }) = self.take(interrupt) {
            done(Ending::late(bounds.called.elapsed()));
        }
    }

    /// Out of the queue, if it waits there.
    fn take(&self, interrupt: &Arc<Interrupt>) -> Option<Launch> {
        let mut queue = lock(&self.queue);
        let index = queue.waiting.iter().position(|launch| Arc::ptr_eq(&launch.interrupt, interrupt))?;
        queue.waiting.remove(index)
    }
}

fn begin<F: Fn() + Send + 'static>(launch: Launch, turn: Turn<F>) {
    // Given to the thread by a shared place: where it cannot be made, the launch is still ours.
    let place = Arc::new(Mutex::new(Some(launch)));
    let theirs = Arc::clone(&place);
    let thread = std::thread::Builder::new().name("command-root start".into()).stack_size(STACK).spawn(move || {
        let Some(launch) = lock(&theirs).take() else { return };
        let dies_with_us = launch.request.attributes.pdeathsig.is_some();
        let child = launch_now(launch);
        drop(turn);
        // The kernel sends that signal when this very thread ends.
        if let Some(child) = child.filter(|_| dies_with_us) {
            child.await_end();
        }
    });
    if let Err(error) = thread
        && let Some(launch) = lock(&place).take()
    {
        launch.fail(io_failure(Step::Fork, "clone", &error));
    }
}

/// One of so many at once; however it ends, the next one's turn has come.
struct Turn<F: Fn()> {
    launcher: Arc<Launcher>,
    call: F,
}

impl<F: Fn()> Drop for Turn<F> {
    fn drop(&mut self) {
        let mut queue = lock(&self.launcher.queue);
        queue.under_way -= 1;
        let somebody_waits = !queue.waiting.is_empty();
        drop(queue);
        if somebody_waits {
            (self.call)();
        }
    }
}

impl Launch {
    fn fail(self, failure: Failure) {
        (self.done)(Ending::failed(failure, self.bounds.called.elapsed()));
    }
}

/// Starts it on this thread; the engine does the rest.
fn launch_now(Launch { request, input, bounds, interrupt, done }: Launch) -> Option<Arc<Child>> {
    let patience = Patience::new(bounds.deadline, Arc::clone(&interrupt.aborted), true);
    // Without an engine nothing may start: nobody would see its end.
    let started = engine().and_then(|engine| start(&request, &patience).map(|started| (engine, started)));
    // The caller's descriptors: the child has its own by now, and end-of-file on a pipe would wait for ours.
    drop(request);
    match started {
        Ok((engine, Started { child, streams })) => {
            let child = Arc::new(child);
            let run = Run::capturing(Arc::clone(&child), streams, input, bounds);
            interrupt.adopted(engine.adopt(run, done));
            Some(child)
        }
        Err(failure) => {
            done(Ending::failed(failure, bounds.called.elapsed()));
            None
        }
    }
}

/// Starts it and waits for its end, all on this thread (outputSync).
pub(crate) fn launch_here(request: Request, input: Vec<u8>, bounds: Bounds) -> Ending {
    let failed = |failure| Ending::failed(failure, bounds.called.elapsed());
    let poll = match Poll::new() {
        Ok(poll) => poll,
        Err(error) => return failed(io_failure(Step::Fds, Poll::CALL, &error)),
    };
    let patience = Patience::new(bounds.deadline, Arc::default(), true);
    let Started { child, streams } = match start(&request, &patience) {
        Ok(started) => started,
        Err(failure) => return failed(failure),
    };
    drop(request);
    let mut run = Run::capturing(Arc::new(child), streams, input, bounds);
    turn_until_finished(&mut run, &poll);
    if let (Some(rest), Ok(engine)) = (run.afterlife(), engine()) {
        engine.adopt(rest, Box::new(drop));
    }
    run.into_ending()
}

fn turn_until_finished(run: &mut Run, poll: &Poll) {
    run.register(poll, 0);
    let mut keys = Vec::new();
    while !run.is_finished() {
        let limit = run.next_deadline().map(|at| at.saturating_duration_since(Instant::now()));
        // EINTR: a signal for which Node has a handler; it is dealt with once we are back.
        let _ = poll.wait(&mut keys, EVENTS, limit);
        for key in keys.drain(..) {
            run.ready(run::place_of(key).1, poll);
        }
        run.expire(poll);
    }
}
