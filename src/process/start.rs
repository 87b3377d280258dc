//! One start: resolve, plan, make the child, watch it until it runs the program or has told why not.

use super::child::{Act, Body};
use super::ends::{Ends, lift};
use super::exec::{Exec, Tries};
use super::plan::{Move, Plan, plan};
use super::reap::{Child, Scope};
use super::request::{Patience, Request};
use super::watch::Watch;
use super::ways::ways;
use crate::failure::{Failure, Reason, Result, Step};
use crate::program::{Image, Program, Wish};
use crate::sys::clone::{Born, Memory};
use crate::sys::strings::Strings;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
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
    start_by(ways()?.memory, request, patience)
}

pub(super) fn start_by(memory: Memory, request: &Request, patience: &Patience) -> Result<Started> {
    if patience.is_aborted() {
        return Err(Failure::new(Step::Fork, "clone3", Errno::ECANCELED).because(Reason::Aborted));
    }
    let program = sealed(request.target.open()?, request, patience)?;
    let cwd = request.cwd.open()?;
    let ends = Ends::open(&request.stdio)?;
    let envp = request.environment.strings();
    let number = request.stdio.len();
    let wish = Wish { scripts: request.scripts, seal: request.seal.as_ref(), argv: &request.argv, envp: &envp, number };
    let image = Image::of(program, &wish)?;
    let whole = Whole { image: &image, envp: &envp, cwd: cwd.as_ref(), ends: &ends, request };

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
    cwd: Option<&'a OwnedFd>,
    ends: &'a Ends,
    request: &'a Request,
}

/// Makes one child and waits until it runs the program.
fn attempt(memory: Memory, whole: &Whole<'_>, exec: Exec, patience: &Patience) -> Result<Child> {
    let Whole { image, envp, cwd, ends, request } = whole;
    let pipe = ErrorPipe::open(memory)?;
    let needed = [Some(image.program.as_fd()), cwd.map(AsFd::as_fd), pipe.as_ref().map(|pipe| pipe.theirs.as_fd())];
    let needed: Vec<_> = needed.iter().flatten().map(AsRawFd::as_raw_fd).collect();
    let mut sources = ends.sources();
    let script_number = sources.len() as RawFd;
    sources.extend(image.script.as_ref().map(|script| Some(script.as_fd().as_raw_fd())));
    let Plan { moves, needed } = plan(&sources, &needed);

    // In the order in which they were given.
    let mut needed = needed.into_iter();
    let held = needed.next().unwrap_or(-1);
    // A script that the kernel is to run: by the descriptor that its interpreter can open again.
    let program = if image.runs_script() { script_number } else { held };
    let cwd = cwd.and_then(|_| needed.next());
    let errors = pipe.as_ref().and_then(|_| needed.next());

    let group = match (request.detached, request.scope) {
        (true, _) => Some(Act::NewSession),
        (false, Scope::Group) => Some(Act::NewGroup),
        (false, Scope::Process) => None,
    };
    let acts = group
        .into_iter()
        .chain(moves.into_iter().map(Act::Move))
        .chain(exec.keep.then_some(Act::Move(Move::Stay { fd: program })))
        .chain(cwd.map(Act::ChangeDirectory))
        .chain([Act::ResetSignals])
        .collect();
    let body = Body::new(acts, (program, exec.path(program)), Arc::clone(&image.argv), Arc::clone(envp), errors);
    let mut body = body.map_err(Failure::at(Step::Fork, "mmap"))?;

    let Born { pid, pidfd } = body.make(memory).map_err(Failure::at(Step::Fork, "clone3"))?;
    let child = Child::new(pid, pidfd, request.scope, request.kept);
    let watch = Watch { body: &body, child: &child, patience, until: patience.until() };
    match pipe {
        None => watch.memory()?,
        Some(pipe) => watch.pipe(pipe.into_ours())?,
    }
    Ok(child)
}

/// Through which a child tells how far it is, where it has a copy of our memory.
struct ErrorPipe {
    ours: OwnedFd,
    theirs: OwnedFd,
}

impl ErrorPipe {
    fn open(memory: Memory) -> Result<Option<ErrorPipe>> {
        if memory == Memory::Shared {
            return Ok(None);
        }
        let (ours, theirs) = pipe2(OFlag::O_CLOEXEC).map_err(Failure::at(Step::Fds, "pipe2"))?;
        Ok(Some(ErrorPipe { ours: lift(ours)?, theirs: lift(theirs)? }))
    }

    /// Ours alone, so that it ends when the child's does.
    fn into_ours(self) -> OwnedFd {
        self.ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Cwd, Environment, Stdio, Target};
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
            detached: false,
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

    fn status(started: &Started) -> Option<Status> {
        started.child.wait().unwrap()
    }

    #[test]
    fn a_program_runs_and_ends() {
        for memory in WAYS {
            for (name, expected) in [("bin/true", Status::Code(0)), ("bin/false", Status::Code(1))] {
                let started = start_by(memory, &request(name, &["x"], silent()), &patience()).unwrap();
                assert_eq!(status(&started), Some(expected), "{memory:?}");
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
            assert_eq!(status(&started), Some(Status::Code(0)));
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
                ("bin/true", Cwd::Path { from: None, path: file.clone() }, Step::Chdir, "open", Errno::ENOTDIR),
            ];
            for (name, cwd, step, syscall, errno) in cases {
                let request = Request { cwd, ..request(name, &["x"], silent()) };
                let failure = start_by(memory, &request, &patience()).unwrap_err();
                assert_eq!((failure.step, failure.syscall, failure.errno), (step, syscall, errno), "{memory:?} {name}");
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
            assert_eq!(status(&started), Some(Status::Signal(libc::SIGKILL)));
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
