//! What runs between clone and exec. With shared memory it runs beside us, on our heap and our errno: system calls by
//! instruction only; no allocation, lock, panic, destructor or libc wrapper. It decides nothing: it walks a list that
//! was made before it was born, and writes its own frame.

use super::plan::Move;
use crate::failure::Step;
use crate::sys::clone::{Born, Memory, clone};
use crate::sys::signals::{Blocked, SET_SIZE};
use crate::sys::stack::Stack;
use crate::sys::strings::Strings;
use crate::sys::syscall::syscall;
use crate::sys::{closing, futex};
use nix::errno::Errno;
use std::ffi::{CString, c_char, c_void};
use std::mem::ManuallyDrop;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

/// What the child tells while it lives in our memory: where it is, and what stopped it.
#[derive(Debug)]
struct Frame {
    /// The index of the act it is at; the number of acts: it is at exec.
    at: AtomicU32,
    /// Non-zero: why it did not get further.
    errno: AtomicI32,
    /// Zeroed by the kernel when the child lets go of our memory (CLONE_CHILD_CLEARTID).
    alive: AtomicU32,
}

/// One act of the child.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Move(Move),
    /// setsid(2)
    NewSession,
    /// setpgid(0, 0)
    NewGroup,
    /// fchdir(2)
    ChangeDirectory(RawFd),
    /// Every disposition to its default, then no signal blocked.
    ResetSignals,
}

impl Act {
    pub(super) fn step(self) -> Step {
        match self {
            Act::Move(_) => Step::Fds,
            Act::NewSession => Step::Setsid,
            Act::NewGroup => Step::Setpgid,
            Act::ChangeDirectory(_) => Step::Chdir,
            Act::ResetSignals => Step::Signals,
        }
    }

    /// The name of its system call, for the error.
    pub(super) fn syscall(self) -> &'static str {
        match self {
            Act::Move(Move::Park { .. } | Move::Place { .. }) => "dup3",
            Act::Move(Move::Stay { .. }) => "fcntl",
            Act::Move(Move::Close { .. }) => "close",
            Act::Move(Move::CloseRange { .. }) => "close_range",
            Act::NewSession => "setsid",
            Act::NewGroup => "setpgid",
            Act::ChangeDirectory(_) => "fchdir",
            Act::ResetSignals => "rt_sigaction",
        }
    }

    /// What is not to be had on this system when it says ENOSYS.
    pub(super) fn feature(self) -> Option<&'static str> {
        match self {
            Act::Move(Move::CloseRange { .. }) => Some(
                "closeFds: closing what a child is not to have, by close_range(2), a procfs at /proc or a hard \
                 RLIMIT_NOFILE of at most 65536,",
            ),
            _ => None,
        }
    }
}

/// All that the child reads, as plain pointers into its [`Body`].
#[derive(Debug)]
struct Errand {
    acts: *const [Act],
    program: RawFd,
    /// By which it is run; null: by execveat, and the descriptor itself.
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    frame: *const Frame,
    /// Where the child's memory is its own: a pipe that takes a [`Report`] for each act.
    pipe: Option<RawFd>,
}

/// What goes through the pipe: the act's index, and an errno or 0.
pub(super) type Report = [i32; 2];

/// How far a child has come, and what stopped it (0: nothing).
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) at: usize,
    pub(super) errno: i32,
}

/// Everything that a child uses between clone and exec. It is given up only once the child has let go of it: where a
/// child never does, it is leaked.
#[derive(Debug)]
pub(super) struct Body(ManuallyDrop<Box<Parts>>);

#[derive(Debug)]
struct Parts {
    stack: Stack,
    frame: Frame,
    acts: Vec<Act>,
    path: Option<CString>,
    _argv: Arc<Strings>,
    _envp: Arc<Strings>,
    errand: Errand,
}

