//! A descriptor watched by Node's own event loop, through what Node exports of libuv to addons (libuv's uv_poll_t).
//! Everything here happens on the JavaScript thread of one environment.

use napi::Env;
use napi::sys as napi_sys;
use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::os::fd::{AsFd, AsRawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::OnceLock;

/// Who is told.
pub(crate) trait Listener {
    /// The descriptor is readable.
    fn ready(&self, env: &Env);
    /// The environment ends (a worker is over, the process exits); nothing is told after this.
    fn ended(&self);
}

/// A descriptor that is watched until its environment ends. It does not keep the loop alive unless it is told to.
#[derive(Debug)]
pub(crate) struct Watched {
    uv: &'static Uv,
    /// Null once the environment ends.
    handle: Rc<Cell<*mut Handle>>,
}

impl Watched {
    /// Whether the loop stays alive for it.
    pub(crate) fn set_keeps_alive(&self, keeps: bool) {
        let handle = self.handle.get();
        if handle.is_null() {
            return;
        }
        // SAFETY: not null: it is initialized and has not been given to uv_close; this is its loop's thread, as `Rc`
        // keeps us from leaving it.
        unsafe { if keeps { (self.uv.r#ref)(handle) } else { (self.uv.unref)(handle) } }
    }
}

/// Watches `fd`, which the listener keeps open. None where the loop is not libuv's own, or takes no more.
pub(crate) fn watch(env: &Env, fd: impl AsFd, listener: Box<dyn Listener>) -> Option<Watched> {
    let uv = Uv::get()?;
    let mut event_loop = ptr::null_mut();
    // SAFETY: `env` is this thread's; the result is written before the call returns.
    let status = unsafe { napi_sys::napi_get_uv_event_loop(env.raw(), &raw mut event_loop) };
    if status != napi_sys::Status::napi_ok || event_loop.is_null() {
        return None;
    }
    let handle = Rc::new(Cell::new(ptr::null_mut()));
    let state = State { uv, env: env.raw(), listener, hook: Cell::default(), handle: Rc::clone(&handle) };
    let state = Box::into_raw(Box::new(state));
    // SAFETY: `state` is ours until `begin` succeeds; `event_loop` is what Node says that this thread's loop is.
    let begun = unsafe { begin(event_loop.cast(), fd.as_fd().as_raw_fd(), state) };
    begun.then_some(Watched { uv, handle })
}

// ---- what Node exports -------------------------------------------------------------------------

/// uv_handle_t, of whatever kind; only libuv knows its size.
type Handle = c_void;
type Close = unsafe extern "C" fn(*mut Handle);
type Poll = unsafe extern "C" fn(*mut Handle, status: c_int, events: c_int);

/// uv.h: UV_HANDLE_TYPE_MAP's place of poll, and enum uv_poll_event.
const UV_POLL: c_int = 8;
const UV_READABLE: c_int = 1;

#[derive(Debug)]
struct Uv {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    poll_init: unsafe extern "C" fn(*mut c_void, *mut Handle, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(*mut Handle, c_int, Poll) -> c_int,
    poll_stop: unsafe extern "C" fn(*mut Handle) -> c_int,
    close: unsafe extern "C" fn(*mut Handle, Close),
    r#ref: unsafe extern "C" fn(*mut Handle),
    unref: unsafe extern "C" fn(*mut Handle),
    get_data: unsafe extern "C" fn(*const Handle) -> *mut c_void,
    set_data: unsafe extern "C" fn(*mut Handle, *mut c_void),
}

impl Uv {
    /// None where one of them is missing.
    fn get() -> Option<&'static Uv> {
        static UV: OnceLock<Option<Uv>> = OnceLock::new();
        UV.get_or_init(Uv::find).as_ref()
    }

    fn find() -> Option<Uv> {
        // SAFETY: each is the function of that name in uv.h, and has that type since libuv 1.19.
        unsafe {
            Some(Uv {
                handle_size: function(c"uv_handle_size")?,
                poll_init: function(c"uv_poll_init")?,
                poll_start: function(c"uv_poll_start")?,
                poll_stop: function(c"uv_poll_stop")?,
                close: function(c"uv_close")?,
                r#ref: function(c"uv_ref")?,
                unref: function(c"uv_unref")?,
                get_data: function(c"uv_handle_get_data")?,
                set_data: function(c"uv_handle_set_data")?,
            })
        }
    }
}

/// # Safety
/// `F` is the type of the C function of that name.
unsafe fn function<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: a C string; the whole program is searched.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: the caller's promise; dlsym(3) gives functions as such pointers.
    (!found.is_null()).then(|| unsafe { std::mem::transmute_copy(&found) })
}

// ---- one handle's life -------------------------------------------------------------------------

/// Owned by the handle, from `begin` to `closed`.
struct State {
    uv: &'static Uv,
    env: napi_sys::napi_env,
    listener: Box<dyn Listener>,
    hook: Cell<Option<napi_sys::napi_async_cleanup_hook_handle>>,
    /// The same that Watched has.
    handle: Rc<Cell<*mut Handle>>,
}

/// # Safety
/// `event_loop` is this thread's loop; `state` comes from a Box and is given away: where this says false it is freed,
/// now or when libuv lets go.
unsafe fn begin(event_loop: *mut c_void, fd: c_int, state: *mut State) -> bool {
    // SAFETY: until it is freed nothing else changes it.
    let (uv, env) = unsafe { ((*state).uv, (*state).env) };
    // SAFETY: libuv says how large its handle is; all of it is zero until uv_poll_init has written it.
    let handle = unsafe { libc::calloc(1, (uv.handle_size)(UV_POLL)) };
    // SAFETY: a loop, a handle of that kind's size and an open descriptor, as uv_poll_init asks.
    if handle.is_null() || unsafe { (uv.poll_init)(event_loop, handle, fd) } != 0 {
        // SAFETY: libuv has not kept it (uv_poll_init fails before that); free(NULL) does nothing; the state is ours.
        unsafe {
            libc::free(handle);
            drop(Box::from_raw(state));
        }
        return false;
    }
    let mut hook = ptr::null_mut();
    // SAFETY: initialized above; `state` lives until `closed`. The hook is removed there, as Node asks of async ones.
    let done = unsafe {
        (uv.set_data)(handle, state.cast());
        (*state).handle.set(handle);
        (uv.unref)(handle);
        let status = napi_sys::napi_add_async_cleanup_hook(env, Some(end), state.cast(), &raw mut hook);
        if status == napi_sys::Status::napi_ok {
            (*state).hook.set(Some(hook));
        }
        status == napi_sys::Status::napi_ok && (uv.poll_start)(handle, UV_READABLE, ready) == 0
    };
    if !done {
        // SAFETY: as `end` does; it is not told of, since it never began.
        unsafe { close(&*state) };
    }
    done
}

unsafe extern "C" fn ready(handle: *mut Handle, _status: c_int, _events: c_int) {
    let Some(uv) = Uv::get() else { return };
    // SAFETY: libuv calls this between uv_poll_start and uv_close, where its data is a State.
    let state = unsafe { &*(uv.get_data)(handle).cast::<State>() };
    let env = Env::from_raw(state.env);
    // A panic must not unwind into C; what was to be told is told the next time.
    let _ = catch_unwind(AssertUnwindSafe(|| state.listener.ready(&env)));
}

/// Node's, when the environment ends.
unsafe extern "C" fn end(_hook: napi_sys::napi_async_cleanup_hook_handle, state: *mut c_void) {
    // SAFETY: the State that was given with the hook; it lives until the hook is removed.
    let state = unsafe { &*state.cast::<State>() };
    let _ = catch_unwind(AssertUnwindSafe(|| state.listener.ended()));
    // SAFETY: the handle is initialized, and closed once: the hook comes once.
    unsafe { close(state) };
}

/// # Safety
/// The state's handle is initialized and has not been closed.
unsafe fn close(state: &State) {
    let handle = state.handle.replace(ptr::null_mut());
    // SAFETY: the caller's promise.
    unsafe {
        (state.uv.poll_stop)(handle);
        (state.uv.close)(handle, closed);
    }
}

unsafe extern "C" fn closed(handle: *mut Handle) {
    let Some(uv) = Uv::get() else { return };
    // SAFETY: libuv has let go of the handle, which calloc made; nobody but it knows the State any more, once the hook
    // is removed.
    unsafe {
        let state = Box::from_raw((uv.get_data)(handle).cast::<State>());
        libc::free(handle);
        if let Some(hook) = state.hook.get() {
            napi_sys::napi_remove_async_cleanup_hook(hook);
        }
    }
}
