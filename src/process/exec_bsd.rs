//! How a program is run on FreeBSD (by its descriptor) and on macOS, where that cannot be: by a path of the kernel's own
//! that names the file, or by one that is ours alone; and what else is tried when the kernel does not take it.

use super::request::Patience;
use super::ways::{ExecWay, ways};
use crate::failure::{Failure, Result, Step};
use crate::program::{Image, Program, Subject};
use nix::errno::Errno;
use std::ffi::CString;
use std::iter::Take;
use std::os::fd::RawFd;
use std::slice::Iter;
use std::time::Duration;

#[cfg(target_os = "macos")]
use {
    super::reap::Child,
    crate::sys::private_copy::PrivateCopy,
    crate::sys::{spawn, volfs},
    std::os::fd::AsFd,
};

/// How the child runs its program.
#[derive(Debug)]
pub(super) struct Exec {
    /// None: by the path that the caller gave.
    way: Option<ExecWay>,
    /// What that way found; None: by the descriptor itself.
    path: Option<CString>,
    /// Whether the program's descriptor stays open in it; nobody runs it in the kernel's place.
    pub(super) keep: bool,
    /// What the path leads to.
    #[cfg(target_os = "macos")]
    copy: Option<PrivateCopy>,
}

impl Exec {
    fn by_caller() -> Exec {
        Exec {
            way: None,
            path: None,
            keep: false,
            #[cfg(target_os = "macos")]
            copy: None,
        }
    }

    /// What execve(2) is given. None: the descriptor itself is to be run.
    pub(super) fn path(&self, subject: &Subject, _program: RawFd) -> Option<CString> {
        match subject {
            Subject::Path(path) => Some(path.clone()),
            Subject::Held(_) => self.path.clone(),
        }
    }
}

/// The tries of one start.
#[derive(Debug)]
pub(super) struct Tries<'a> {
    /// None: only the kernel knows it.
    program: Option<&'a Program>,
    /// A script whose interpreter the kernel is to find.
    script: bool,
    exec: Exec,
    waits: Take<Iter<'static, Duration>>,
    /// What was said to the first way, which is what is told if the second fails too.
    first: Option<Failure>,
}

/// Between the tries where the program is open for writing somewhere (ETXTBSY): a fork elsewhere may hold a copy of
/// the descriptor for a moment (golang/go 22315).
const BUSY: [Duration; 3] = [Duration::from_millis(1), Duration::from_millis(4), Duration::from_millis(16)];

impl<'a> Tries<'a> {
    /// `paths`: whether the child finds by a path what we find by it.
    pub(super) fn begin(image: &'a Image, paths: bool, patience: &Patience) -> Result<Tries<'a>> {
        let waits = BUSY.iter().take(if patience.may_sleep { BUSY.len() } else { 0 });
        let program = image.program().map(AsRef::as_ref);
        let script = image.runs_script();
        let mut tries = Tries { program, script, exec: Exec::by_caller(), waits, first: None };
        if let Some(program) = program {
            let way = ways()?.exec(paths).ok_or_else(ExecWay::unavailable)?;
            if !script {
                // Each of these ways would start a script's interpreter.
                program.deny_before()?;
            }
            tries.take(program, way)?;
        }
        Ok(tries)
    }

    #[cfg(target_os = "freebsd")]
    fn take(&mut self, _program: &Program, way: ExecWay) -> Result<()> {
        self.exec.way = Some(way);
        Ok(())
    }

    #[cfg(target_os = "macos")]
    fn take(&mut self, program: &Program, way: ExecWay) -> Result<()> {
        let failed = Failure::at(Step::Exec, "execve");
        let exec = &mut self.exec;
        exec.way = Some(way);
        match way {
            ExecWay::Volfs => {
                spawn::prepare_exec().map_err(&failed)?;
                exec.path = Some(volfs::path_of(program.as_fd()).map_err(&failed)?);
            }
            ExecWay::PrivateCopy => {
                let copy = program.private_copy()?;
                exec.path = Some(copy.path());
                exec.copy = Some(copy);
            }
        }
        Ok(())
    }

    pub(super) fn exec(&self) -> &Exec {
        &self.exec
    }

    /// After a failure: whether to try once more. An error: why the start failed.
    pub(super) fn again(&mut self, failure: Failure) -> Result<()> {
        if failure.step != Step::Exec || failure.reason.is_some() {
            return Err(failure);
        }
        match (failure.errno, self.program) {
            (Errno::ETXTBSY, _) => match self.waits.next() {
                Some(wait) => std::thread::sleep(*wait),
                None => return Err(failure),
            },
            #[cfg(target_os = "macos")]
            (_, Some(program)) if self.exec.way == Some(ExecWay::Volfs) && may_be_copied(failure.errno) => {
                self.first = Some(failure);
                if self.take(program, ExecWay::PrivateCopy).is_err() {
                    return Err(self.told(Errno::ENOENT));
                }
            }
            (errno, _) => {
                self.first.get_or_insert(failure);
                return Err(self.told(errno));
            }
        }
        Ok(())
    }

    /// The failure that is told in the end.
    fn told(&mut self, errno: Errno) -> Failure {
        let failure = self.first.take().unwrap_or_else(|| Failure::new(Step::Exec, "execve", errno));
        match self.program {
            Some(program) if failure.errno == Errno::ENOENT => program.explain_enoent(failure, self.script),
            _ => failure,
        }
    }

    /// The program runs.
    pub(super) fn worked(&self) {}
}

/// Whether the kernel did not find, by its number, a file that is held: it has no name any more, or another's.
#[cfg(target_os = "macos")]
fn may_be_copied(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::ENOTDIR | Errno::ESTALE)
}

#[cfg(target_os = "macos")]
impl Exec {
    /// Whether the child is made to stand still before the program's first instruction.
    pub(super) fn is_looked_at(&self) -> bool {
        self.way == Some(ExecWay::Volfs)
    }

    /// A child that stands still is let go if what it runs is what was held, and ended otherwise.
    pub(super) fn confirm(&self, image: &Image, child: &Child) -> Result<()> {
        let Some(program) = image.program().filter(|_| self.is_looked_at()) else { return Ok(()) };
        let failure = match volfs::runs(child.pid(), program.as_fd()) {
            Ok(true) => match child.kill_process(libc::SIGCONT) {
                Ok(()) => return Ok(()),
                Err(errno) => Failure::new(Step::Exec, "kill", errno),
            },
            Ok(false) => Failure::new(Step::Exec, "execve", Errno::ESTALE).detail("another file had its place"),
            Err(errno) => Failure::new(Step::Exec, "proc_pidinfo", errno),
        };
        let _ = child.kill_process(libc::SIGKILL);
        // ECHILD: somebody else's waitpid(-1) was first; it is gone all the same.
        let _ = child.wait();
        Err(failure)
    }
}
