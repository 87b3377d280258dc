//! Linux: what the standard library and nix do not have, or must not be used for between clone and exec.

pub(crate) mod cgroup;
pub(crate) mod child_calls;
pub(crate) mod clone;
pub(crate) mod closing;
pub(crate) mod dumpable;
pub(crate) mod files;
#[cfg(test)]
#[path = "../../../__test__/programs/filter.rs"]
pub(crate) mod filter;
mod futex;
pub(crate) mod identity;
pub(crate) mod limits;
pub(crate) mod memfd;
pub(crate) mod namespaces;
pub(crate) mod pidfd;
pub(crate) mod proc;
pub(crate) mod signals;
pub(crate) mod syscall;
pub(crate) mod trial;

/// Attributes that no child can be given here.
pub(crate) const ABSENT: &[&str] = &[];
