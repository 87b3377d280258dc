//! What FreeBSD and macOS have in common.

pub(crate) mod absent;
pub(crate) mod fork;
pub(crate) mod identity;
pub(crate) mod limits;
pub(crate) mod pidfd;
pub(crate) mod proc;
pub(crate) mod signals;
