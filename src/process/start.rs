//! One start: resolve, plan, make the child, watch it until it runs the program or has told why not.

use super::attributes::Attributes;
use super::birth::{self, Joining};
use super::child::{Body, Kept};
use super::dumpable::{Dumpable, memory_for};
use super::ends::Ends;
use super::exec::{Exec, Tries};
use super::means::{Gate, Means};
use super::reap::Child;
use super::request::{Found, Patience, Request};
#[cfg(target_os = "linux")]
use super::settle::settle;
use super::slots::{self, Slots};
#[cfg(target_os = "macos")]
use super::spawned;
use super::table::Table;
use super::watch::Watch;
use super::ways::ways;
use crate::failure::{Failure, Reason, Result, Step};
use crate::program::{Image, Program, Wish};
use crate::sys;
use crate::sys::clone::{self, Born, Memory};
use crate::sys::fd::PIPE_CALL;
use crate::sys::strings::Strings;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// A program that runs.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) child: Child,
    /// Our ends of the pipes, by the child's descriptor.
    pub(crate) streams: Vec<Option<OwnedFd>>,
}

/// Starts what `request` asks for. When it fails nothing is left: no child, zombie or descriptor.
pub(crate) fn start(request: &Request, patience: &Patience) -> Result<Started> {
    start_by(memory_for(&request.attributes, ways()?.memory), request, patience)
}

pub(super) fn start_by(memory: Memory, request: &Request, patience: &Patience) -> Result<Started> {
    if patience.is_aborted() {
        return Err(Failure::new(Step::Fork, clone::CALL, Errno::ECANCELED).because(Reason::Aborted));
    }
    request.attributes.available()?;
    let means = Means::open(request)?;
    let found = request.target.open(&means)?;
    let envp = request.environment.strings();
    let image = image(found, &envp, &means, request, patience)?;
    let ends = Ends::open(&request.stdio)?;
    let whole = Whole { image: &image, envp: &envp, means: &means, ends: &ends, request };

    let mut tries = Tries::begin(&image, request.sees_our_proc(), patience)?;
    loop {
        match attempt(memory, &whole, tries.exec(), patience) {
            Ok(child) => {
                tries.worked();
                return Ok(Started { child, streams: ends.ours });
            }
            Err(failure) => tries.again(failure)?,
        }
    }
}

/// What exec will be given.
fn image(found: Found, envp: &Strings, means: &Means, request: &Request, patience: &Patience) -> Result<Image> {
    let program = match found {
        Found::Held(program) => sealed(program, request, patience)?,
        Found::Path(path) => return Ok(Image::by_path(path, &request.argv)),
    };
    let wish = Wish {
        scripts: request.scripts,
        seal: request.seal.as_ref(),
        argv: &request.argv,
        envp,
        number: request.stdio.len(),
        root: means.chroot.as_ref(),
    };
    Image::of(program, &wish)
}

/// The program, or its sealed copy where that is asked for.
fn sealed(program: Arc<Program>, request: &Request, patience: &Patience) -> Result<Arc<Program>> {
    let Some(seal) = &request.seal else { return Ok(program) };
    program.seal(seal, || patience.goes_on()).map_err(|failure| match failure.errno {
        Errno::ECANCELED if patience.is_aborted() => failure.because(Reason::Aborted),
        Errno::ECANCELED => Failure { errno: Errno::ETIMEDOUT, ..failure },
        _ => failure,
    })
}

/// What each attempt to make the child uses.
struct Whole<'a> {
    image: &'a Image,
    envp: &'a Arc<Strings>,
    means: &'a Means,
    ends: &'a Ends,
    request: &'a Request,
}