impl Body {
    /// A child that will do `acts` and then run what `program` holds, by execveat or, where one is given, by its path.
    /// `program` and `pipe` are numbers in the child.
    pub(super) fn new(
        acts: Vec<Act>,
        (program, path): (RawFd, Option<CString>),
        argv: Arc<Strings>,
        envp: Arc<Strings>,
        pipe: Option<RawFd>,
    ) -> Result<Body, Errno> {
        let errand = Errand {
            acts: acts.as_slice(),
            program,
            path: path.as_ref().map_or(std::ptr::null(), |path| path.as_ptr()),
            argv: argv.as_ptr(),
            envp: envp.as_ptr(),
            frame: std::ptr::null(),
            pipe,
        };
        let frame = Frame { at: AtomicU32::new(0), errno: AtomicI32::new(0), alive: AtomicU32::new(0) };
        let stack = Stack::take()?;
        let mut parts = Box::new(Parts { stack, frame, acts, path, _argv: argv, _envp: envp, errand });
        parts.errand.frame = &raw const parts.frame;
        Ok(Body(ManuallyDrop::new(parts)))
    }

    /// Makes the child, every signal blocked in it.
    pub(super) fn make(&mut self, memory: Memory) -> Result<Born, Errno> {
        let Parts { stack, frame, errand, .. } = &mut **self.0;
        // With a copy of the memory nothing here is the child's.
        frame.alive.store(u32::from(memory == Memory::Shared), Ordering::Release);
        let _blocked = Blocked::all();
        // SAFETY: `live` keeps to the rules; what it reads belongs to this body, which is kept until `alive` is zero.
        let born = unsafe { clone(memory, stack, &frame.alive, live, std::ptr::from_ref(errand).cast()) };
        if born.is_err() {
            frame.alive.store(0, Ordering::Release);
        }
        born
    }

    pub(super) fn is_alive(&self) -> bool {
        self.0.frame.alive.load(Ordering::Acquire) != 0
    }

    /// Waits until the child has let go, but no longer than `limit`.
    pub(super) fn wait(&self, limit: Duration) {
        futex::wait(&self.0.frame.alive, 1, limit);
    }

    pub(super) fn progress(&self) -> Progress {
        let frame = &self.0.frame;
        Progress { errno: frame.errno.load(Ordering::Acquire), at: frame.at.load(Ordering::Relaxed) as usize }
    }

    /// None: it is at exec, or beyond.
    pub(super) fn act(&self, at: usize) -> Option<Act> {
        self.0.acts.get(at).copied()
    }

    /// Where in the start it is by then, and the call that it makes there.
    pub(super) fn place(&self, at: usize) -> (Step, &'static str) {
        let exec = if self.0.path.is_none() { "execveat" } else { "execve" };
        self.act(at).map_or((Step::Exec, exec), |act| (act.step(), act.syscall()))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if self.is_alive() {
            return;
        }
        // SAFETY: once only, in drop; no child uses it any more.
        let parts = unsafe { ManuallyDrop::take(&mut self.0) };
        parts.stack.give_back();
    }
}

/// The child's life. It ends in exec or in exit_group(127).
///
/// # Safety
/// `errand` is an [`Errand`] whose parts stay as they are until the child has let go of this memory; every signal is
/// blocked.
unsafe extern "C" fn live(errand: *const c_void) -> ! {
    // SAFETY: the caller's promise.
    let errand = unsafe { &*errand.cast::<Errand>() };
    // SAFETY: the acts belong to the same body.
    let acts = unsafe { &*errand.acts };
    let mut at = 0;
    let mut errno = 0;
    for act in acts {
        tell(errand, at, 0);
        errno = perform(*act);
        if errno != 0 {
            break;
        }
        at += 1;
    }
    if errno == 0 {
        tell(errand, at, 0);
        errno = exec(errand);
    }
    tell(errand, at, errno);
    loop {
        // SAFETY: it does not return.
        unsafe { syscall(libc::SYS_exit_group, [127, 0, 0, 0, 0, 0]) };
    }
}

fn tell(errand: &Errand, at: u32, errno: i32) {
    // SAFETY: the frame belongs to the same body.
    let frame = unsafe { &*errand.frame };
    frame.at.store(at, Ordering::Relaxed);
    frame.errno.store(errno, Ordering::Release);
    if let Some(pipe) = errand.pipe {
        let report: Report = [at as i32, errno];
        let size = size_of::<Report>();
        // SAFETY: `report` outlives the call. Nobody can be told if it fails; the parent then sees the pipe's end.
        unsafe { syscall(libc::SYS_write, [pipe as usize, report.as_ptr() as usize, size, 0, 0, 0]) };
    }
}

