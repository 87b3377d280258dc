//! ProcessAttributes, from the flat object of lib/ to one that owns what it names.

use super::held::{DIRECTORIES, held};
use super::request::When;
use super::values::c_string;
use crate::failure::{Failure, Reason, Result, Step};
use crate::process::{self, CpuSet, Cwd, Place};
use crate::sys;
use crate::sys::child_calls::names;
use crate::sys::namespaces::{self, IdRange};
use napi::Either;
use napi_derive::napi;
use nix::errno::Errno;
use std::sync::Arc;

/// What the child is made to be. Every one of them is absent or false where nothing is asked for.
#[napi(object, object_to_js = false)]
pub struct Attributes {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// absent: none where uid or gid is given, else as they are
    pub groups: Option<Vec<u32>>,
    pub umask: Option<u32>,
    /// setsid
    pub detached: bool,
    /// 0: a new group
    pub pgid: Option<i32>,
    /// one of the child's own descriptors
    pub ctty: Option<i32>,
    pub foreground: bool,
    pub pdeathsig: Option<i32>,
    pub rlimits: Vec<Rlimit>,
    pub nice: Option<i32>,
    pub cpu_affinity: Option<Vec<u32>>,
    pub no_new_privs: bool,
    /// what is inheritable stays open
    pub keep_fds: bool,
    /// a path of this process, or the descriptor of a directory; duplicated before the call returns
    pub chroot: Option<Either<i32, String>>,
    pub namespaces: Vec<String>,
    pub uid_mappings: Vec<IdMap>,
    pub gid_mappings: Vec<IdMap>,
    pub gid_mappings_enable_setgroups: bool,
    /// by their numbers
    pub ambient_caps: Vec<u32>,
    /// as chroot
    pub cgroup: Option<Either<i32, String>>,
}

/// One resource limit.
#[napi(object, object_to_js = false)]
pub struct Rlimit {
    pub name: String,
    /// Infinity: none
    pub soft: f64,
    pub hard: f64,
}

/// One range of ids in a user namespace.
#[napi(object, object_to_js = false)]
pub struct IdMap {
    pub container_id: u32,
    pub host_id: u32,
    pub size: u32,
}

impl Attributes {
    pub(super) fn own(self, when: When) -> Result<process::Attributes> {
        Ok(process::Attributes {
            uid: self.uid,
            gid: self.gid,
            groups: self.groups,
            umask: self.umask,
            detached: self.detached,
            pgid: self.pgid,
            ctty: self.ctty,
            foreground: self.foreground,
            pdeathsig: self.pdeathsig,
            rlimits: self.rlimits.into_iter().map(limit).collect::<Result<_>>()?,
            nice: self.nice,
            affinity: self.cpu_affinity.map(cpus).transpose()?,
            no_new_privs: self.no_new_privs,
            keep_fds: self.keep_fds,
            chroot: self.chroot.map(|given| place(given, when, Step::Chroot)).transpose()?,
            namespaces: process::Namespaces {
                flags: self.namespaces.iter().try_fold(0, |flags, name| Ok(flags | namespace(name)?))?,
                uid_map: self.uid_mappings.into_iter().map(range).collect(),
                gid_map: self.gid_mappings.into_iter().map(range).collect(),
                setgroups: self.gid_mappings_enable_setgroups,
            },
            ambient: self.ambient_caps.iter().fold(0, |set, number| set | 1 << (number % 64)),
            cgroup: self.cgroup.map(|given| place(given, when, Step::Cgroup)).transpose()?,
        })
    }
}

fn limit(Rlimit { name, soft, hard }: Rlimit) -> Result<process::Limit> {
    let number = |value: f64| if value.is_finite() { value as u64 } else { u64::MAX };
    let resource = sys::limits::resource(&name).ok_or_else(|| unknown(Step::Rlimits, "prlimit64", "rlimits", &name))?;
    Ok(process::Limit { resource, soft: number(soft), hard: number(hard) })
}

/// EINVAL as the kernel says of CPUs that there are not.
fn cpus(numbers: Vec<u32>) -> Result<CpuSet> {
    CpuSet::of(numbers).ok_or_else(|| Failure::new(Step::Affinity, names::AFFINITY, Errno::EINVAL))
}

fn namespace(name: &str) -> Result<u64> {
    match namespaces::flag(name) {
        0 => Err(unknown(Step::Namespaces, "clone3", "namespaces", name)),
        flag => Ok(flag),
    }
}

/// lib/ knows all names; this system does not have this one.
fn unknown(step: Step, syscall: &'static str, option: &str, name: &str) -> Failure {
    Failure::new(step, syscall, Errno::EINVAL).because(Reason::Unavailable).detail(format!("{option}: '{name}'"))
}

fn range(IdMap { container_id, host_id, size }: IdMap) -> IdRange {
    IdRange { inside: container_id, outside: host_id, size }
}

/// A directory of the caller's, as it is at the call.
pub(super) fn place(given: Either<i32, String>, when: When, step: Step) -> Result<Place> {
    match given {
        Either::A(fd) => sys::fd::duplicate(fd).map(Place::Held).map_err(Failure::at(step, "fcntl")),
        Either::B(path) => {
            let from = if path.starts_with('/') || when == When::Now { None } else { Some(Cwd::here()?) };
            Ok(Place::Path { from, path: c_string(path)? })
        }
    }
}

/// Where the child begins: beneath `root` where that is given.
pub(super) fn cwd(path: Option<String>, root: Option<u32>, inside: bool, when: When) -> Result<Cwd> {
    let Some(path) = path else {
        return match when {
            // Where its root is; a directory of this process's would lead out of that.
            _ if inside => Ok(Cwd::Here),
            When::Now => Ok(Cwd::Here),
            When::Later => {
                Cwd::here().map(Cwd::Inherited).or_else(|failure| match failure.errno {
                    // One that may not be searched cannot be held; it is handed on as it is, as by fork(2).
                    Errno::EACCES => Ok(Cwd::Here),
                    _ => Err(failure),
                })
            }
        };
    };
    if let Some(root) = root {
        return Ok(Cwd::Beneath { root: held(&DIRECTORIES, root)?, name: c_string(path)? });
    }
    if inside {
        return Ok(Cwd::Inside(Arc::new(c_string(path)?)));
    }
    place(Either::B(path), when, Step::Chdir).map(Cwd::Place)
}