/// Makes one child and waits until it runs the program: in our descriptor table, where that can be; in a cgroup by birth,
/// where that can be.
fn attempt(memory: Memory, whole: &Whole<'_>, exec: &Exec, patience: &Patience) -> Result<Child> {
    let make = |joining, slots| attempt_in(joining, slots, memory, whole, exec, patience);
    if let Some(slots) = whole.slots(memory, patience) {
        match make(None, Some(slots)) {
            Err(failure) if slots::is_refused(&failure) => {}
            result => return result,
        }
    }
    let Some(cgroup) = &whole.means.cgroup else { return make(None, None) };
    match make(Some(Joining::by_birth(cgroup)), None) {
        Err(failure) if birth::is_refused(&failure) => make(Some(Joining::by_hand(cgroup)?), None),
        result => result,
    }
}

impl Whole<'_> {
    /// For a child that needs nothing before its moves but what a bank has room for.
    fn slots(&self, memory: Memory, patience: &Patience) -> Option<Slots> {
        let Whole { means, request, .. } = self;
        let Attributes { keep_fds, namespaces, .. } = &*request.attributes;
        let plain = !keep_fds && namespaces.flags == 0 && means.chroot.is_none() && means.tty.is_none();
        let shares = memory == Memory::Shared && plain && means.cgroup.is_none();
        // The streams, the program, a script and a directory.
        let count = self.ends.given() + 1 + usize::from(self.image.script.is_some()) + usize::from(means.has_cwd());
        shares.then(|| Slots::take(count, patience.may_sleep)).flatten()
    }
}

fn attempt_in(
    joining: Option<Joining>,
    mut slots: Option<Slots>,
    memory: Memory,
    whole: &Whole<'_>,
    exec: &Exec,
    patience: &Patience,
) -> Result<Child> {
    let Whole { image, envp, means, ends, request } = whole;
    let attributes = &request.attributes;
    let pipe = ErrorPipe::open(memory, ends.count())?;
    let gate = Gate::for_child_of(attributes)?;
    let table = Table::lay(image, means, ends, pipe.as_ref(), attributes, slots.as_mut())?;
    let acts = table.todo(request, means, gate.as_ref(), joining.as_ref(), exec.keep).acts();
    let path = exec.path(&image.subject, table.program);
    #[cfg(target_os = "macos")]
    if let Some(pid) = spawned::spawn(&acts, path.as_deref(), (&image.argv, envp), exec.is_looked_at()) {
        let child = Child::new(pid, None, request.scope, request.kept);
        return exec.confirm(image, &child).map(|()| child);
    }
    let kept = Kept {
        argv: Arc::clone(&image.argv),
        envp: Arc::clone(envp),
        _attributes: Arc::clone(attributes),
        _cwd: means.path(),
    };
    let body = Body::new(acts, (table.program, path), kept, table.errors);
    let mut body = body.map_err(Failure::at(Step::Fork, "mmap"))?;

    let until = patience.until();
    let mut dumpable = Dumpable::hold(attributes, memory, until)?;
    let birth = birth::of(memory, slots.is_some(), attributes, joining.as_ref());
    let Born { pid, pidfd } = body.make(&birth).map_err(|errno| birth::failed(errno, &birth))?;
    let child = Child::new(pid, pidfd, request.scope, request.kept);
    let settled = gate.map_or(Ok(()), |gate| {
        #[cfg(target_os = "linux")]
        settle(pid, attributes)?;
        dumpable.mapped();
        gate.open();
        Ok(())
    });
    let watch = Watch { body: &body, child: &child, patience, until };
    let watched = match pipe {
        None => watch.memory(),
        Some(pipe) => watch.pipe(pipe.into_ours()),
    };
    if body.is_alive() {
        // It has not let go, and perhaps never will.
        std::mem::forget(dumpable);
        slots.into_iter().for_each(Slots::lose);
    }
    // Where that failed the child has seen its gate closed, and ended.
    settled?;
    watched?;
    #[cfg(target_os = "macos")]
    exec.confirm(image, &child)?;
    Ok(child)
}

