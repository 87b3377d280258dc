//! The child's descriptor table: what it gets, what it needs on the way, and by which moves.

use super::attributes::Attributes;
use super::birth::Joining;
use super::ends::Ends;
use super::means::{Gate, Means};
use super::order::Todo;
use super::plan::{Move, Plan, plan};
use super::request::Request;
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
    cwd: Option<RawFd>,
    /// The pipe for its errors, where there is one.
    pub(super) errors: Option<RawFd>,
    /// A number above all that is moved.
    spare: RawFd,
    /// Duplicates that are there for the moves alone.
    _lifted: Vec<OwnedFd>,
}

impl Table {
    pub(super) fn lay(
        image: &Image,
        means: &Means,
        ends: &Ends,
        pipe: Option<&ErrorPipe>,
        attributes: &Attributes,
    ) -> Result<Table> {
        let mut sources = ends.sources();
        let script_number = sources.len() as RawFd;
        sources.extend(image.script.as_ref().map(|script| Some(script.as_fd().as_raw_fd())));
        let cwd = means.cwd_after_moves(attributes).map(AsFd::as_fd);
        let program = image.program().map(|program| program.as_fd());
        let needed = [program, cwd, pipe.map(|pipe| pipe.theirs.as_fd())];
        let mut needed: Vec<_> = needed.iter().flatten().map(AsRawFd::as_raw_fd).collect();
        let lifted = if attributes.keep_fds { lift_low(&mut sources, &mut needed)? } else { Vec::new() };
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
            cwd: cwd.and_then(|_| needed.next()),
            errors: pipe.and_then(|_| needed.next()),
            spare: spare.max(sources.len() as RawFd),
            _lifted: lifted,
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
        let (moves, spare, cwd) = (&self.moves, self.spare, self.cwd);
        let stays = keep_program.then_some(self.program);
        Todo { attributes, scope: *scope, means, gate, joining, moves, stays, spare, cwd }
    }
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
