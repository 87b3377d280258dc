//! Tests: starts where the kernel refuses calls that it took when the ways were found, by a filter that a thread has set
//! for itself meanwhile.

use super::start::start_by;
use super::ways::ways;
use super::{Cwd, Environment, Patience, Request, Scope, Started, Stdio, Target};
use crate::failure::{Failure, Reason, Step};
use crate::program::Scripts;
use crate::root::Directory;
use crate::sys::clone::Memory;
use crate::sys::filter::{refuse, rules};
use crate::sys::pidfd::Status;
use crate::sys::strings::Strings;
use nix::errno::Errno;
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

const MEMORIES: [Memory; 2] = [Memory::Shared, Memory::Copied];

fn strings(texts: &[&str]) -> Arc<Strings> {
    Arc::new(Strings::new(texts.iter().map(|text| CString::new(*text).unwrap()).collect()))
}

fn begin(memory: Memory, name: &str, argv: &[&str]) -> Result<Started, Failure> {
    let root = Arc::new(Directory::open(c"/").unwrap());
    let request = Request {
        target: Target::Named { root, name: CString::new(name).unwrap() },
        argv: strings(argv),
        environment: Environment::Given(strings(&[])),
        cwd: Cwd::Here,
        stdio: vec![Stdio::Null, Stdio::Pipe, Stdio::Null],
        attributes: Arc::default(),
        scope: Scope::Process,
        kept: false,
        seal: None,
        scripts: Scripts::Deny,
    };
    start_by(memory, &request, &Patience::new(None, Arc::default(), true))
}

/// What a shell says to this.
fn shell(memory: Memory, script: &str) -> Result<String, Failure> {
    let mut started = begin(memory, "bin/sh", &["sh", "-c", script])?;
    let mut said = String::new();
    File::from(started.streams.remove(1).unwrap()).read_to_string(&mut said).unwrap();
    assert_eq!(started.child.wait().unwrap().status, Status::Code(0));
    Ok(said)
}

/// On a thread of its own, where from then on these calls are refused.
fn where_refused(list: &str, test: impl FnOnce() + Send) {
    ways().unwrap();
    let rules = rules(list).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            refuse(&rules).unwrap();
            test();
        });
    });
}

/// How much may be open, at most.
fn hard_limit() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(4).unwrap().parse().unwrap_or(u64::MAX)
}

#[test]
fn a_start_works_whatever_is_refused() {
    for list in [
        "",
        "execveat",
        "execveat=EPERM",
        "clone3",
        "clone3=EPERM",
        "clone3=EINVAL",
        "clone3,clone:pidfd=EINVAL",
        "clone3=EPERM,clone:pidfd=EPERM",
        "waitid:pidfd=EINVAL",
        "pidfd_send_signal,waitid:pidfd=EPERM",
        "close_range",
        "close_range=EPERM",
        "execveat=EPERM,clone3,clone:pidfd=EINVAL,waitid:pidfd=EINVAL,pidfd_send_signal,close_range",
    ] {
        where_refused(list, || {
            for memory in MEMORIES {
                assert_eq!(shell(memory, "echo $0").unwrap(), "sh\n", "{list} {memory:?}");
            }
        });
    }
}

#[test]
fn a_child_is_signalled_and_reaped_once_whatever_is_refused() {
    for (list, pidfd) in [
        ("", true),
        ("pidfd_send_signal", true),
        ("pidfd_send_signal=EPERM,waitid:pidfd=EINVAL", true),
        ("clone3,clone:pidfd=EINVAL", false),
    ] {
        where_refused(list, || {
            for memory in MEMORIES {
                let child = begin(memory, "bin/sleep", &["sleep", "60"]).unwrap().child;
                assert_eq!(child.pidfd() >= 0, pidfd, "{list}");
                assert!(matches!(child.ended(), Ok(None)));
                assert_eq!(child.kill(0), Ok(()));
                assert_eq!(child.kill(libc::SIGKILL), Ok(()));
                assert_eq!(child.wait().unwrap().status, Status::Signal(libc::SIGKILL), "{list} {memory:?}");
                assert_eq!(child.kill(0), Err(Errno::ESRCH));
                assert!(matches!(child.ended(), Err(Errno::ECHILD)));
                assert_eq!(child.wait().unwrap_err(), Errno::ECHILD);
            }
        });
    }
}

#[test]
fn a_start_that_fails_says_the_same_whatever_is_refused() {
    for (list, syscall, errno) in [
        ("", "execveat", Errno::EACCES),
        ("close_range,clone3,clone:pidfd", "execveat", Errno::EACCES),
        ("execveat", "execve", Errno::EACCES),
        // It may have been a policy about this program, which is then what is told.
        ("execveat=EPERM", "execveat", Errno::EPERM),
    ] {
        where_refused(list, || {
            for memory in MEMORIES {
                let failure = begin(memory, "etc/passwd", &["x"]).unwrap_err();
                let first = (failure.step, failure.errno, failure.reason);
                assert_eq!(first, (Step::Exec, errno, None), "{list} {memory:?}");
                assert_eq!(failure.syscall, syscall);
            }
        });
    }
}

#[test]
fn a_script_is_denied_before_the_start_where_its_interpreter_would_run() {
    let path = std::env::temp_dir().join(format!("command-root-script-{}", std::process::id()));
    // Not open for writing in this process, or its children would hold it (ETXTBSY).
    let made =
        std::process::Command::new("sh").args(["-c", "printf '#!/bin/sh\\n' > $0; chmod +x $0"]).arg(&path).status();
    assert!(made.unwrap().success());
    for list in ["", "execveat", "execveat=EPERM"] {
        where_refused(list, || {
            let name = path.to_str().unwrap().trim_start_matches('/');
            let failure = begin(Memory::Shared, name, &["x"]).unwrap_err();
            assert_eq!((failure.step, failure.reason), (Step::Exec, Some(Reason::ScriptDenied)), "{list}");
            assert_eq!(failure.detail.as_deref(), Some("its interpreter is /bin/sh"));
        });
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn descriptors_are_closed_whatever_is_refused() {
    let null = File::open("/dev/null").unwrap();
    // Inheritable, as a careless library leaves it; a number that nobody else here uses.
    crate::sys::fd::leave_open_at(&null, 611).unwrap();
    let script = "[ -e /proc/self/fd/611 ] && echo open || echo closed";
    for list in ["", "close_range", "close_range=EPERM"] {
        where_refused(list, || {
            for memory in MEMORIES {
                assert_eq!(shell(memory, script).unwrap(), "closed\n", "{list} {memory:?}");
            }
        });
    }
    // Neither close_range nor a list: one by one where that has an end, or not at all. A hard limit that cannot be told is
    // one that is too high.
    for (list, may) in [("close_range,getdents64", hard_limit() <= 65_536), ("close_range,getdents64,prlimit64", false)]
    {
        where_refused(list, || {
            for memory in MEMORIES {
                let said = shell(memory, script);
                assert_eq!(said.is_ok(), may, "{list} {memory:?}");
                match said {
                    Ok(said) => assert_eq!(said, "closed\n"),
                    Err(failure) => {
                        assert_eq!((failure.step, failure.syscall), (Step::Fds, "close_range"));
                        assert_eq!((failure.errno, failure.reason), (Errno::ENOSYS, Some(Reason::Unavailable)));
                        assert!(failure.detail.unwrap().starts_with("closeFds"));
                    }
                }
            }
        });
    }
}
