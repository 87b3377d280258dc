//! The child's descriptor table: what it gets, what it needs on the way, and by which moves.

use super::attributes::Attributes;
use super::birth::Joining;
use super::ends::{Ends, open_null};
use super::means::{Gate, Means};
use super::order::Todo;
use super::plan::{Move, Plan, plan};
use super::request::Request;
use super::slots::Slots;
use super::start::ErrorPipe;
use crate::failure::{Failure, Result, Step};
use crate::program::Image;
use crate::sys;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// Numbers are those in the child once it has made the moves.
pub(super) struct Table {
    moves: Vec<Move>,
    /// What exec is given.
    pub(super) program: RawFd,
    first_cwd: Option<RawFd>,
    cwd: Option<RawFd>,
    /// The pipe for its errors, where there is one.
    pub(super) errors: Option<RawFd>,
    /// A number above all that is moved.
    spare: RawFd,
    /// Where the shared table ends for the child.
    own_table: Option<RawFd>,
    /// Duplicates that are there for the moves alone, and /dev/null.
    _held: Vec<OwnedFd>,
}

impl Table {
    pub(super) fn lay(
        image: &Image,
        means: &Means,
        ends: &Ends,
        pipe: Option<&ErrorPipe>,
        attributes: &Attributes,
        slots: Option<&mut Slots>,
    ) -> Result<Table> {
        let mut duplicates = Vec::new();
        let null = match &slots {
            Some(slots) => Some(slots.null()),
            None if ends.wants_null() => {
                duplicates.push(open_null()?);
                duplicates.first().map(AsRawFd::as_raw_fd)
            }
            None => None,
        };
        let mut sources = ends.sources(null);
        let script_number = sources.len() as RawFd;
        sources.extend(image.script.as_ref().map(|script| Some(script.as_fd().as_raw_fd())));
        let cwd = means.cwd_after_moves(attributes).map(AsFd::as_fd);
        let program = image.program().map(|program| program.as_fd());
        let needed = [program, cwd, pipe.map(|pipe| pipe.theirs.as_fd())];
        let mut needed: Vec<_> = needed.iter().flatten().map(AsRawFd::as_raw_fd).collect();
        if attributes.keep_fds {
            duplicates.extend(lift_low(&mut sources, &mut needed)?);
        }
        let mut first_cwd = means.cwd_at_first();
        let all = sources.iter_mut().chain([&mut first_cwd]).flatten().chain(&mut needed);
        let own_table = slots.map(|slots| lower(slots, all)).transpose()?;
        let root = means.chroot.as_ref().map(AsRawFd::as_raw_fd);
        let highest = sources.iter().flatten().chain(&needed).chain(&root).copied().max();
        let Plan { moves, needed } = plan(&sources, &needed);

        let spare = highest.into_iter().chain(needed.iter().copied()).chain(parked(&moves)).max().unwrap_or(0) + 1;
        // In the order in which they were given.
        let mut needed = needed.into_iter();
        let held = program.and_then(|_| needed.next()).unwrap_or(-1);
        Ok(Table {
            moves,
            // A script that the kernel is to run: by the descriptor that its interpreter can open again.
            program: if image.runs_script() { script_number } else { held },
            first_cwd,
            cwd: cwd.and_then(|_| needed.next()),
            errors: pipe.and_then(|_| needed.next()),
            spare: spare.max(sources.len() as RawFd),
            own_table,
            _held: duplicates,
        })
    }

    pub(super) fn todo<'a>(
        &'a self,
        request: &'a Request,
        means: &'a Means,
        gate: Option<&'a Gate>,
        joining: Option<&'a Joining>,
        keep_program: bool,
    ) -> Todo<'a> {
        let Request { attributes, scope, .. } = request;
        let Table { moves, spare, first_cwd, cwd, own_table, .. } = self;
        let (spare, first_cwd, cwd, own_table) = (*spare, *first_cwd, *cwd, *own_table);
        let stays = keep_program.then_some(self.program);
        Todo { attributes, scope: *scope, means, gate, joining, moves, own_table, stays, spare, first_cwd, cwd }
    }
}

/// All of it to the slots; where they end.
fn lower<'a>(slots: &mut Slots, fds: impl Iterator<Item = &'a mut RawFd>) -> Result<RawFd> {
    let mut put: Vec<(RawFd, RawFd)> = Vec::new();
    for fd in fds {
        let low = match put.iter().find(|(from, _)| from == fd) {
            Some((_, low)) => *low,
            None => slots.put(*fd).map_err(Failure::at(Step::Fds, "dup3"))?,
        };
        put.push((*fd, low));
        *fd = low;
    }
    Ok(slots.end())
}

/// Where moves park what they come back to.
fn parked(moves: &[Move]) -> impl Iterator<Item = RawFd> {
    moves.iter().filter_map(|step| match step {
        Move::Park { to, .. } => Some(*to),
        _ => None,
    })
}

/// Where the child keeps what is inheritable, a move may not park anything at a number that might be such. So all that
/// would be in the way is duplicated here, to numbers that are free.
fn lift_low(sources: &mut [Option<RawFd>], needed: &mut [RawFd]) -> Result<Vec<OwnedFd>> {
    let count = sources.len() as RawFd;
    let mut lifted = Vec::new();
    let stdio = (0..).zip(sources.iter_mut()).filter_map(|(target, source)| match source {
        Some(source) if *source != target => Some(source),
        _ => None,
    });
    for fd in stdio.chain(needed) {
        if *fd < count {
            let copy = sys::fd::duplicate_above(*fd, count).map_err(Failure::at(Step::Fds, "fcntl"))?;
            *fd = copy.as_raw_fd();
            lifted.push(copy);
        }
    }
    Ok(lifted)
}
