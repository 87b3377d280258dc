//! Starting: `request` owns all that a start uses, `ends` opens the child's descriptors, `plan` (pure) says how the
//! child moves them, `exec` how it runs its program, `start` makes the child, `watch` waits for it, `child` is what runs
//! between clone and exec, `reap` is what is left of it afterwards. `ways` says what this system can.

mod act;
mod at;
mod attributes;
mod birth;
mod child;
mod dumpable;
mod ends;
#[cfg(target_os = "linux")]
mod exec;
#[cfg(not(target_os = "linux"))]
#[path = "exec_bsd.rs"]
mod exec;
mod means;
mod order;
mod plan;
mod reap;
#[cfg(test)]
mod refused;
mod request;
#[cfg(target_os = "linux")]
mod settle;
#[cfg_attr(not(target_os = "linux"), path = "no_slots.rs")]
mod slots;
#[cfg(target_os = "macos")]
mod spawned;
mod start;
mod table;
#[cfg(test)]
mod unchanged;
mod watch;
pub(crate) mod ways;

pub(crate) use at::At;
pub(crate) use attributes::{Attributes, CpuSet, Limit, Namespaces, Place};
pub(crate) use ends::broken_pipes;
pub(crate) use reap::{Child, Scope};
pub(crate) use request::{Cwd, Environment, Patience, Request, Stdio, Target};
pub(crate) use slots::prepare;
pub(crate) use start::{Started, start};
