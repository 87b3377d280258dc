//! From the flat request of lib/ to one that owns all it will use.

use super::files::{Directory, Program};
use super::values::{Identity, c_string};
use crate::failure::{Failure, Result, Step};
use crate::process::{self, Cwd, Environment, Scope, Stdio, Target};
use crate::program::{self, Scripts, Seal};
use crate::sys;
use crate::sys::strings::Strings;
use napi::Either;
use napi_derive::napi;
use nix::errno::Errno;
use std::ffi::CString;
use std::sync::Arc;

/// What is to be started, and how.
#[napi(object, object_to_js = false)]
pub struct Request {
    /// the program's name under the Root given beside this
    pub name: Option<String>,
    /// or a descriptor that holds the program; duplicated before the call returns
    pub program_fd: Option<i32>,
    /// what that descriptor held when the command was made; another file is ESTALE
    pub program_identity: Option<Identity>,
    pub argv: Vec<String>,
    /// 'KEY=value'; absent: this process's own, read natively (on the main thread only)
    pub env: Option<Vec<String>>,
    /// beneath `cwdRoot` where that is given, else a path of this process; absent: its own directory
    pub cwd: Option<String>,
    /// for each of the child's descriptors: a number (that of ours), 'pipe', 'ignore' or 'stdout' (what 1 is)
    #[napi(ts_type = "Array<number | 'pipe' | 'ignore' | 'stdout'>")]
    pub stdio: Vec<Either<i32, String>>,
    /// setsid
    pub detached: bool,
    /// a group of its own, which signals are for
    pub group: bool,
    /// run a sealed copy, made at this start
    pub seal: bool,
    /// which must have this content (lower-case hex)
    pub sha256: Option<String>,
    #[napi(ts_type = "'deny' | 'kernel' | 'root'")]
    pub scripts: String,
}

/// When a start happens: what is taken at the call, and what may wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Before the call returns.
    Now,
    /// On another thread, while this process goes on and may change its directory and environment.
    Later,
}

impl Request {
    pub(super) fn own(
        self,
        when: When,
        root: Option<&Directory>,
        program: Option<&Program>,
        cwd_root: Option<&Directory>,
    ) -> Result<process::Request> {
        Ok(process::Request {
            target: target(self.name, self.program_fd, self.program_identity, root, program)?,
            argv: Arc::new(Strings::new(c_strings(self.argv)?)),
            environment: environment(self.env, when)?,
            cwd: cwd(self.cwd, cwd_root, when)?,
            stdio: self.stdio.into_iter().enumerate().map(stdio).collect::<Result<_>>()?,
            detached: self.detached,
            scope: if self.group { Scope::Group } else { Scope::Process },
            kept: false,
            seal: self.seal.then_some(Seal { sha256: self.sha256 }),
            scripts: scripts(&self.scripts),
        })
    }
}

fn target(
    name: Option<String>,
    fd: Option<i32>,
    identity: Option<Identity>,
    root: Option<&Directory>,
    program: Option<&Program>,
) -> Result<Target> {
    match (root, program, fd) {
        (Some(root), ..) => {
            Ok(Target::Named { root: Arc::clone(root.get()?), name: c_string(name.unwrap_or_default())? })
        }
        (_, Some(program), _) => Ok(Target::Held(Arc::clone(program.get()?))),
        (.., fd) => {
            let fd = sys::fd::duplicate(fd.unwrap_or(-1)).map_err(Failure::at(Step::Open, "fcntl"))?;
            let expected = |found: program::Identity| identity.is_none_or(|noted| noted == Identity::from(found));
            Ok(Target::Held(Arc::new(program::Program::held(fd, expected)?)))
        }
    }
}

fn environment(env: Option<Vec<String>>, when: When) -> Result<Environment> {
    match (env, when) {
        (Some(env), _) => Ok(Environment::Given(Arc::new(Strings::new(c_strings(env)?)))),
        (None, When::Now) => Ok(Environment::Own),
        (None, When::Later) => Ok(Environment::Given(Arc::new(Strings::new(sys::environment::snapshot())))),
    }
}

fn cwd(path: Option<String>, root: Option<&Directory>, when: When) -> Result<Cwd> {
    let Some(path) = path else {
        return match when {
            When::Now => Ok(Cwd::Here),
            When::Later => Cwd::here().map(Cwd::Held).or_else(|failure| match failure.errno {
                // One that may not be searched cannot be held; it is handed on as it is, as by fork(2).
                Errno::EACCES => Ok(Cwd::Here),
                _ => Err(failure),
            }),
        };
    };
    if let Some(root) = root {
        return Ok(Cwd::Beneath { root: Arc::clone(root.get()?), name: c_string(path)? });
    }
    let from = if path.starts_with('/') || when == When::Now { None } else { Some(Cwd::here()?) };
    Ok(Cwd::Path { from, path: c_string(path)? })
}

fn stdio((index, form): (usize, Either<i32, String>)) -> Result<Stdio> {
    match form {
        Either::A(number) => Stdio::given(index, number),
        Either::B(word) => match word.as_str() {
            "pipe" => Ok(Stdio::Pipe),
            "ignore" => Ok(Stdio::Null),
            "stdout" => Ok(Stdio::Stdout),
            _ => Err(Failure::new(Step::Fds, "dup3", Errno::EINVAL)),
        },
    }
}

fn scripts(word: &str) -> Scripts {
    match word {
        "kernel" => Scripts::Kernel,
        "root" => Scripts::Root,
        _ => Scripts::Deny,
    }
}

fn c_strings(texts: Vec<String>) -> Result<Vec<CString>> {
    texts.into_iter().map(c_string).collect()
}
