//! Linux: what the standard library and nix do not have, or must not be used for between clone and exec.

pub(crate) mod clone;
pub(crate) mod files;
pub(crate) mod futex;
pub(crate) mod memfd;
pub(crate) mod pidfd;
pub(crate) mod signals;
pub(crate) mod stack;
pub(crate) mod syscall;
pub(crate) mod trial;
