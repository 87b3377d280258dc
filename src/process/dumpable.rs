//! PR_GET_DUMPABLE of this process, through starts whose children become somebody else. In a child that shares our
//! memory the kernel then clears it for all of us, so that the new user, who may trace his own processes, does not reach
//! our memory through the child. It has to stay cleared until the last such child has let go of the memory, and be as
//! before afterwards. Meanwhile only root may open what /proc has of us and of children that share our memory: who is
//! not root and writes the id maps of a child does so while nobody else's child is about to clear it.

use super::attributes::Attributes;
use crate::failure::{Failure, Result, Step};
use crate::sys::clone::{self, Memory};
use crate::sys::{dumpable, identity};
use nix::errno::Errno;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

#[derive(Debug)]
struct State {
    /// Children that share our memory and become somebody else.
    changing: usize,
    /// Somebody writes maps.
    mapping: bool,
    /// What it was before the first of the children.
    before: i32,
}

static STATE: Mutex<State> = Mutex::new(State { changing: 0, mapping: false, before: 0 });
static CHANGED: Condvar = Condvar::new();

/// The memory of a child with these attributes: a copy where one that is somebody else's could be reached by him
/// (fs.suid_dumpable=1, or nobody knows), and where it is to be in a time namespace, whose clocks are mapped there.
pub(super) fn memory_for(attributes: &Attributes, usual: Memory) -> Memory {
    let reachable = || attributes.changes_identity() && !dumpable::is_cleared_for_others();
    if attributes.namespaces.new_time() || reachable() { Memory::Copied } else { usual }
}

/// One start, from before there is a child until it has let go. Forgotten, if it never does: then nothing is ever
/// restored.
#[derive(Debug)]
pub(super) struct Dumpable {
    changes: bool,
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Mapping,
    Changing,
    /// Nothing to be kept.
    Free,
}

impl Dumpable {
    /// Waits for its turn. ETIMEDOUT: it has not come by `until`.
    pub(super) fn hold(attributes: &Attributes, memory: Memory, until: Instant) -> Result<Dumpable> {
        let changes = memory == Memory::Shared && attributes.changes_identity();
        let maps = attributes.namespaces.has_maps() && identity::own().uids != [0; 3];
        if !changes && !maps {
            return Ok(Dumpable { changes, stage: Stage::Free });
        }
        let limit = until.saturating_duration_since(Instant::now());
        let busy = |state: &mut State| state.mapping || (maps && state.changing > 0);
        let waited = CHANGED.wait_timeout_while(lock(), limit, busy);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(Failure::new(Step::Fork, clone::CALL, Errno::ETIMEDOUT).detail("another start stands still"));
        }
        if maps {
            state.mapping = true;
            return Ok(Dumpable { changes, stage: Stage::Mapping });
        }
        state.count_one();
        Ok(Dumpable { changes, stage: Stage::Changing })
    }

    /// The maps are written; from here on the child may become somebody else.
    pub(super) fn mapped(&mut self) {
        if self.stage != Stage::Mapping {
            return;
        }
        let mut state = lock();
        state.mapping = false;
        self.stage = if self.changes { Stage::Changing } else { Stage::Free };
        if self.changes {
            state.count_one();
        }
        drop(state);
        CHANGED.notify_all();
    }
}

impl State {
    fn count_one(&mut self) {
        if self.changing == 0 {
            self.before = dumpable::get();
        }
        self.changing += 1;
    }

    /// Nobody comes in between: who counts has the lock.
    fn count_off(&mut self) {
        self.changing -= 1;
        if self.changing == 0 && dumpable::get() != self.before {
            dumpable::set(self.before);
        }
    }
}

impl Drop for Dumpable {
    fn drop(&mut self) {
        let mut state = match self.stage {
            Stage::Free => return,
            _ => lock(),
        };
        match self.stage {
            Stage::Mapping => state.mapping = false,
            _ => state.count_off(),
        }
        drop(state);
        CHANGED.notify_all();
    }
}

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}
