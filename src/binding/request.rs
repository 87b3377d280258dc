//! From the flat request of lib/ to one that owns all it will use.

use super::attributes::{Attributes, cwd};
use super::held::{DIRECTORIES, PROGRAMS, held};
use super::values::{Identity, c_string};
use crate::failure::{Failure, Result, Step};
use crate::process::{self, Environment, Scope, Stdio, Target};
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
    /// the number of the directory that the program is beneath, and its name there
    pub root: Option<u32>,
    pub name: Option<String>,
    /// or the number of a program that is held
    pub program: Option<u32>,
    /// or the path by which the child's own execve(2) finds the program
    pub path: Option<String>,
    /// or what execveat(2) would find, held before there is a child
    pub at: Option<At>,
    /// or a descriptor that holds the program; duplicated before the call returns
    pub program_fd: Option<i32>,
    /// what that descriptor held when the command was made; another file is ESTALE
    pub program_identity: Option<Identity>,
    pub argv: Vec<String>,
    /// 'KEY=value'; absent: this process's own, read natively (on the main thread only)
    pub env: Option<Vec<String>>,
    /// beneath the directory of number `cwdRoot` where that is given, else a path of this process, or, with a chroot, of
    /// the child; absent: its own
    pub cwd: Option<String>,
    pub cwd_root: Option<u32>,
    /// for each of the child's descriptors: a number (that of ours), 'pipe', 'ignore', 'stdout' (what 1 is) or 'closed'
    #[napi(ts_type = "Array<number | 'pipe' | 'ignore' | 'stdout' | 'closed'>")]
    pub stdio: Vec<Either<i32, String>>,
    /// absent: none
    pub attributes: Option<Attributes>,
    /// a group of its own, which signals are for
    pub group: bool,
    /// run a sealed copy, made at this start
    pub seal: bool,
    /// which must have this content (lower-case hex)
    pub sha256: Option<String>,
    #[napi(ts_type = "'deny' | 'kernel' | 'root'")]
    pub scripts: String,
}

/// A name as execveat(2) resolves it.
#[napi(object, object_to_js = false)]
pub struct At {
    pub path: String,
    /// absent: the directory where the child begins
    pub fd: Option<i32>,
    /// a symlink in the last component
    pub follow: bool,
    /// the number of the directory in which a script's interpreter is looked for
    pub root: Option<u32>,
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
    pub(super) fn own(mut self, when: When) -> Result<process::Request> {
        // A child with its own root finds its directory itself.
        let inside = self.attributes.as_ref().is_some_and(|attributes| attributes.chroot.is_some());
        let attributes = self.attributes.take().map(|attributes| attributes.own(when)).transpose()?.unwrap_or_default();
        Ok(process::Request {
            target: self.target()?,
            argv: Arc::new(Strings::new(c_strings(self.argv)?)),
            environment: environment(self.env, when)?,
            cwd: cwd(self.cwd, self.cwd_root, inside, when)?,
            stdio: self.stdio.into_iter().enumerate().map(stdio).collect::<Result<_>>()?,
            attributes: Arc::new(attributes),
            scope: if self.group { Scope::Group } else { Scope::Process },
            kept: false,
            seal: self.seal.then_some(Seal { sha256: self.sha256 }),
            scripts: scripts(&self.scripts),
        })
    }

    fn target(&mut self) -> Result<Target> {
        if let Some(path) = self.path.take() {
            return Ok(Target::Path(c_string(path)?));
        }
        if let Some(at) = self.at.take() {
            return Ok(Target::At(at.own()?));
        }
        if let Some(root) = self.root {
            let name = c_string(self.name.take().unwrap_or_default())?;
            return Ok(Target::Named { root: held(&DIRECTORIES, root)?, name });
        }
        if let Some(program) = self.program {
            return Ok(Target::Held(held(&PROGRAMS, program)?));
        }
        let fd = sys::fd::duplicate(self.program_fd.unwrap_or(-1)).map_err(Failure::at(Step::Open, "fcntl"))?;
        let noted = self.program_identity;
        let expected = |found: program::Identity| noted.is_none_or(|noted| noted == Identity::from(found));
        Ok(Target::Held(Arc::new(program::Program::held(fd, expected)?)))
    }
}

impl At {
    fn own(self) -> Result<process::At> {
        let from = self.fd.map(|fd| {
            let failed =
                |errno| Failure::new(Step::Resolve, "fcntl", errno).detail(format!("dirFd is descriptor {fd}"));
            sys::fd::duplicate(fd).map_err(failed)
        });
        let root = self.root.map(|root| held(&DIRECTORIES, root)).transpose()?;
        Ok(process::At { from: from.transpose()?, path: c_string(self.path)?, follow: self.follow, root })
    }
}

fn environment(env: Option<Vec<String>>, when: When) -> Result<Environment> {
    match (env, when) {
        (Some(env), _) => Ok(Environment::Given(Arc::new(Strings::new(c_strings(env)?)))),
        (None, When::Now) => Ok(Environment::Own),
        (None, When::Later) => Ok(Environment::Given(Arc::new(sys::environment::snapshot()))),
    }
}

fn stdio((index, form): (usize, Either<i32, String>)) -> Result<Stdio> {
    match form {
        Either::A(number) => Stdio::given(index, number),
        Either::B(word) => match word.as_str() {
            "pipe" => Ok(Stdio::Pipe),
            "ignore" => Ok(Stdio::Null),
            "stdout" => Ok(Stdio::Stdout),
            "closed" => Ok(Stdio::Closed),
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
