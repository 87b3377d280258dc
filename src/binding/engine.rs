//! One environment (the main thread, each worker) and the engine: starts go in, endings come back to its JavaScript
//! thread, one call for all that have come since.

use super::files::{Directory, Program};
use super::request::{Request, When};
use super::values::{Ending, Failure};
use crate::engine::{self, Bounds, Interrupt, Launch, Launcher, Run, launch_here};
use crate::process::{Child, Patience, start};
use crate::sys;
use napi::bindgen_prelude::Uint8Array;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Either, Env, Status};
use napi_derive::napi;
use std::collections::HashMap;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Calls into JavaScript from any thread; it does not keep the event loop alive by itself.
type Wake = ThreadsafeFunction<(), (), (), Status, false, true>;

/// What has ended, until the JavaScript thread collects it.
struct Mailbox {
    wake: Wake,
    woken: AtomicBool,
    endings: Mutex<Vec<(u32, engine::Ending)>>,
}

impl Mailbox {
    fn post(&self, id: u32, ending: engine::Ending) {
        lock(&self.endings).push((id, ending));
        self.wake();
    }

    /// Once until it is collected. An environment that has ended takes no call, and nobody misses it.
    fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    fn collect(&self) -> Vec<(u32, engine::Ending)> {
        self.woken.store(false, Ordering::Release);
        std::mem::take(&mut *lock(&self.endings))
    }
}

/// What bounds a run of output().
#[napi(object, object_to_js = false)]
pub struct Limits {
    /// copied before the call returns
    pub input: Option<Uint8Array>,
    /// bytes of each stream; Infinity: no bound
    pub max_buffer: f64,
    /// what passes maxBuffer: dropped, or else the program is ended
    pub discard: bool,
    /// ms from now until all is over; 0: no bound
    pub timeout: f64,
    pub kill_signal: i32,
    /// ms from killSignal to SIGKILL; absent: never
    pub force_kill_after: Option<f64>,
    /// ms from the program's end until pipes that others hold open are closed; absent: never, and at once where it was
    /// ended by us
    pub wait_delay: Option<f64>,
}

impl Limits {
    fn bounds(&self) -> Bounds {
        let called = Instant::now();
        Bounds {
            called,
            deadline: deadline(called, self.timeout),
            kill_signal: self.kill_signal,
            force_kill_after: self.force_kill_after.and_then(duration),
            wait_delay: self.wait_delay.and_then(duration),
            max_buffer: self.max_buffer as usize,
            discard: self.discard,
        }
    }

    fn input(&self) -> Vec<u8> {
        self.input.as_ref().map(|input| input.to_vec()).unwrap_or_default()
    }
}

/// None for 0, and for a time so far away that it cannot be told.
fn deadline(now: Instant, timeout: f64) -> Option<Instant> {
    if timeout > 0.0 { now.checked_add(duration(timeout)?) } else { None }
}

/// None for a time longer than can be told.
fn duration(milliseconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(milliseconds / 1e3).ok()
}

/// The engine as one environment sees it.
#[napi]
pub struct Engine {
    mailbox: Arc<Mailbox>,
    launcher: Arc<Launcher>,
    interrupts: Mutex<HashMap<u32, Arc<Interrupt>>>,
}

#[napi]
impl Engine {
    /// `wake` is called on this environment's JavaScript thread when there is something to collect.
    #[napi(constructor, catch_unwind)]
    pub fn new(#[napi(ts_arg_type = "() => void")] wake: Wake) -> Engine {
        let mailbox = Mailbox { wake, woken: AtomicBool::new(false), endings: Mutex::default() };
        Engine { mailbox: Arc::new(mailbox), launcher: Arc::default(), interrupts: Mutex::default() }
    }

    /// Starts on this thread; the Ending with this id is collected later.
    #[napi(catch_unwind)]
    pub fn spawn(
        &self,
        id: u32,
        request: Request,
        root: Option<&Directory>,
        program: Option<&Program>,
        cwd_root: Option<&Directory>,
    ) -> Either<Started, Failure> {
        let started = request.own(When::Now, root, program, cwd_root).and_then(|mut request| {
            // Until JavaScript has heard of its end and says `release`: as in Node, pid is the child's own until then.
            request.kept = true;
            let engine = engine::engine()?;
            let patience = Patience::new(None, Arc::default(), false);
            start(&request, &patience).map(|started| (engine, started))
        });
        let (engine, started) = match started {
            Ok(both) => both,
            Err(failure) => return Either::B(failure.into()),
        };
        let child = Arc::new(started.child);
        let bounds = Bounds::none();
        let mailbox = Arc::clone(&self.mailbox);
        engine.adopt(Run::watching(Arc::clone(&child), bounds), Box::new(move |ending| mailbox.post(id, ending)));
        Either::A(Started { child: Some(child), streams: started.streams })
    }

