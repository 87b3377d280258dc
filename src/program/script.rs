//! What exec is given in the end: the program itself, or, for a script, what its `#!` line asks for. The kernel would
//! find a script's interpreter from the process's own root and open the script again by name, which both undo what a
//! Root is for.

use super::interpreter::{Interpreter, ScriptLine, is_program};
use super::{Program, Seal};
use crate::failure::{Failure, Reason, Result, Step};
use crate::root::Directory;
use crate::sys::files::{HELD, open_at};
use crate::sys::proc;
use crate::sys::strings::Strings;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// What is done with a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scripts {
    /// Refused: exec of a close-on-exec descriptor says so by itself, at no cost for programs.
    Deny,
    /// As execve(2) does it.
    Kernel,
    /// The interpreter, too, is found beneath the Root, and started by descriptor.
    Root,
}

/// What exec is given.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) subject: Subject,
    pub(crate) argv: Arc<Strings>,
    /// A script that stays open in the child, for its interpreter, as the descriptor after those of stdio.
    pub(crate) script: Option<Arc<Program>>,
}

/// What is run.
#[derive(Debug)]
pub(crate) enum Subject {
    Held(Arc<Program>),
    /// What execve(2) finds there, in the child.
    Path(CString),
}

/// Where a script's interpreter, by way of env, is looked for when the child has no PATH.
const DEFAULT_PATH: &[u8] = b"/usr/bin:/bin";

/// All that decides what a program's image is.
pub(crate) struct Wish<'a> {
    pub(crate) scripts: Scripts,
    pub(crate) seal: Option<&'a Seal>,
    pub(crate) argv: &'a Arc<Strings>,
    pub(crate) envp: &'a Strings,
    /// The child's descriptor that a script would have.
    pub(crate) number: usize,
    /// The child's root directory, where it is not ours.
    pub(crate) root: Option<&'a OwnedFd>,
}

impl Image {
    /// The program that exec is given by descriptor.
    pub(crate) fn program(&self) -> Option<&Arc<Program>> {
        match &self.subject {
            Subject::Held(program) => Some(program),
            Subject::Path(_) => None,
        }
    }

    /// Whether exec is given the script itself, for the kernel to find its interpreter.
    pub(crate) fn runs_script(&self) -> bool {
        let both = self.script.as_ref().zip(self.program());
        both.is_some_and(|(script, program)| Arc::ptr_eq(script, program))
    }

    /// Scripts are the kernel's there: nobody else sees the file.
    pub(crate) fn by_path(path: CString, argv: &Arc<Strings>) -> Image {
        Image { subject: Subject::Path(path), argv: Arc::clone(argv), script: None }
    }

    pub(crate) fn of(program: Arc<Program>, wish: &Wish<'_>) -> Result<Image> {
        let plain = |program| Image { subject: Subject::Held(program), argv: Arc::clone(wish.argv), script: None };
        if wish.scripts == Scripts::Deny {
            return Ok(plain(program));
        }
        let named = program.interpreter().map_err(|failure| Failure { step: Step::Script, ..failure })?;
        let Some(Interpreter::Script(line)) = named else { return Ok(plain(program)) };
        // Not by the kernel's word alone: where /dev/fd is something else, the interpreter would read that.
        if !has_dev_fd(wish.root) {
            let failure = Failure::new(Step::Script, "fstatfs", Errno::ENOENT).because(Reason::Unavailable);
            let what = proc::FILE_SYSTEM;
            return Err(failure
                .detail(format!("scripts (without a /dev/fd that is {what}, by which an interpreter reads them)")));
        }
        if wish.scripts == Scripts::Kernel {
            return by_kernel(program, &line, wish);
        }
        by_interpreter(program, &line, wish)
    }
}

/// Whether the child has a /dev/fd, and the kernel's.
fn has_dev_fd(root: Option<&OwnedFd>) -> bool {
    let directory = HELD | OFlag::O_DIRECTORY;
    match root {
        None => open_at(AT_FDCWD, c"/dev/fd", directory).is_ok_and(|fd| proc::shows_descriptors(fd.as_fd())),
        Some(root) => {
            let found = Directory::seen_from(root).and_then(|root| root.resolve(c"dev/fd", directory));
            found.is_ok_and(|fd| proc::shows_descriptors(fd.as_fd()))
        }
    }
}

/// Exec finds the interpreter itself, and hands on where the script is: /dev/fd/N.
#[cfg(not(target_os = "macos"))]
fn by_kernel(script: Arc<Program>, _line: &ScriptLine, wish: &Wish<'_>) -> Result<Image> {
    let script = script.for_interpreter()?;
    Ok(Image { subject: Subject::Held(Arc::clone(&script)), argv: Arc::clone(wish.argv), script: Some(script) })
}

