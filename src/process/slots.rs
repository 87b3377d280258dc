//! Numbers at which a child finds its descriptors when it shares the parent's table: low ones, taken early, which hold
//! /dev/null in between. The child's first act is then to take a copy of what lies below the highest of them: what the
//! process has open beyond is never copied, whether that is thousands of sockets or a program that is being written
//! (whose copied writer would make its start ETXTBSY, golang/go 22315).
//!
//! Two starts at once have a bank each. Where none is free, or what stands at its numbers is no longer ours, the child
//! gets a copy of the whole table, as after fork(2).

use crate::failure::{Failure, Step};
use crate::sys;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// What one start puts there: three streams, a program, a script, a directory.
const ROOM: usize = 6;
const BANKS: usize = 2;
/// A start takes some 0.1 ms; one that is stopped in its middle keeps its bank, and is not waited for.
const WAIT: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct Pool {
    null: OwnedFd,
    identity: Identity,
    banks: Mutex<Banks>,
    returned: Condvar,
}

#[derive(Debug)]
struct Banks {
    free: Vec<Bank>,
    /// How many wait for one.
    waiting: usize,
}

type Bank = Vec<OwnedFd>;
/// st_dev, st_ino
type Identity = (u64, u64);

/// Takes the numbers, if they have not been taken: as early as can be, so that they are low. Where there are none to be
/// had, the next call tries again.
pub(crate) fn prepare() {
    let _ = pool();
}

fn pool() -> Option<&'static Pool> {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get().or_else(|| {
        let pool = Pool::open().ok()?;
        Some(POOL.get_or_init(|| pool))
    })
}

impl Pool {
    fn open() -> Result<Pool, Errno> {
        let null = open(c"/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).and_then(sys::fd::lift)?;
        let slot = || sys::fd::duplicate(null.as_raw_fd());
        let bank = || (0..ROOM).map(|_| slot()).collect::<Result<Bank, Errno>>();
        let free = (0..BANKS).map(|_| bank()).collect::<Result<_, Errno>>()?;
        let identity = identity(null.as_fd())?;
        Ok(Pool { null, identity, banks: Mutex::new(Banks { free, waiting: 0 }), returned: Condvar::new() })
    }

    fn take(&self, may_wait: bool) -> Option<Bank> {
        let mut banks = self.lock();
        if banks.free.is_empty() && may_wait {
            banks.waiting += 1;
            let waited = self.returned.wait_timeout_while(banks, WAIT, |banks| banks.free.is_empty());
            banks = waited.unwrap_or_else(PoisonError::into_inner).0;
            banks.waiting -= 1;
        }
        banks.free.pop()
    }

    fn give_back(&self, bank: Bank) {
        let mut banks = self.lock();
        banks.free.push(bank);
        if banks.waiting > 0 {
            self.returned.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Banks> {
        self.banks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether that number still holds what we have put there; somebody may have closed it, and it be another's now.
    fn owns(&self, slot: &OwnedFd) -> bool {
        identity(slot.as_fd()) == Ok(self.identity)
    }
}

fn identity(fd: BorrowedFd<'_>) -> Result<Identity, Errno> {
    fstat(fd).map(|stat| (stat.st_dev, stat.st_ino))
}

/// A bank, while its start uses it.
#[derive(Debug)]
pub(super) struct Slots {
    pool: &'static Pool,
    bank: Bank,
    used: usize,
}

impl Slots {
    /// Room for so many. `may_wait`: until another start is done with them.
    pub(super) fn take(count: usize, may_wait: bool) -> Option<Slots> {
        let pool = pool().filter(|_| count <= ROOM && !REFUSED.load(Ordering::Relaxed))?;
        let slots = Slots { pool, bank: pool.take(may_wait)?, used: 0 };
        if slots.bank.iter().take(count).chain([&pool.null]).all(|slot| pool.owns(slot)) {
            return Some(slots);
        }
        slots.lose();
        None
    }

    /// /dev/null, by a number below [`Slots::end`].
    pub(super) fn null(&self) -> RawFd {
        self.pool.null.as_raw_fd()
    }

    /// What `fd` holds, by a number below [`Slots::end`].
    pub(super) fn put(&mut self, fd: RawFd) -> Result<RawFd, Errno> {
        if fd == self.null() {
            return Ok(fd);
        }
        let slot = self.bank.get(self.used).ok_or(Errno::EMFILE)?;
        sys::fd::replace(slot.as_fd(), fd)?;
        self.used += 1;
        Ok(slot.as_raw_fd())
    }

    /// One above the highest number in use.
    pub(super) fn end(&self) -> RawFd {
        let used = self.bank.iter().take(self.used).map(AsRawFd::as_raw_fd);
        used.chain([self.null()]).max().unwrap_or(0) + 1
    }

    /// Never to be used again: by numbers of its that are no longer ours nothing may be closed; or a child still stands
    /// before its first act.
    pub(super) fn lose(mut self) {
        std::mem::take(&mut self.bank).into_iter().for_each(std::mem::forget);
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        let mut bank = std::mem::take(&mut self.bank);
        if bank.is_empty() {
            return;
        }
        // A pipe must not be held open by us: its reader would wait.
        let cleared = bank.iter().take(self.used).all(|slot| sys::fd::replace(slot.as_fd(), self.null()).is_ok());
        if !cleared {
            bank.clear();
            return;
        }
        self.pool.give_back(bank);
    }
}

/// Whether the child could not take a table of its own (before 5.9, or a filter's answer, which may come later than it
/// had worked): nothing has been done by it then.
pub(super) fn is_refused(failure: &Failure) -> bool {
    let refused = matches!(failure.errno, Errno::ENOSYS | Errno::EPERM | Errno::EINVAL);
    let is = failure.step == Step::Fds && failure.syscall == "close_range" && failure.reason.is_none() && refused;
    if is && failure.errno != Errno::EPERM {
        REFUSED.store(true, Ordering::Relaxed);
    }
    is
}

/// The kernel has no such call. Of a filter nothing is remembered: another thread may not have it.
static REFUSED: AtomicBool = AtomicBool::new(false);
