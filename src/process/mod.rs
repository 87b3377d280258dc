//! Starting: `request` owns all that a start uses, `ends` opens the child's descriptors, `plan` (pure) says how the
//! child moves them, `exec` how it runs its program, `start` makes the child, `watch` waits for it, `child` is what runs
//! between clone and exec, `reap` is what is left of it afterwards. `ways` says what this system can.

mod child;
mod ends;
mod exec;
mod plan;
mod reap;
#[cfg(test)]
mod refused;
mod request;
mod start;
mod watch;
pub(crate) mod ways;

pub(crate) use ends::broken_pipes;
pub(crate) use reap::{Child, Scope};
pub(crate) use request::{Cwd, Environment, Patience, Request, Stdio, Target};
pub(crate) use start::{Started, start};
