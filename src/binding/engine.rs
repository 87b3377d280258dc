//! One environment (the main thread, each worker) and the engine: starts go in, endings come back to its JavaScript
//! thread.

use super::held::{CHILDREN, held, hold, let_go};
use super::mailbox::{Inbox, lock};
use super::request::{Request, When};
use super::values::{Ending, Failure};
use crate::engine::{self, Bounds, Interrupt, Launch, Launcher, Run, launch_here};
use crate::process::{self, Child, Patience, start};
use crate::sys::handed::hand_over;
use napi::bindgen_prelude::{FunctionRef, Uint8Array};
use napi::{Either, Env};
use napi_derive::napi;
use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

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
    wake: FunctionRef<(), ()>,
    in_loop: bool,
    /// There from the first start on that finds what it takes.
    inbox: OnceCell<Inbox>,
    keeps_alive: Cell<bool>,
    launcher: Arc<Launcher>,
    interrupts: Mutex<HashMap<u32, Arc<Interrupt>>>,
}

#[napi]
impl Engine {
    /// `wake` is called on this environment's JavaScript thread when there is something to collect, by the event loop
    /// itself where that is Node's own (`inLoop`).
    #[napi(constructor, catch_unwind)]
    pub fn new(#[napi(ts_arg_type = "() => void")] wake: FunctionRef<(), ()>, in_loop: bool) -> Engine {
        Engine {
            wake,
            in_loop,
            inbox: OnceCell::new(),
            keeps_alive: Cell::default(),
            launcher: Arc::default(),
            interrupts: Mutex::default(),
        }
    }

    /// Starts on this thread; the Ending with this id is collected later.
    #[napi(catch_unwind)]
    pub fn spawn(&self, env: Env, id: u32, request: Request) -> Either<Started, Failure> {
        let started = request.own(When::Now).and_then(|mut request| {
            // Until JavaScript has heard of its end and says `release`: as in Node, pid is the child's own until then.
            request.kept = true;
            let inbox = self.inbox(&env)?;
            let engine = inbox.engine().map_or_else(engine::engine, |engine| Ok(Arc::clone(engine)))?;
            let patience = Patience::new(None, Arc::default(), false);
            start(&request, &patience).map(|started| (inbox, engine, started))
        });
        let (inbox, engine, started) = match started {
            Ok(all) => all,
            Err(failure) => return Either::B(failure.into()),
        };
        let child = Arc::new(started.child);
        let mailbox = Arc::clone(&inbox.mailbox);
        let run = Run::watching(Arc::clone(&child), Bounds::none());
        let key = engine.adopt(run, Box::new(move |ending| mailbox.post(id, ending)));
        let watch = (Arc::downgrade(&engine), key);
        if inbox.engine().is_some() && engine.needs_a_clock() {
            engine.hand_over();
        }
        Either::A(Started { number: Some(hold(&CHILDREN, child)), watch, streams: started.streams })
    }

    /// Starts on a thread made for it. All that happens, a failure too, is told by the Ending with this id; it is
    /// returned where there is nothing to wait for.
    #[napi(catch_unwind)]
    pub fn output(&self, env: Env, id: u32, request: Request, limits: Limits) -> Option<Ending> {
        let bounds = limits.bounds();
        let request = request.own(When::Later);
        let (request, inbox) = match request.and_then(|request| Ok((request, self.inbox(&env)?))) {
            Ok(both) => both,
            Err(failure) => return Some(Ending::new(id, engine::Ending::failed(failure, bounds.called.elapsed()))),
        };
        let interrupt = Arc::new(Interrupt::default());
        lock(&self.interrupts).insert(id, Arc::clone(&interrupt));
        let mailbox = Arc::clone(&inbox.mailbox);
        let done = Box::new(move |ending| mailbox.post(id, ending));
        let launch = Launch { request, input: limits.input(), bounds, interrupt, done };
        let mailbox = Arc::clone(&inbox.mailbox);
        self.launcher.launch(launch, move || mailbox.wake());
        None
    }

    /// Starts, reads and reaps on this thread.
    #[napi(catch_unwind)]
    pub fn output_sync(&self, request: Request, limits: Limits) -> Ending {
        let bounds = limits.bounds();
        let ending = match request.own(When::Now) {
            Ok(request) => launch_here(request, limits.input(), bounds),
            Err(failure) => engine::Ending::failed(failure, bounds.called.elapsed()),
        };
        Ending::new(0, ending)
    }

    /// Ends a run of output(), started or not; its Ending says so.
    #[napi(catch_unwind)]
    pub fn abort(&self, id: u32) {
        if let Some(interrupt) = self.interrupt(id) {
            self.launcher.abort(&interrupt);
        }
    }

