//! FreeBSD: what the standard library and nix do not have, or must not be used for between rfork and exec.

pub(crate) mod clone;
pub(crate) mod closing;
pub(crate) mod files;
pub(crate) mod syscall;
pub(crate) mod trial;
pub(crate) mod wait;

pub(crate) use super::bsd::{pidfd, signals};
