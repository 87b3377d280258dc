//! posix_spawn(2): a child made and its program run in one call, without a copy of our memory.

use crate::sys::strings::Strings;
use nix::errno::Errno;
use std::ffi::{CStr, c_char, c_int, c_short};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::sync::OnceLock;

/// spawn.h (macOS 10.15), which libc does not have.
const POSIX_SPAWN_SETSID: c_int = 0x0400;

unsafe extern "C" {
    fn posix_spawn_file_actions_addinherit_np(actions: *mut libc::posix_spawn_file_actions_t, fd: c_int) -> c_int;
}

/// What is to be spawned, with no other descriptors than those that are named, every signal let in and none ignored.
#[derive(Debug)]
pub(crate) struct Spawn {
    attributes: Attributes,
    actions: libc::posix_spawn_file_actions_t,
    flags: c_int,
}

const PLAIN: c_int = libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_CLOEXEC_DEFAULT;

impl Spawn {
    pub(crate) fn new() -> Result<Spawn, Errno> {
        let attributes = Attributes::new()?;
        let mut actions = MaybeUninit::uninit();
        // SAFETY: it makes of the place that it is given a list of actions.
        said(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: made just now.
        Ok(Spawn { attributes, actions: unsafe { actions.assume_init() }, flags: PLAIN })
    }

    /// Leads a session of its own.
    pub(crate) fn new_session(&mut self) {
        self.flags |= POSIX_SPAWN_SETSID;
    }

    /// Joins a group; 0: leads one of its own.
    pub(crate) fn join_group(&mut self, pgid: i32) -> Result<(), Errno> {
        self.flags |= libc::POSIX_SPAWN_SETPGROUP;
        // SAFETY: the attributes are this value's own.
        said(unsafe { libc::posix_spawnattr_setpgroup(&raw mut self.attributes.0, pgid) })
    }

    /// Stands still before its first instruction, until SIGCONT.
    pub(crate) fn suspended(&mut self) {
        self.flags |= libc::POSIX_SPAWN_START_SUSPENDED;
    }

    pub(crate) fn duplicate(&mut self, from: RawFd, to: RawFd) -> Result<(), Errno> {
        // SAFETY: the actions are this value's own.
        said(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.actions, from, to) })
    }

    /// For a duplicate that only stood out of the way.
    pub(crate) fn close(&mut self, fd: RawFd) -> Result<(), Errno> {
        // SAFETY: as above.
        said(unsafe { libc::posix_spawn_file_actions_addclose(&raw mut self.actions, fd) })
    }

    pub(crate) fn inherit(&mut self, fd: RawFd) -> Result<(), Errno> {
        // SAFETY: as above.
        said(unsafe { posix_spawn_file_actions_addinherit_np(&raw mut self.actions, fd) })
    }

    pub(crate) fn change_directory(&mut self, fd: RawFd) -> Result<(), Errno> {
        // SAFETY: as above.
        said(unsafe { libc::posix_spawn_file_actions_addfchdir_np(&raw mut self.actions, fd) })
    }

    /// Its errno does not say what it is about: one of the above, or the program.
    pub(crate) fn start(mut self, path: &CStr, argv: &Strings, envp: &Strings) -> Result<libc::pid_t, Errno> {
        self.attributes.set(self.flags)?;
        let mut pid = 0;
        let (actions, attributes) = (&raw const self.actions, &raw const self.attributes.0);
        // SAFETY: the path is a C string, argv and envp are arrays of them that end with a null, the rest was made above.
        let answer = unsafe {
            libc::posix_spawn(
                &raw mut pid,
                path.as_ptr(),
                actions,
                attributes,
                argv.as_ptr().cast::<*mut c_char>(),
                envp.as_ptr().cast::<*mut c_char>(),
            )
        };
        said(answer).map(|()| pid)
    }
}

impl Drop for Spawn {
    fn drop(&mut self) {
        // SAFETY: made in `new`, and dropped once.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.actions) };
    }
}

#[derive(Debug)]
struct Attributes(libc::posix_spawnattr_t);

// SAFETY: a pointer to memory of its own, which is not changed once it is shared.
unsafe impl Send for Attributes {}
// SAFETY: as above.
unsafe impl Sync for Attributes {}

impl Attributes {
    fn new() -> Result<Attributes, Errno> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: it makes attributes of the place that it is given.
        said(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: made just now.
        Ok(Attributes(unsafe { attributes.assume_init() }))
    }

    /// With these flags; every signal as it is by default, and none blocked.
    fn set(&mut self, flags: c_int) -> Result<(), Errno> {
        let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
        let attributes = &raw mut self.0;
        // SAFETY: the set is filled and emptied by the calls that are for it; the attributes are this value's own.
        unsafe {
            libc::sigfillset(signals.as_mut_ptr());
            said(libc::posix_spawnattr_setsigdefault(attributes, signals.as_ptr()))?;
            libc::sigemptyset(signals.as_mut_ptr());
            said(libc::posix_spawnattr_setsigmask(attributes, signals.as_ptr()))?;
            said(libc::posix_spawnattr_setflags(attributes, flags as c_short))
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: made in `new`, and dropped once.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

/// These calls return their errno.
fn said(answer: c_int) -> Result<(), Errno> {
    if answer == 0 { Ok(()) } else { Err(Errno::from_raw(answer)) }
}

/// Made before the first fork, for children that exec by [`exec_suspended`].
static IN_PLACE: OnceLock<Attributes> = OnceLock::new();

/// Makes what [`exec_suspended`] needs, which a child could not.
pub(crate) fn prepare_exec() -> Result<(), Errno> {
    if IN_PLACE.get().is_none() {
        let mut attributes = Attributes::new()?;
        attributes.set(
            libc::POSIX_SPAWN_SETEXEC
                | libc::POSIX_SPAWN_START_SUSPENDED
                | libc::POSIX_SPAWN_SETSIGDEF
                | libc::POSIX_SPAWN_SETSIGMASK,
        )?;
        let _ = IN_PLACE.set(attributes);
    }
    Ok(())
}

/// As execve(2), but the program stands still before its first instruction. It comes back only with an errno.
///
/// # Safety
/// A C string, and arrays of C strings that end with a null; between fork and exec.
pub(crate) unsafe fn exec_suspended(
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> c_int {
    let Some(attributes) = IN_PLACE.get() else { return libc::ENOSYS };
    let none = std::ptr::null_mut();
    // SAFETY: the caller's promise; the attributes are never changed again.
    unsafe {
        libc::posix_spawn(
            none,
            path,
            std::ptr::null(),
            &raw const attributes.0,
            argv.cast::<*mut c_char>(),
            envp.cast::<*mut c_char>(),
        )
    }
}
