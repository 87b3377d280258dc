//! What runs between clone and exec. With shared memory it runs beside us, on our heap and our errno: system calls by
//! instruction only; no allocation, lock, panic, destructor or libc wrapper. It decides nothing: it walks a list that
//! was made before it was born, and writes its own frame.

use super::act::{Act, Groups, Text};
use super::attributes::Attributes;
use super::plan::Move;
use crate::failure::Step;
use crate::sys::clone::{Birth, Born, Memory, clone, wait_for_release};
use crate::sys::signals::Blocked;
use crate::sys::stack::Stack;
use crate::sys::strings::Strings;
use crate::sys::{child_calls as calls, closing};
use nix::errno::Errno;
use std::ffi::{CString, c_char, c_void};
use std::mem::ManuallyDrop;
use std::os::fd::RawFd;
use std::slice;
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

/// All that the child reads, as plain pointers into its [`Body`].
#[derive(Debug)]
struct Errand {
    acts: *const [Act],
    program: RawFd,
    /// By which it is run; null: by the descriptor itself.
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
    /// To which the acts' pointers lead.
    _kept: Kept,
    errand: Errand,
}

/// What a child reads and does not own: kept for it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) argv: Arc<Strings>,
    pub(super) envp: Arc<Strings>,
    /// What acts point into.
    pub(super) _attributes: Arc<Attributes>,
    pub(super) _cwd: Option<Arc<CString>>,
}

impl Body {
    /// A child that will do `acts`, whose pointers lead into `kept`, and then run what `program` holds, by execveat or,
    /// where one is given, by its path. `program` and `pipe` are numbers in the child.
    pub(super) fn new(
        acts: Vec<Act>,
        (program, path): (RawFd, Option<CString>),
        kept: Kept,
        pipe: Option<RawFd>,
    ) -> Result<Body, Errno> {
        let errand = Errand {
            acts: acts.as_slice(),
            program,
            path: path.as_ref().map_or(std::ptr::null(), |path| path.as_ptr()),
            argv: kept.argv.as_ptr(),
            envp: kept.envp.as_ptr(),
            frame: std::ptr::null(),
            pipe,
        };
        let frame = Frame { at: AtomicU32::new(0), errno: AtomicI32::new(0), alive: AtomicU32::new(0) };
        let stack = Stack::take()?;
        let mut parts = Box::new(Parts { stack, frame, acts, path, _kept: kept, errand });
        parts.errand.frame = &raw const parts.frame;
        Ok(Body(ManuallyDrop::new(parts)))
    }

    /// Makes the child, every signal blocked in it.
    pub(super) fn make(&mut self, birth: &Birth) -> Result<Born, Errno> {
        let Parts { stack, frame, errand, .. } = &mut **self.0;
        // With a copy of the memory nothing here is the child's.
        frame.alive.store(u32::from(birth.memory == Memory::Shared), Ordering::Release);
        let _blocked = Blocked::all();
        // SAFETY: `live` keeps to the rules; what it reads belongs to this body, which is kept until `alive` is zero.
        let born = unsafe { clone(birth, stack, &frame.alive, live, std::ptr::from_ref(errand).cast()) };
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
        wait_for_release(&self.0.frame.alive, limit);
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
        let exec = if self.0.path.is_none() { calls::names::EXEC_HELD } else { "execve" };
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

/// The child's life. It ends in exec or with code 127.
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
    calls::end(127)
}

fn tell(errand: &Errand, at: u32, errno: i32) {
    // SAFETY: the frame belongs to the same body.
    let frame = unsafe { &*errand.frame };
    frame.at.store(at, Ordering::Relaxed);
    frame.errno.store(errno, Ordering::Release);
    if let Some(pipe) = errand.pipe {
        let report: Report = [at as i32, errno];
        // SAFETY: numbers, of which every byte is one.
        calls::tell(pipe, unsafe { slice::from_raw_parts(report.as_ptr().cast(), size_of::<Report>()) });
    }
}

fn perform(act: Act) -> i32 {
    match act {
        Act::AwaitMaps { ours, theirs } => calls::await_byte(ours, theirs),
        Act::JoinCgroup(procs) => calls::join_cgroup(procs),
        Act::Unshare(flags) => calls::unshare(flags),
        Act::MakeMountsPrivate => calls::make_mounts_private(),
        Act::NewSession => calls::new_session(),
        Act::JoinGroup(pgid) => calls::join_group(pgid),
        Act::TakeForeground { tty, pgid } => calls::take_foreground(tty, pgid),
        Act::SetLimit { resource, soft, hard } => calls::set_limit(resource, soft, hard),
        Act::SetNice(nice) => calls::set_nice(nice),
        Act::HoldList(list) => {
            closing::hold_list(list as u32);
            0
        }
        Act::EnterRoot(fd) | Act::ChangeDirectory(fd) => calls::change_directory(fd),
        Act::ChangeRoot => calls::change_root_here(),
        Act::SetUmask(mask) => calls::set_umask(mask),
        Act::Move(act) => move_descriptor(act),
        Act::CloseListed { first, last, list } => closing::close_range(first as u32, last as u32, Some(list as u32)),
        Act::TakeTerminal(fd) => calls::take_terminal(fd),
        Act::SetGroups(groups) => set_groups(groups),
        Act::SetGid(gid) => calls::set_gid(gid),
        Act::SetUid(uid) => calls::set_uid(uid),
        Act::KeepCapabilities => calls::keep_capabilities(),
        Act::InheritCapabilities(set) => calls::inherit_capabilities(set),
        Act::RaiseCapabilities(set) => calls::raise_capabilities(set),
        // SAFETY: a C string that the body keeps.
        Act::ChangeDirectoryTo(Text(path)) => unsafe { calls::change_directory_to(path) },
        Act::DieWith { parent, signal } => calls::die_with(parent, signal),
        // SAFETY: as many bytes, which the body keeps.
        Act::SetAffinity(cpus) => calls::set_affinity(unsafe { slice::from_raw_parts(cpus.first, cpus.count) }),
        Act::SetNoNewPrivs => calls::set_no_new_privs(),
        Act::ResetSignals => calls::reset_signals(),
    }
}

fn move_descriptor(act: Move) -> i32 {
    match act {
        Move::Park { from, to } => calls::duplicate(from, to, libc::O_CLOEXEC),
        Move::Place { from, to } => calls::duplicate(from, to, 0),
        Move::Stay { fd } => calls::leave_open(fd),
        Move::Close { fd } => {
            calls::close(fd);
            0
        }
        Move::Unshare { first } => closing::unshare(first as u32),
        Move::CloseRange { first, last } => closing::close_range(first as u32, last as u32, None),
    }
}

fn set_groups(Groups { first, count, optional }: Groups) -> i32 {
    // SAFETY: as many numbers, which the body keeps.
    let errno = calls::set_groups(unsafe { slice::from_raw_parts(first, count) });
    if optional && errno == libc::EPERM { 0 } else { errno }
}

/// Runs what the descriptor holds, whatever has its name by now. It comes back only with an errno.
fn exec(errand: &Errand) -> i32 {
    let Errand { program, path, argv, envp, .. } = *errand;
    // SAFETY: a C string, and arrays of C strings that end with a null; the errand's owner keeps them.
    unsafe { if path.is_null() { calls::exec_held(program, argv, envp) } else { calls::exec(path, argv, envp) } }
}
