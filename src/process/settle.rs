//! What the parent does for a child that waits in a new user namespace: its id maps, and what nobody inside may do.

use super::attributes::Attributes;
use super::order::raises;
use crate::failure::{Failure, Reason, Result, Step};
use crate::sys::limits::{raise_hard_limit, set_nice_of};
use crate::sys::namespaces::{Proc, Refused};
use nix::errno::Errno;

/// Once, while the child waits.
pub(super) fn settle(pid: libc::pid_t, attributes: &Attributes) -> Result<()> {
    let asked = &attributes.namespaces;
    if asked.has_maps() {
        write_maps(pid, attributes)?;
    }
    for limit in &attributes.rlimits {
        raise_hard_limit(pid, limit.resource, limit.hard).map_err(Failure::at(Step::Rlimits, "prlimit64"))?;
    }
    if let Some(nice) = attributes.nice.filter(|nice| raises(*nice)) {
        set_nice_of(pid, nice).map_err(Failure::at(Step::Nice, "setpriority"))?;
    }
    Ok(())
}

fn write_maps(pid: libc::pid_t, attributes: &Attributes) -> Result<()> {
    let asked = &attributes.namespaces;
    let told = |file: &'static str| {
        move |Refused { syscall, errno }| {
            let failure = Failure::new(Step::Namespaces, syscall, errno).about(format!("/proc/{pid}/{file}"));
            match errno {
                Errno::EACCES => failure.detail("of a process that has changed its user it is root's"),
                _ => failure,
            }
        }
    };
    let child = Proc::of(pid).map_err(|errno| {
        let failure = Failure::new(Step::Namespaces, "open", errno).because(Reason::Unavailable);
        failure.detail("uidMappings, gidMappings: writing them, without a procfs of this pid namespace at /proc,")
    })?;
    if !asked.uid_map.is_empty() {
        child.write_map("uid_map", &asked.uid_map).map_err(told("uid_map"))?;
    }
    if !asked.gid_map.is_empty() {
        child.allow_setgroups(asked.setgroups).map_err(told("setgroups"))?;
        child.write_map("gid_map", &asked.gid_map).map_err(told("gid_map"))?;
    }
    Ok(())
}