/// Through which a child tells how far it is, where it has a copy of our memory.
pub(super) struct ErrorPipe {
    ours: OwnedFd,
    pub(super) theirs: OwnedFd,
}

impl ErrorPipe {
    /// The child's end has a number that no move touches: it is written to before, between and after them.
    fn open(memory: Memory, count: usize) -> Result<Option<ErrorPipe>> {
        if memory == Memory::Shared {
            return Ok(None);
        }
        let (ours, theirs) = sys::fd::pipe().map_err(Failure::at(Step::Fds, PIPE_CALL))?;
        // A script that stays open comes after those of stdio.
        let beyond = count as RawFd + 1;
        let theirs = sys::fd::duplicate_above(theirs.as_raw_fd(), beyond).map_err(Failure::at(Step::Fds, "fcntl"))?;
        Ok(Some(ErrorPipe { ours, theirs }))
    }

    /// Ours alone, so that it ends when the child's does.
    fn into_ours(self) -> OwnedFd {
        self.ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Scope;
    use crate::process::{At, Cwd, Environment, Place, Stdio, Target};
    use crate::program::Scripts;
    use crate::root::Directory;
    use crate::sys::pidfd::{Exit, Status};
    use crate::sys::strings::Strings;
    use std::ffi::CString;
    use std::fs::File;
    use std::io::Read;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    const WAYS: [Memory; 2] = [Memory::Shared, Memory::Copied];

    fn strings(texts: &[&str]) -> Arc<Strings> {
        Arc::new(Strings::new(texts.iter().map(|text| CString::new(*text).unwrap()).collect()))
    }

    fn request(name: &str, argv: &[&str], stdio: Vec<Stdio>) -> Request {
        let root = Arc::new(Directory::open(c"/").unwrap());
        Request {
            target: Target::Named { root, name: CString::new(name).unwrap() },
            argv: strings(argv),
            environment: Environment::Given(strings(&["A=1"])),
            cwd: Cwd::Here,
            stdio,
            attributes: Arc::default(),
            scope: Scope::Process,
            kept: false,
            seal: None,
            scripts: Scripts::Deny,
        }
    }

    fn silent() -> Vec<Stdio> {
        vec![Stdio::Null, Stdio::Null, Stdio::Null]
    }

    fn patience() -> Patience {
        Patience::new(None, Arc::default(), true)
    }

    fn status(started: &Started) -> Status {
        started.child.wait().unwrap().status
    }

    #[test]
    fn a_program_runs_and_ends() {
        for memory in WAYS {
            for (name, expected) in [("bin/true", Status::Code(0)), ("bin/false", Status::Code(1))] {
                let started = start_by(memory, &request(name, &["x"], silent()), &patience()).unwrap();
                assert_eq!(status(&started), expected, "{memory:?}");
            }
        }
    }

    #[test]
    fn it_has_its_arguments_environment_and_pipes() {
        for memory in WAYS {
            let stdio = vec![Stdio::Null, Stdio::Pipe, Stdio::Stdout];
            let request = request("bin/sh", &["sh", "-c", "echo $0 $A; echo err >&2"], stdio);
            let mut started = start_by(memory, &request, &patience()).unwrap();
            let mut said = String::new();
            File::from(started.streams.remove(1).unwrap()).read_to_string(&mut said).unwrap();
            assert_eq!(said, "sh 1\nerr\n", "{memory:?}");
            assert_eq!(status(&started), Status::Code(0));
        }
    }

    #[test]
    fn a_failed_start_says_where_and_why() {
        let file = CString::new(std::env::current_exe().unwrap().to_str().unwrap()).unwrap();
        for memory in WAYS {
            let cases = [
                ("etc/passwd", Cwd::Here, Step::Exec, "execveat", Errno::EACCES),
                ("no/such/program", Cwd::Here, Step::Resolve, "openat2", Errno::ENOENT),
                ("bin", Cwd::Here, Step::Open, "fstat", Errno::EACCES),
                (
                    "bin/true",
                    Cwd::Place(Place::Path { from: None, path: file.clone() }),
                    Step::Chdir,
                    "open",
                    Errno::ENOTDIR,
                ),
            ];
            for (name, cwd, step, syscall, errno) in cases {
                let request = Request { cwd, ..request(name, &["x"], silent()) };
                let failure = start_by(memory, &request, &patience()).unwrap_err();
                assert_eq!((failure.step, failure.syscall, failure.errno), (step, syscall, errno), "{memory:?} {name}");
            }
        }
    }

    fn at(from: Option<&str>, path: &str, follow: bool) -> Target {
        let from = from.map(|from| File::open(from).unwrap().into());
        Target::At(At { from, path: CString::new(path).unwrap(), follow, root: None })
    }

    #[test]
    fn a_program_is_found_as_execve_and_execveat_find_it() {
        let path = |text: &str| Target::Path(CString::new(text).unwrap());
        let cwd = || Cwd::Place(Place::Path { from: None, path: c"/usr/bin".into() });
        for memory in WAYS {
            for target in [
                path("/usr/bin/true"),
                path("true"),
                path("../bin/true"),
                at(None, "true", true),
                at(None, "/usr/bin/true", true),
                at(Some("/usr"), "bin/true", true),
                at(Some("/usr/share"), "../bin/true", false),
            ] {
                let said = format!("{memory:?} {target:?}");
                let request = Request { target, cwd: cwd(), ..request("", &["x"], silent()) };
                assert_eq!(status(&start_by(memory, &request, &patience()).unwrap()), Status::Code(0), "{said}");
            }
            for (target, step, syscall, errno) in [
                (path("no-such-program"), Step::Exec, "execve", Errno::ENOENT),
                (path("/etc/passwd"), Step::Exec, "execve", Errno::EACCES),
                (at(None, "no-such-program", true), Step::Resolve, "openat", Errno::ENOENT),
                (at(Some("/etc"), "passwd", true), Step::Exec, "execveat", Errno::EACCES),
                (at(None, "/proc/self/exe", false), Step::Open, "fstat", Errno::ELOOP),
            ] {
                let said = format!("{memory:?} {target:?}");
                let request = Request { target, cwd: cwd(), ..request("", &["x"], silent()) };
                let failure = start_by(memory, &request, &patience()).unwrap_err();
                assert_eq!((failure.step, failure.syscall, failure.errno), (step, syscall, errno), "{said}");
            }
        }
    }

    #[test]
    fn what_is_no_longer_wanted_does_not_start() {
        let aborted = Patience::new(None, Arc::new(AtomicBool::new(true)), true);
        let failure = start_by(Memory::Shared, &request("bin/true", &["x"], silent()), &aborted).unwrap_err();
        assert_eq!(failure.reason, Some(Reason::Aborted));
    }

    #[test]
    fn a_signal_reaches_the_child_until_it_is_reaped() {
        for memory in WAYS {
            let started = start_by(memory, &request("bin/sleep", &["sleep", "60"], silent()), &patience()).unwrap();
            assert!(matches!(started.child.ended(), Ok(None)));
            started.child.kill(libc::SIGKILL).unwrap();
            assert_eq!(status(&started), Status::Signal(libc::SIGKILL));
            assert_eq!(started.child.kill(libc::SIGKILL), Err(Errno::ESRCH));
            assert!(matches!(started.child.ended(), Err(Errno::ECHILD)));
        }
    }

    #[test]
    fn the_usage_is_told_with_the_end() {
        let started = start_by(Memory::Shared, &request("bin/true", &["x"], silent()), &patience()).unwrap();
        let exit: Exit = loop {
            if let Some(exit) = started.child.ended().unwrap() {
                break exit;
            }
            std::thread::yield_now();
        };
        assert!(exit.usage.is_some_and(|usage| usage.ru_minflt > 0));
    }
}
