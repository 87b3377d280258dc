//! macOS: no program can be run by its descriptor, and none is made a child without fork(2) or posix_spawn(2).

pub(crate) mod child_calls;
pub(crate) mod clone;
pub(crate) mod closing;
pub(crate) mod files;
pub(crate) mod private_copy;
pub(crate) mod spawn;
pub(crate) mod stack;
pub(crate) mod trial;
pub(crate) mod volfs;
pub(crate) mod wait;

pub(crate) use super::bsd::absent::{cgroup, dumpable, namespaces};
pub(crate) use super::bsd::{identity, limits, pidfd, proc, signals};

/// Attributes that no child can be given here.
pub(crate) const ABSENT: &[&str] = &[
    "pdeathsig",
    "cpuAffinity",
    "noNewPrivs",
    "namespaces",
    "uidMappings",
    "gidMappings",
    "gidMappingsEnableSetgroups",
    "ambientCaps",
    "cgroup",
];
