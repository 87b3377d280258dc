//! The child's descriptors, opened: for each the end that it gets, and our own end where there is one.

use super::request::Stdio;
use crate::failure::{Failure, Result, Step, io_failure};
use crate::sys;
use crate::sys::fd::PIPE_CALL;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// One place in the child's table.
enum End {
    Opened(OwnedFd),
    /// /dev/null, the same for all.
    Null,
    Closed,
    /// The caller's own, owned by the request.
    Given(RawFd),
    /// What the child has at 1.
    Stdout,
}

pub(super) struct Ends {
    theirs: Vec<End>,
    /// By the child's descriptor.
    pub(super) ours: Vec<Option<OwnedFd>>,
}

const STDIN: usize = 0;
const STDOUT: usize = 1;
const STDERR: usize = 2;

impl Ends {
    pub(super) fn open(stdio: &[Stdio]) -> Result<Ends> {
        let mut ends = Ends { theirs: Vec::with_capacity(stdio.len()), ours: Vec::with_capacity(stdio.len()) };
        for (index, form) in stdio.iter().enumerate() {
            let (theirs, ours) = match form {
                // Beyond 2 nothing is expected to be open, and 'ignore' means nothing, as in child_process.
                Stdio::Null => (if index > STDERR { End::Closed } else { End::Null }, None),
                Stdio::Closed => (End::Closed, None),
                Stdio::Stdout => (End::Stdout, None),
                Stdio::Given(fd) => {
                    if index <= STDERR {
                        sys::fd::set_blocking(fd.as_fd()).map_err(Failure::at(Step::Fds, "fcntl"))?;
                    }
                    (End::Given(fd.as_raw_fd()), None)
                }
                Stdio::Pipe => {
                    let (theirs, ours) = both_ends(index)?;
                    (End::Opened(theirs), Some(ours))
                }
            };
            ends.theirs.push(theirs);
            ends.ours.push(ours);
        }
        Ok(ends)
    }

    pub(super) fn count(&self) -> usize {
        self.theirs.len()
    }

    /// How many descriptors of its own the child gets.
    pub(super) fn given(&self) -> usize {
        self.theirs.iter().filter(|end| matches!(end, End::Opened(_) | End::Given(_))).count()
    }

    pub(super) fn wants_null(&self) -> bool {
        self.theirs.iter().any(|end| matches!(end, End::Null))
    }

    /// What the plan takes: the number that each of the child's descriptors has with us. `null`: that of /dev/null,
    /// where it is wanted.
    pub(super) fn sources(&self, null: Option<RawFd>) -> Vec<Option<RawFd>> {
        self.theirs.iter().map(|end| number(end, null).or_else(|| self.stdout_for(end, null))).collect()
    }

    fn stdout_for(&self, end: &End, null: Option<RawFd>) -> Option<RawFd> {
        matches!(end, End::Stdout).then(|| self.theirs.get(STDOUT).and_then(|stdout| number(stdout, null)))?
    }
}

fn number(end: &End, null: Option<RawFd>) -> Option<RawFd> {
    match end {
        End::Opened(fd) => Some(fd.as_raw_fd()),
        End::Given(fd) => Some(*fd),
        End::Null => null,
        End::Stdout | End::Closed => None,
    }
}

/// The child's end and ours: a pipe(2) for a standard stream, which programs expect, beyond that a socketpair(2).
fn both_ends(index: usize) -> Result<(OwnedFd, OwnedFd)> {
    if index > STDERR {
        let (theirs, ours) = UnixStream::pair().map_err(|error| io_failure(Step::Fds, "socketpair", &error))?;
        return Ok((lift(theirs.into())?, lift(ours.into())?));
    }
    let (read, write) = sys::fd::pipe().map_err(Failure::at(Step::Fds, PIPE_CALL))?;
    Ok(if index == STDIN { (read, write) } else { (write, read) })
}

/// What is left of the pipes of a child that did not start: our ends, the others closed. `piped`: by its descriptors.
pub(crate) fn broken_pipes(piped: &[bool]) -> Result<Vec<Option<OwnedFd>>> {
    let ours = |(index, piped): (usize, &bool)| piped.then(|| both_ends(index).map(|(_theirs, ours)| ours)).transpose();
    piped.iter().enumerate().map(ours).collect()
}

pub(super) fn open_null() -> Result<OwnedFd> {
    let null = open(c"/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty());
    null.and_then(sys::fd::lift).map_err(|errno| Failure::new(Step::Fds, "open", errno).about("/dev/null"))
}

pub(super) fn lift(fd: OwnedFd) -> Result<OwnedFd> {
    sys::fd::lift(fd).map_err(Failure::at(Step::Fds, "fcntl"))
}
