//! The way back into JavaScript: what has ended waits here until its environment's event loop takes it, one ending after
//! the other. Where that loop is Node's own, an engine turns in it that watches the children of spawn(), and other
//! threads wake it through that; elsewhere a threadsafe function is called once for all that has ended since.

use crate::engine::{self, Launcher};
use crate::failure::{Failure, Result, Step};
use crate::sys;
use crate::sys::uv::{self, Watched};
use napi::bindgen_prelude::FunctionRef;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status};
use nix::errno::Errno;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Calls into JavaScript from any thread; it does not keep the event loop alive by itself.
type Call = ThreadsafeFunction<(), (), (), Status, false, true>;

enum Wake {
    Loop(Arc<engine::Engine>),
    Thread(Call),
}

/// How many endings, and how many events, one turn of the loop deals with: others that wait for it have their turn too.
const A_TURN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);

pub(super) struct Mailbox {
    wake: Wake,
    woken: AtomicBool,
    endings: Mutex<Vec<(u32, engine::Ending)>>,
}

impl Mailbox {
    fn woken_by(wake: Wake) -> Arc<Mailbox> {
        Arc::new(Mailbox { wake, woken: AtomicBool::new(false), endings: Mutex::default() })
    }

    pub(super) fn post(&self, id: u32, ending: engine::Ending) {
        lock(&self.endings).push((id, ending));
        self.wake();
    }

    /// Once until it is looked into. An environment that has ended takes no call, and nobody misses it.
    pub(super) fn wake(&self) {
        if self.woken.swap(true, Ordering::AcqRel) {
            return;
        }
        match &self.wake {
            Wake::Loop(engine) => engine.wake(),
            Wake::Thread(call) => drop(call.call((), ThreadsafeFunctionCallMode::NonBlocking)),
        }
    }

    /// From a threadsafe function all that has come, for it costs a turn of the loop; in the loop one by one.
    pub(super) fn collect(&self) -> Vec<(u32, engine::Ending)> {
        self.woken.store(false, Ordering::Release);
        let mut endings = lock(&self.endings);
        match &self.wake {
            Wake::Loop(_) if endings.len() > 1 => vec![endings.remove(0)],
            _ => std::mem::take(&mut *endings),
        }
    }

    fn is_empty(&self) -> bool {
        lock(&self.endings).is_empty()
    }
}

/// A mailbox as its environment holds it.
pub(super) struct Inbox {
    pub(super) mailbox: Arc<Mailbox>,
    watched: Option<Watched>,
}

impl Inbox {
    /// `wake` is called on this thread whenever there is something to collect. `in_loop`: whether the event loop is
    /// Node's own, which another runtime's symbols do not tell; `COMMAND_ROOT_THREAD=1`, for tests, does without it.
    pub(super) fn open(
        env: &Env,
        wake: &FunctionRef<(), ()>,
        in_loop: bool,
        launcher: &Arc<Launcher>,
    ) -> Result<Inbox> {
        let refused = std::env::var_os("COMMAND_ROOT_THREAD").is_some_and(|value| value == "1");
        let inbox = if in_loop && !refused { Inbox::in_loop(env, wake, launcher)? } else { None };
        inbox.map_or_else(|| Inbox::by_thread(env, wake), Ok)
    }

    fn in_loop(env: &Env, wake: &FunctionRef<(), ()>, launcher: &Arc<Launcher>) -> Result<Option<Inbox>> {
        let engine = engine::Engine::idle()?;
        let mailbox = Mailbox::woken_by(Wake::Loop(Arc::clone(&engine)));
        let wake = wake.borrow_back(env).and_then(|wake| wake.create_ref()).map_err(no_call)?;
        let turns =
            Turns { engine: Arc::clone(&engine), mailbox: Arc::clone(&mailbox), launcher: Arc::clone(launcher), wake };
        let watched = uv::watch(env, &*engine, Box::new(turns));
        Ok(watched.map(|watched| Inbox { mailbox, watched: Some(watched) }))
    }

    fn by_thread(env: &Env, wake: &FunctionRef<(), ()>) -> Result<Inbox> {
        let call = wake.borrow_back(env).and_then(|wake| wake.build_threadsafe_function().weak::<true>().build());
        Ok(Inbox { mailbox: Mailbox::woken_by(Wake::Thread(call.map_err(no_call)?)), watched: None })
    }

    /// The engine that turns in the loop.
    pub(super) fn engine(&self) -> Option<&Arc<engine::Engine>> {
        match &self.mailbox.wake {
            Wake::Loop(engine) => Some(engine),
            Wake::Thread(_) => None,
        }
    }

    /// Whether the event loop stays alive.
    pub(super) fn set_keeps_alive(&self, env: &Env, keeps: bool) {
        match (&self.mailbox.wake, &self.watched) {
            (Wake::Thread(call), _) => sys::node::set_keeps_alive(env, call.raw(), keeps),
            (_, Some(watched)) => watched.set_keeps_alive(keeps),
            _ => {}
        }
    }
}

/// What the loop does when its engine has something.
struct Turns {
    engine: Arc<engine::Engine>,
    mailbox: Arc<Mailbox>,
    launcher: Arc<Launcher>,
    wake: FunctionRef<(), ()>,
}

impl uv::Listener for Turns {
    fn ready(&self, env: &Env) {
        // What ends in this turn need not wake the loop that we are in.
        self.mailbox.woken.store(true, Ordering::Release);
        // EINTR, ENOMEM: what is ready stays so.
        let _ = self.engine.turn(A_TURN, Some(Duration::ZERO));
        self.mailbox.woken.store(false, Ordering::Release);
        let mailbox = Arc::clone(&self.mailbox);
        self.launcher.go_on(move || mailbox.wake());
        for _ in 0..A_TURN.get() {
            if self.mailbox.is_empty() {
                return;
            }
            sys::node::call_back(env, &self.wake);
        }
        if !self.mailbox.is_empty() {
            self.mailbox.wake();
        }
    }

    /// Its children are still to be reaped.
    fn ended(&self) {
        self.engine.hand_over();
    }
}

/// Node has no memory for it, or is about to end.
fn no_call(_: napi::Error) -> Failure {
    Failure::new(Step::Fork, "napi_create_reference", Errno::ENOMEM)
}

pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
