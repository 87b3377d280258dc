//! FreeBSD: what the standard library and nix do not have, or must not be used for between rfork and exec.

pub(crate) mod child_calls;
pub(crate) mod clone;
pub(crate) mod closing;
pub(crate) mod files;
mod syscall;
pub(crate) mod trial;
pub(crate) mod wait;

pub(crate) use super::bsd::absent::{cgroup, dumpable, namespaces};
pub(crate) use super::bsd::{identity, limits, pidfd, proc, signals};

/// Attributes that no child can be given here.
pub(crate) const ABSENT: &[&str] =
    &["namespaces", "uidMappings", "gidMappings", "gidMappingsEnableSetgroups", "ambientCaps", "cgroup"];