    /// The time of a run of output() is over: where it still waits for its turn to start, it ends by that.
    #[napi(catch_unwind)]
    pub fn expire(&self, id: u32) {
        if let Some(interrupt) = self.interrupt(id) {
            self.launcher.expire(&interrupt);
        }
    }

    /// Not to be used under the lock: what ends by it is posted at once.
    fn interrupt(&self, id: u32) -> Option<Arc<Interrupt>> {
        lock(&self.interrupts).get(&id).map(Arc::clone)
    }

    /// What has ended since the last time.
    #[napi(catch_unwind)]
    pub fn collect(&self) -> Vec<Ending> {
        let Some(inbox) = self.inbox.get() else { return Vec::new() };
        let endings = inbox.mailbox.collect();
        let mut interrupts = lock(&self.interrupts);
        for (id, _) in &endings {
            interrupts.remove(id);
        }
        drop(interrupts);
        let mailbox = Arc::clone(&inbox.mailbox);
        self.launcher.go_on(move || mailbox.wake());
        endings.into_iter().map(|(id, ending)| Ending::new(id, ending)).collect()
    }

    /// Keeps the event loop alive.
    #[napi(js_name = "ref", catch_unwind)]
    pub fn keep_alive(&self, env: Env) {
        self.set_keeps_alive(&env, true);
    }

    /// Lets the event loop end.
    #[napi(js_name = "unref", catch_unwind)]
    pub fn let_end(&self, env: Env) {
        self.set_keeps_alive(&env, false);
    }
}

impl Engine {
    fn inbox(&self, env: &Env) -> crate::failure::Result<&Inbox> {
        if let Some(inbox) = self.inbox.get() {
            return Ok(inbox);
        }
        let inbox = Inbox::open(env, &self.wake, self.in_loop, &self.launcher)?;
        inbox.set_keeps_alive(env, self.keeps_alive.get());
        Ok(self.inbox.get_or_init(|| inbox))
    }

    fn set_keeps_alive(&self, env: &Env, keeps: bool) {
        self.keeps_alive.set(keeps);
        if let Some(inbox) = self.inbox.get() {
            inbox.set_keeps_alive(env, keeps);
        }
    }
}

/// A child that spawn() has started: a number until it is released, for some runtimes finalize no object of an
/// environment that ends.
#[napi]
pub struct Started {
    number: Option<u32>,
    /// Who waits for its end, and by which key.
    watch: (Weak<engine::Engine>, usize),
    streams: Vec<Option<OwnedFd>>,
}

impl Started {
    fn child(&self) -> Option<Arc<Child>> {
        held(&CHILDREN, self.number?).ok()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.release();
    }
}

#[napi]
impl Started {
    #[napi(getter, catch_unwind)]
    pub fn pid(&self) -> i32 {
        self.child().map_or(-1, |child| child.pid())
    }

    /// -1 once released, and where children have none
    #[napi(getter, catch_unwind)]
    pub fn pidfd(&self) -> i32 {
        self.child().map_or(-1, |child| child.pidfd())
    }

    /// Our ends of its pipes, by its descriptors; -1 where there is none. Whoever takes them closes them.
    #[napi(catch_unwind)]
    pub fn take_streams(&mut self) -> Vec<i32> {
        hand_over(std::mem::take(&mut self.streams))
    }

    /// Sends a signal to the child and nobody else: 0, or a positive errno (ESRCH once it has ended).
    #[napi(catch_unwind)]
    pub fn kill(&self, signal: i32) -> i32 {
        let sent = self.child().map_or(Err(nix::errno::Errno::ESRCH), |child| child.kill(signal));
        sent.map_or_else(|errno| errno as i32, |()| 0)
    }

    /// Waits on this thread until the child has ended, and reaps it. No other Ending of it is to be waited for.
    #[napi(catch_unwind)]
    pub fn wait(&self) -> Ending {
        let (pid, exit) = match self.child() {
            Some(child) => (child.pid(), child.wait()),
            None => (-1, Err(nix::errno::Errno::ECHILD)),
        };
        let (engine, key) = &self.watch;
        if let Some(engine) = engine.upgrade() {
            engine.forget(*key);
        }
        Ending::new(0, engine::Ending::waited(pid, Some(exit)))
    }

    /// Closes the pidfd, as far as it is ours.
    #[napi(catch_unwind)]
    pub fn release(&mut self) {
        if let Some(number) = self.number.take() {
            let_go(&CHILDREN, number);
        }
    }
}

/// Our ends of the pipes of a child that did not start, the others closed, as `takeStreams` gives them. `piped`: by its
/// descriptors.
#[napi(catch_unwind)]
pub fn broken_pipes(piped: Vec<bool>) -> Either<Vec<i32>, Failure> {
    match process::broken_pipes(&piped) {
        Ok(streams) => Either::A(hand_over(streams)),
        Err(failure) => Either::B(failure.into()),
    }
}
