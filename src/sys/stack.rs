//! The stack that a child runs on until it execs, where it lives in our memory: a mapping with a guard page below it.

use nix::errno::Errno;
use std::sync::{Mutex, PoisonError};

/// Room for the child's few frames, in debug builds too.
pub(crate) const SIZE: usize = 64 << 10;
/// At least a page on every system we run on (arm64 has pages of up to 64 KiB).
const GUARD: usize = 64 << 10;

#[cfg(target_os = "linux")]
const FLAGS: libc::c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
/// MAP_STACK is another thing there: one that grows.
#[cfg(not(target_os = "linux"))]
const FLAGS: libc::c_int = libc::MAP_PRIVATE | libc::MAP_ANON;

/// Stacks that were used and are free again: mapping, guarding and faulting one in costs more than the start's other
/// calls together.
static FREE: Mutex<Vec<Stack>> = Mutex::new(Vec::new());
const KEPT: usize = 32;

#[derive(Debug)]
pub(crate) struct Stack(usize);

impl Stack {
    /// One that was used before, or a new one.
    pub(crate) fn take() -> Result<Stack, Errno> {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.map_or_else(Stack::map, Ok)
    }

    /// Keeps it for the next start.
    pub(crate) fn give_back(self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(self);
        }
    }

    fn map() -> Result<Stack, Errno> {
        // SAFETY: a new mapping, placed by the kernel; nothing else can know it.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), GUARD + SIZE, libc::PROT_NONE, FLAGS, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let stack = Stack(at as usize);
        // SAFETY: the upper part of the mapping made above; dropping `stack` unmaps the whole.
        Errno::result(unsafe { libc::mprotect(stack.base().cast(), SIZE, libc::PROT_READ | libc::PROT_WRITE) })?;
        Ok(stack)
    }

    /// Its lowest usable address; [`SIZE`] bytes above it are its own.
    pub(crate) fn base(&self) -> *mut u8 {
        (self.0 + GUARD) as *mut u8
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping that `map` made; who owns the Stack says that no child runs on it any more.
        unsafe { libc::munmap(self.0 as *mut libc::c_void, GUARD + SIZE) };
    }
}
