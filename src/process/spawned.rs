//! macOS: a start by posix_spawn(2), which makes no copy of our memory, for a child of which no more is asked than that
//! call can do. Anything else is for fork(2).

use super::act::Act;
use super::plan::Move;
use crate::sys::spawn::Spawn;
use crate::sys::strings::Strings;
use nix::errno::Errno;
use std::ffi::CStr;

/// The child's number. None: it takes more than posix_spawn(2), or that failed, which only a fork can say the place of.
/// `suspended`: it stands still before its first instruction.
pub(super) fn spawn(
    acts: &[Act],
    path: Option<&CStr>,
    (argv, envp): (&Strings, &Strings),
    suspended: bool,
) -> Option<libc::pid_t> {
    let mut spawn = prepared(acts).ok().flatten()?;
    if suspended {
        spawn.suspended();
    }
    spawn.start(path?, argv, envp).ok()
}

fn prepared(acts: &[Act]) -> Result<Option<Spawn>, Errno> {
    // What is not moved is closed by it, always.
    if !acts.iter().any(|act| matches!(act, Act::Move(Move::CloseRange { .. }))) {
        return Ok(None);
    }
    let mut spawn = Spawn::new()?;
    let mut parked = Vec::new();
    for act in acts {
        match *act {
            Act::NewSession => spawn.new_session(),
            Act::JoinGroup(pgid) => spawn.join_group(pgid)?,
            Act::Move(Move::Park { from, to }) => {
                spawn.duplicate(from, to)?;
                parked.push(to);
            }
            Act::Move(Move::Place { from, to }) => spawn.duplicate(from, to)?,
            Act::Move(Move::Stay { fd }) => spawn.inherit(fd)?,
            Act::Move(Move::Close { .. } | Move::CloseRange { .. }) | Act::ResetSignals => {}
            Act::ChangeDirectory(fd) => spawn.change_directory(fd)?,
            _ => return Ok(None),
        }
    }
    for fd in parked {
        spawn.close(fd)?;
    }
    Ok(Some(spawn))
}
