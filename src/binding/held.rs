//! What is held open for JavaScript, by number: making an object of a native class for each took longer than opening it.
//! A table belongs to its thread, which is one JavaScript environment's; what it still holds when the thread ends (a
//! worker) is closed with it.

use crate::failure::{Failure, Result, Step};
use crate::process::Child;
use crate::program::{Identity, Program};
use crate::root::Directory;
use crate::sys;
use nix::errno::Errno;
use std::cell::RefCell;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::LocalKey;

pub(super) struct Table<T> {
    held: Vec<Option<Arc<T>>>,
    free: Vec<u32>,
}

thread_local! {
    pub(super) static DIRECTORIES: RefCell<Table<Directory>> = const { RefCell::new(Table::new()) };
    pub(super) static PROGRAMS: RefCell<Table<Program>> = const { RefCell::new(Table::new()) };
    pub(super) static CHILDREN: RefCell<Table<Child>> = const { RefCell::new(Table::new()) };
    pub(super) static PIPES: RefCell<Table<OwnedFd>> = const { RefCell::new(Table::new()) };
    pub(super) static LENT: RefCell<Table<Lent>> = const { RefCell::new(Table::new()) };
}

/// A descriptor that a runtime should close, and may leave open in an environment that ends.
pub(super) struct Lent {
    fd: RawFd,
    file: Option<Identity>,
    /// The runtime has closed it.
    closed: AtomicBool,
}

impl Lent {
    pub(super) fn new(fd: RawFd) -> Lent {
        Lent { fd, file: Identity::of(fd).ok(), closed: AtomicBool::new(false) }
    }

    pub(super) fn forget(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Of the same number another file may be open by now.
        let is_same = || self.file.is_some() && Identity::of(self.fd).ok() == self.file;
        if !self.closed.load(Ordering::Relaxed) && is_same() {
            drop(sys::fd::adopt(self.fd));
        }
    }
}

impl<T> Table<T> {
    const fn new() -> Table<T> {
        Table { held: Vec::new(), free: Vec::new() }
    }

    fn hold(&mut self, thing: Arc<T>) -> u32 {
        let number = self.free.pop().unwrap_or(self.held.len() as u32);
        match self.held.get_mut(number as usize) {
            Some(place) => *place = Some(thing),
            None => self.held.push(Some(thing)),
        }
        number
    }

    fn get(&self, number: u32) -> Option<Arc<T>> {
        self.held.get(number as usize)?.clone()
    }

    fn let_go(&mut self, number: u32) -> Option<Arc<T>> {
        let thing = self.held.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(thing)
    }
}

/// Its number from here on.
pub(super) fn hold<T>(table: &'static LocalKey<RefCell<Table<T>>>, thing: Arc<T>) -> u32 {
    table.with_borrow_mut(|table| table.hold(thing))
}

/// EBADF once it was let go, which lib/ says in its own words before it comes here.
pub(super) fn held<T>(table: &'static LocalKey<RefCell<Table<T>>>, number: u32) -> Result<Arc<T>> {
    let closed = || Failure::new(Step::Open, "fcntl", Errno::EBADF);
    table.with_borrow(|table| table.get(number)).ok_or_else(closed)
}

/// The last of it, if it was held; the number may then be another's.
pub(super) fn let_go<T>(table: &'static LocalKey<RefCell<Table<T>>>, number: u32) -> Option<Arc<T>> {
    // Not there any more: an object that is finalized after its thread has closed all of this.
    table.try_with(|table| table.borrow_mut().let_go(number)).ok().flatten()
}
