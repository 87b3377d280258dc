//! Starting: `request` owns all that a start uses, `ends` opens the child's descriptors, `plan` (pure) says how the
//! child moves them, `start` makes the child, `watch` waits for it, `child` is what runs between clone and exec, `reap`
//! is what is left of it afterwards.

mod child;
mod ends;
mod plan;
mod reap;
mod request;
mod start;
mod watch;
pub(crate) mod ways;

pub(crate) use reap::{Child, Scope};
pub(crate) use request::{Cwd, Environment, Patience, Request, Stdio, Target};
pub(crate) use start::{Started, start};
