//! probe(): what this system offers, here and now.

use super::values::Failure;
use crate::process::{
    self,
    ways::{ExecWay, Ways, ways},
};
use crate::root;
use crate::sys;
use crate::sys::clone::Memory;
use crate::sys::{files, trial};
use napi::Either;
use napi_derive::napi;

/// What the kernel offers, found by trying, and which way each thing is done.
#[napi(object, object_from_js = false)]
pub struct Probe {
    pub platform: &'static str,
    pub resolve: &'static str,
    pub exec: &'static str,
    /// 'vfork': the child shares our memory until exec
    pub fork: &'static str,
    pub wait: &'static str,
    pub pidfd: bool,
    pub cgroup: bool,
    pub user_namespaces: bool,
    pub no_new_privs: bool,
    pub sealed: bool,
    pub execute_check: bool,
    /// the ProcessAttributes that can be honoured
    pub attributes: Vec<&'static str>,
}

/// Tries what has to be tried; a few children are made for it, which may fail.
#[napi(catch_unwind)]
pub fn probe() -> Either<Probe, Failure> {
    match ways() {
        Ok(ways) => Either::A(Probe::by(ways)),
        Err(failure) => Either::B(failure.into()),
    }
}

impl Probe {
    fn by(ways: &Ways) -> Probe {
        let (user_namespaces, no_new_privs) = (trial::user_namespaces(), trial::no_new_privs());
        Probe {
            platform: if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS },
            resolve: match root::in_use() {
                root::Resolver::Kernel => files::RESOLVER,
                root::Resolver::Walk => "walk",
            },
            exec: ways.exec(true).map_or("none", ExecWay::name),
            fork: if ways.memory == Memory::Shared { "vfork" } else { "fork" },
            wait: ways.wait(),
            pidfd: ways.pidfd,
            cgroup: trial::clone_into_cgroup(),
            user_namespaces,
            no_new_privs,
            sealed: trial::sealed_memfd(),
            execute_check: trial::execute_check(),
            attributes: attributes(user_namespaces, no_new_privs),
        }
    }
}

/// Whether there are such here; who may have them is for each start to say.
fn attributes(user_namespaces: bool, no_new_privs: bool) -> Vec<&'static str> {
    const ALWAYS: [&str; 17] = [
        "uid",
        "gid",
        "groups",
        "umask",
        "detached",
        "pgid",
        "ctty",
        "foreground",
        "pdeathsig",
        "rlimits",
        "nice",
        "cpuAffinity",
        "closeFds",
        "chroot",
        "namespaces",
        "ambientCaps",
        "cgroup",
    ];
    const OF_USER_NAMESPACES: [&str; 3] = ["uidMappings", "gidMappings", "gidMappingsEnableSetgroups"];
    let mut names: Vec<&'static str> = ALWAYS.into_iter().filter(|name| !sys::ABSENT.contains(name)).collect();
    names.extend(no_new_privs.then_some("noNewPrivs"));
    names.extend(OF_USER_NAMESPACES.iter().filter(|_| user_namespaces));
    names
}

/// Takes the descriptors that starts use, while low numbers are free: at import.
#[napi(catch_unwind)]
pub fn prepare() {
    process::prepare();
}