    /// Starts on a thread made for it. All that happens, a failure too, is told by the Ending with this id.
    #[napi(catch_unwind)]
    pub fn output(
        &self,
        id: u32,
        request: Request,
        limits: Limits,
        root: Option<&Directory>,
        program: Option<&Program>,
        cwd_root: Option<&Directory>,
    ) {
        let bounds = limits.bounds();
        let request = match request.own(When::Later, root, program, cwd_root) {
            Ok(request) => request,
            Err(failure) => return self.mailbox.post(id, engine::Ending::failed(failure, Duration::ZERO)),
        };
        let interrupt = Arc::new(Interrupt::default());
        lock(&self.interrupts).insert(id, Arc::clone(&interrupt));
        let mailbox = Arc::clone(&self.mailbox);
        let done = Box::new(move |ending| mailbox.post(id, ending));
        let launch = Launch { request, input: limits.input(), bounds, interrupt, done };
        let mailbox = Arc::clone(&self.mailbox);
        self.launcher.launch(launch, move || mailbox.wake());
    }

    /// Starts, reads and reaps on this thread.
    #[napi(catch_unwind)]
    pub fn output_sync(
        &self,
        request: Request,
        limits: Limits,
        root: Option<&Directory>,
        program: Option<&Program>,
        cwd_root: Option<&Directory>,
    ) -> Ending {
        let bounds = limits.bounds();
        let ending = match request.own(When::Now, root, program, cwd_root) {
            Ok(request) => launch_here(request, limits.input(), bounds),
            Err(failure) => engine::Ending::failed(failure, bounds.called.elapsed()),
        };
        Ending::new(0, ending)
    }

    /// Ends a run of output(), started or not; its Ending says so.
    #[napi(catch_unwind)]
    pub fn abort(&self, id: u32) {
        // Not under the lock: what ends by this is posted at once.
        let interrupt = lock(&self.interrupts).get(&id).map(Arc::clone);
        if let Some(interrupt) = interrupt {
            self.launcher.abort(&interrupt);
        }
    }

    /// What has ended since the last time.
    #[napi(catch_unwind)]
    pub fn collect(&self) -> Vec<Ending> {
        let endings = self.mailbox.collect();
        let mut interrupts = lock(&self.interrupts);
        for (id, _) in &endings {
            interrupts.remove(id);
        }
        drop(interrupts);
        let mailbox = Arc::clone(&self.mailbox);
        self.launcher.go_on(move || mailbox.wake());
        endings.into_iter().map(|(id, ending)| Ending::new(id, ending)).collect()
    }

    /// Keeps the event loop alive.
    #[napi(js_name = "ref", catch_unwind)]
    pub fn keep_alive(&self, env: Env) {
        sys::node::set_keeps_alive(&env, self.mailbox.wake.raw(), true);
    }

    /// Lets the event loop end.
    #[napi(js_name = "unref", catch_unwind)]
    pub fn let_end(&self, env: Env) {
        sys::node::set_keeps_alive(&env, self.mailbox.wake.raw(), false);
    }
}

/// A child that spawn() has started.
#[napi]
pub struct Started {
    child: Option<Arc<Child>>,
    streams: Vec<Option<OwnedFd>>,
}

#[napi]
impl Started {
    #[napi(getter, catch_unwind)]
    pub fn pid(&self) -> i32 {
        self.child.as_ref().map_or(-1, |child| child.pid())
    }

    /// -1 once released, and where children have none
    #[napi(getter, catch_unwind)]
    pub fn pidfd(&self) -> i32 {
        self.child.as_ref().map_or(-1, |child| child.pidfd())
    }

    /// Our ends of its pipes, by its descriptors; -1 where there is none. Whoever takes them closes them.
    #[napi(catch_unwind)]
    pub fn take_streams(&mut self) -> Vec<i32> {
        let streams = std::mem::take(&mut self.streams);
        streams.into_iter().map(|stream| stream.map_or(-1, IntoRawFd::into_raw_fd)).collect()
    }

    /// Sends a signal to the child and nobody else: 0, or a positive errno (ESRCH once it has ended).
    #[napi(catch_unwind)]
    pub fn kill(&self, signal: i32) -> i32 {
        let sent = self.child.as_ref().map_or(Err(nix::errno::Errno::ESRCH), |child| child.kill(signal));
        sent.map_or_else(|errno| errno as i32, |()| 0)
    }

    /// Closes the pidfd, as far as it is ours.
    #[napi(catch_unwind)]
    pub fn release(&mut self) {
        self.child = None;
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