fn perform(act: Act) -> i32 {
    match act {
        Act::Move(Move::Park { from, to }) => {
            call(libc::SYS_dup3, [from as usize, to as usize, libc::O_CLOEXEC as usize])
        }
        Act::Move(Move::Place { from, to }) => call(libc::SYS_dup3, [from as usize, to as usize, 0]),
        Act::Move(Move::Stay { fd }) => call(libc::SYS_fcntl, [fd as usize, libc::F_SETFD as usize, 0]),
        Act::Move(Move::Close { fd }) => {
            // EBADF: it was not open, which is what was wanted.
            call(libc::SYS_close, [fd as usize, 0, 0]);
            0
        }
        Act::Move(Move::CloseRange { first, last }) => closing::close_range(first as u32, last as u32),
        Act::NewSession => call(libc::SYS_setsid, [0; 3]),
        Act::NewGroup => call(libc::SYS_setpgid, [0; 3]),
        Act::ChangeDirectory(fd) => call(libc::SYS_fchdir, [fd as usize, 0, 0]),
        Act::ResetSignals => reset_signals(),
    }
}

/// A call of at most three arguments that takes no pointer; 0, or its errno.
fn call(number: libc::c_long, [a, b, c]: [usize; 3]) -> i32 {
    // SAFETY: numbers only.
    let result = unsafe { syscall(number, [a, b, c, 0, 0, 0]) };
    if result < 0 { -result as i32 } else { 0 }
}

/// The kernel's struct sigaction, on x86_64 and arm64 alike.
#[repr(C)]
#[derive(Clone, Copy)]
struct KernelSigaction {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

/// The highest signal there is.
const SIGNALS: usize = 64;

/// Handlers and ignored signals to their defaults; then lets every signal in, last of all: before 5.16 a signal that
/// dumps core, in a child that shares our memory, takes us along (commit 0258b5fd7c71).
fn reset_signals() -> i32 {
    for signal in 1..=SIGNALS {
        let mut now = KernelSigaction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
        let default = now;
        // SAFETY: both structures are the kernel's own shape and outlive the calls. SIGKILL and SIGSTOP can be read,
        // and are never anything but default.
        let errno = unsafe {
            let read = syscall(libc::SYS_rt_sigaction, [signal, 0, &raw mut now as usize, SET_SIZE, 0, 0]);
            if read == 0 && now.handler == libc::SIG_DFL {
                continue;
            }
            syscall(libc::SYS_rt_sigaction, [signal, &raw const default as usize, 0, SET_SIZE, 0, 0])
        };
        if errno < 0 {
            return -errno as i32;
        }
    }
    let none = 0u64;
    let how = libc::SIG_SETMASK as usize;
    // SAFETY: a set of the size given, which outlives the call.
    let result = unsafe { syscall(libc::SYS_rt_sigprocmask, [how, &raw const none as usize, 0, SET_SIZE, 0, 0]) };
    -result as i32
}

/// Runs what the descriptor holds, whatever has its name by now. It comes back only with an errno.
fn exec(errand: &Errand) -> i32 {
    if !errand.path.is_null() {
        let args = [errand.path as usize, errand.argv as usize, errand.envp as usize, 0, 0, 0];
        // SAFETY: a C string, and arrays of C strings that end with a null; the errand's owner keeps them.
        return -(unsafe { syscall(libc::SYS_execve, args) }) as i32;
    }
    let empty = c"".as_ptr() as usize;
    let flags = libc::AT_EMPTY_PATH as usize;
    let args = [errand.program as usize, empty, errand.argv as usize, errand.envp as usize, flags, 0];
    // SAFETY: argv and envp are arrays of C strings that end with a null; the errand's owner keeps them.
    -(unsafe { syscall(libc::SYS_execveat, args) }) as i32
}
