//! From a request to a run: on a thread made for the start by the thread that asks (whose restrictions it inherits:
//! credentials, no_new_privs, Landlock, seccomp, namespaces belong to threads), or on the calling thread itself.

use super::{Bounds, Done, Ending, Run, engine, lock, run};
use crate::failure::{Failure, Step};
use crate::process::{Patience, Request, Started, start};
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
    pub(crate) fn abort(&self) {
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
    /// Starts it on a thread of its own, now or when [`Launcher::next`] is called. `call_next` asks for that, from any
    /// thread.
    pub(crate) fn launch(self: &Arc<Self>, launch: Launch, call_next: impl Fn() + Send + 'static) {
        let mut queue = lock(&self.queue);
        if queue.under_way >= AT_ONCE {
            queue.waiting.push_back(launch);
            return;
        }
        queue.under_way += 1;
        drop(queue);
        self.begin(launch, call_next);
    }

    /// A launch that waited and whose turn it is.
    pub(crate) fn next(&self) -> Option<Launch> {
        let mut queue = lock(&self.queue);
        if queue.under_way < AT_ONCE { queue.waiting.pop_front() } else { None }
    }

    fn begin(self: &Arc<Self>, launch: Launch, call_next: impl Fn() + Send + 'static) {
        let launcher = Arc::clone(self);
        // Given to the thread by a shared place: where it cannot be made, the launch is still ours.
        let place = Arc::new(Mutex::new(Some(launch)));
        let theirs = Arc::clone(&place);
        let thread = std::thread::Builder::new().name("command-root start".into()).stack_size(STACK).spawn(move || {
            if let Some(launch) = lock(&theirs).take() {
                launch_now(launch);
            }
            if launcher.ended() {
                call_next();
            }
        });
        if let Err(error) = thread
            && let Some(Launch { bounds, done, .. }) = lock(&place).take()
        {
            self.ended();
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EAGAIN));
            done(Ending::failed(Failure::new(Step::Fork, "clone", errno), bounds.called.elapsed()));
        }
    }

    /// Whether somebody waits for the place that is free now.
    fn ended(&self) -> bool {
        let mut queue = lock(&self.queue);
        queue.under_way -= 1;
        !queue.waiting.is_empty()
    }
}

/// Starts it on this thread; the engine does the rest.
fn launch_now(Launch { request, input, bounds, interrupt, done }: Launch) {
    let patience = Patience::new(bounds.deadline, Arc::clone(&interrupt.aborted), true);
    // Without an engine nothing may start: nobody would see its end.
    let started = engine().and_then(|engine| start(&request, &patience).map(|started| (engine, started)));
    // The caller's descriptors: the child has its own by now, and end-of-file on a pipe would wait for ours.
    drop(request);
    match started {
        Ok((engine, Started { child, streams })) => {
            let run = Run::capturing(Arc::new(child), streams, input, bounds);
            interrupt.adopted(engine.adopt(run, done));
        }
        Err(failure) => done(Ending::failed(failure, bounds.called.elapsed())),
    }
}

/// Starts it and waits for its end, all on this thread (outputSync).
pub(crate) fn launch_here(request: Request, input: Vec<u8>, bounds: Bounds) -> Ending {
    let failed = |failure| Ending::failed(failure, bounds.called.elapsed());
    let poll = match Poll::new() {
        Ok(poll) => poll,
        Err(error) => {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
            return failed(Failure::new(Step::Fds, "epoll_create1", errno));
        }
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
        let _ = poll.wait(&mut keys, limit);
        for key in keys.drain(..) {
            run.ready(run::place_of(key).1, poll);
        }
        run.expire(poll);
    }
}