/// Exec would hand on the name by which it found the script, which is none that lasts: its part is done here.
#[cfg(target_os = "macos")]
fn by_kernel(script: Arc<Program>, line: &ScriptLine, wish: &Wish<'_>) -> Result<Image> {
    let called = c_string(line.name.clone())?;
    let argument = line.argument.clone().map(c_string).transpose()?;
    let argv = interpreted(called.clone(), argument, wish)?;
    Ok(Image { subject: Subject::Path(called), argv, script: Some(script.for_interpreter()?) })
}

/// What an interpreter is told: its name, its argument, where the script is, and the script's own arguments.
fn interpreted(called: CString, argument: Option<CString>, wish: &Wish<'_>) -> Result<Arc<Strings>> {
    let mut argv = vec![called];
    argv.extend(argument);
    argv.push(c_string(format!("/dev/fd/{}", wish.number).into_bytes())?);
    argv.extend(wish.argv.iter().skip(1).map(CStr::to_owned));
    Ok(Arc::new(Strings::new(argv)))
}

fn by_interpreter(script: Arc<Program>, line: &ScriptLine, wish: &Wish<'_>) -> Result<Image> {
    if line.name.is_empty() {
        return Err(Failure::new(Step::Script, "read", Errno::ENOEXEC).detail("its first line names no interpreter"));
    }
    let root = script.found.as_ref().map(|(root, _)| Arc::clone(root)).ok_or_else(|| {
        Failure::new(Step::Script, "read", Errno::EINVAL).detail("there is no Root to find its interpreter in")
    })?;
    let (place, argv0, argument) = locate(&root, line, wish.envp)?;
    let interpreter = Arc::new(Program::find(&root, place).map_err(|failure| at_script(failure, line))?);
    let interpreter = match wish.seal {
        Some(_) => interpreter.seal(&Seal { sha256: None }, || true)?,
        None => interpreter,
    };
    if interpreter.open_for_reading().is_ok_and(|file| !is_program(&file)) {
        return Err(denied(line, NO_PROGRAM));
    }
    let argv = interpreted(argv0, argument, wish)?;
    Ok(Image { subject: Subject::Held(interpreter), argv, script: Some(script.for_interpreter()?) })
}

/// The interpreter's name beneath the Root, what it is called, and its argument. `#!/usr/bin/env X` is X by the child's
/// PATH, taken inside the Root.
fn locate(root: &Directory, line: &ScriptLine, envp: &Strings) -> Result<(CString, CString, Option<CString>)> {
    let called = c_string(line.name.clone())?;
    if line.name == b"/usr/bin/env" {
        let word = line.argument.as_deref().unwrap_or_default();
        let is_plain = !word.is_empty() && !word.iter().any(|byte| matches!(byte, b' ' | b'\t' | b'=' | b'/'));
        if !is_plain || word.starts_with(b"-") {
            return Err(denied(line, "of which only one plain word is understood here"));
        }
        let path = envp.value_of(b"PATH").unwrap_or(DEFAULT_PATH);
        let word = c_string(word.to_vec())?;
        let entries: Vec<&[u8]> = path.split(|byte| *byte == b':').collect();
        let found = root.look_path(&word, &entries).map_err(|failure| at_script(failure, line))?;
        return Ok((found, word, None));
    }
    let place = line.name.iter().position(|byte| *byte != b'/').and_then(|start| line.name.get(start..));
    let argument = line.argument.clone().map(c_string).transpose()?;
    Ok((c_string(place.unwrap_or_default().to_vec())?, called, argument))
}

fn at_script(failure: Failure, line: &ScriptLine) -> Failure {
    let interpreter = line.interpreter();
    let detail = match &failure.detail {
        Some(detail) => format!("its interpreter is {interpreter}: {detail}"),
        None => format!("its interpreter is {interpreter}"),
    };
    Failure { step: Step::Script, ..failure }.detail(detail)
}

fn denied(line: &ScriptLine, why: &str) -> Failure {
    let failure = Failure::new(Step::Script, "read", Errno::ENOEXEC).because(Reason::ScriptDenied);
    failure.detail(format!("its interpreter is {}, {why}", line.interpreter()))
}

const NO_PROGRAM: &str =
    if cfg!(target_os = "macos") { "which is no Mach-O program itself" } else { "which is no ELF program itself" };

/// The line was cut at its first NUL.
fn c_string(bytes: Vec<u8>) -> Result<CString> {
    CString::new(bytes).map_err(|_| Failure::new(Step::Script, "read", Errno::ENOEXEC))
}
