//! From one exec to the next: how a program is run, and what else is tried when the kernel does not take it.

use super::request::Patience;
use super::ways::{ExecWay, ways};
use crate::failure::{Failure, Result, Step};
use crate::program::{Image, Program, Subject};
use crate::sys::proc;
use nix::errno::Errno;
use std::ffi::CString;
use std::iter::Take;
use std::os::fd::RawFd;
use std::slice::Iter;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How the child runs its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exec {
    /// None: by the path that the caller gave.
    way: Option<ExecWay>,
    /// Whether the program's descriptor stays open in it, for whoever runs it in the kernel's place (binfmt_misc).
    pub(super) keep: bool,
    /// Whether it is a script whose interpreter the kernel is to find: it stays open in any case.
    script: bool,
}

impl Exec {
    /// What execve(2) is given. None: execveat(2) is given the descriptor itself. The interpreter of a script is told by
    /// what path it was found (`$0`), and execveat says /dev/fd/N there.
    pub(super) fn path(&self, subject: &Subject, program: RawFd) -> Option<CString> {
        match (subject, self.way) {
            (Subject::Path(path), _) => Some(path.clone()),
            (_, Some(ExecWay::ProcFd)) if self.script => CString::new(format!("/dev/fd/{program}")).ok(),
            (_, Some(ExecWay::ProcFd)) => Some(proc::path_of(program)),
            (_, Some(ExecWay::Held) | None) => None,
        }
    }
}

/// The tries of one start.
#[derive(Debug)]
pub(super) struct Tries<'a> {
    /// None: only the kernel knows it.
    program: Option<&'a Program>,
    exec: Exec,
    /// Whether the child sees our own /proc.
    proc: bool,
    waits: Take<Iter<'static, Duration>>,
    /// What a policy said to the first way, which is what is told if the second fails too.
    first: Option<Failure>,
}

/// Between the tries where the program is open for writing somewhere (ETXTBSY): a fork elsewhere may hold a copy of
/// the descriptor for a moment (golang/go 22315).
const BUSY: [Duration; 3] = [Duration::from_millis(1), Duration::from_millis(4), Duration::from_millis(16)];

/// The machine (e_machine) whose programs binfmt_misc last ran here, plus one: the next is not tried in vain before.
static HANDLED: AtomicU32 = AtomicU32::new(0);

/// e_machine of this build (elf.h).
const OUR_MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

impl<'a> Tries<'a> {
    /// `proc`: whether the child sees our own /proc.
    pub(super) fn begin(image: &'a Image, proc: bool, patience: &Patience) -> Result<Tries<'a>> {
        let exec = Exec { way: None, keep: false, script: image.runs_script() };
        let waits = BUSY.iter().take(if patience.may_sleep { BUSY.len() } else { 0 });
        let mut tries = Tries { program: image.program().map(AsRef::as_ref), exec, proc, waits, first: None };
        if let Some(program) = tries.program {
            tries.take(program, ways()?.exec(proc).ok_or_else(ExecWay::unavailable)?)?;
        }
        Ok(tries)
    }

    /// Looks, as far as that way needs it before the start.
    fn take(&mut self, program: &Program, way: ExecWay) -> Result<()> {
        self.exec.way = Some(way);
        if self.exec.script {
            return Ok(());
        }
        if way == ExecWay::ProcFd {
            program.deny_before()?;
        }
        self.exec.keep = Tries::keep_at_once(way, program);
        Ok(())
    }

    /// Whether binfmt_misc is known to run this program. By /proc the kernel does not say ENOENT of a descriptor that the
    /// handler cannot open: there every machine but our own is taken for one that is handled, and our own too where it is
    /// emulated.
    fn keep_at_once(way: ExecWay, program: &Program) -> bool {
        let handled = HANDLED.load(Ordering::Relaxed);
        if way == ExecWay::Held && handled == 0 {
            return false; // and nothing is read
        }
        program.handled_machine().is_some_and(|machine| match way {
            ExecWay::Held => u32::from(machine) + 1 == handled,
            ExecWay::ProcFd => machine != OUR_MACHINE || ways().is_ok_and(|ways| ways.emulated),
        })
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
            (Errno::ENOSYS | Errno::EPERM, Some(program)) if self.exec.way == Some(ExecWay::Held) => {
                self.turn_to_proc(program, failure)?;
            }
            (Errno::ENOENT, Some(program)) if self.may_be_handled(program) => self.exec.keep = true,
            (Errno::ENOENT, Some(program)) => return Err(program.explain_enoent(failure, self.exec.script)),
            _ => return Err(self.first.take().unwrap_or(failure)),
        }
        Ok(())
    }

    fn may_be_handled(&self, program: &Program) -> bool {
        !self.exec.keep && !self.exec.script && program.handled_machine().is_some()
    }

    /// execveat is refused: by a filter that was set after it had worked, or by a policy about this program (fapolicyd,
    /// an LSM), which the other way is told too.
    fn turn_to_proc(&mut self, program: &Program, failure: Failure) -> Result<()> {
        if !self.proc || !proc::is_there() {
            return Err(if failure.errno == Errno::ENOSYS { ExecWay::unavailable() } else { failure });
        }
        self.take(program, ExecWay::ProcFd)?;
        // ENOSYS says nothing about the program, so there the second answer is the one to be told.
        self.first = Some(failure).filter(|failure| failure.errno == Errno::EPERM);
        Ok(())
    }

    /// The program runs.
    pub(super) fn worked(&self) {
        if self.exec.keep
            && let Some(machine) = self.program.and_then(Program::handled_machine)
        {
            HANDLED.store(u32::from(machine) + 1, Ordering::Relaxed);
        }
    }
}
