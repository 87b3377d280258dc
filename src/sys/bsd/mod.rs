//! What FreeBSD and macOS have in common.

pub(crate) mod fork;
pub(crate) mod pidfd;
pub(crate) mod signals;
