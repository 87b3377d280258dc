//! After a name has led out of its root: which part of it did, for the message. It looks again, so on a tree that
//! changes meanwhile the words may be about another state of it; nothing is decided by them.

use super::Directory;
use crate::sys;
use nix::errno::Errno;
use nix::fcntl::{OFlag, readlinkat};
use std::ffi::{CStr, CString, OsString};
use std::os::fd::AsFd;

/// As many links as the kernel would follow.
const LINKS: usize = 40;

/// Words that name the link and its target, or the part of the name, that leads out.
pub(super) fn explain(root: &Directory, name: &CStr) -> String {
    let mut name = name.to_string_lossy().into_owned();
    for _ in 0..LINKS {
        if name.starts_with('/') {
            return format!("'{name}' is absolute");
        }
        let Some((place, rest)) = leading_out(root, &name) else { break };
        let Some(target) = link_target(root, &place) else {
            return format!("'{place}' goes above it");
        };
        let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent);
        let next = if parent.is_empty() { target.clone() } else { format!("{parent}/{target}") };
        // A link to a link that leads out: that one is to be named.
        if target.starts_with('/') || !leads_to_a_link(root, &next) {
            return format!("the link '{place}' leads to '{target}'");
        }
        name = if rest.is_empty() { next } else { format!("{next}/{rest}") };
    }
    format!("'{name}' leads out")
}

/// The shortest beginning of `name` that leads out, and what follows it.
fn leading_out(root: &Directory, name: &str) -> Option<(String, String)> {
    let ends = name.match_indices('/').map(|(at, _)| at).chain([name.len()]);
    for end in ends {
        let (start, rest) = name.split_at(end);
        if outcome(root, start, OFlag::O_PATH) == Err(Errno::EXDEV) {
            return Some((start.to_owned(), rest.trim_start_matches('/').to_owned()));
        }
    }
    None
}

/// Whether following `name` comes upon a link on which it leads out, rather than on a `..` of its own.
fn leads_to_a_link(root: &Directory, name: &str) -> bool {
    leading_out(root, name).is_some_and(|(place, _)| link_target(root, &place).is_some())
}

fn outcome(root: &Directory, name: &str, flags: OFlag) -> Result<(), Errno> {
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    sys::files::open_beneath(root.as_fd(), &name, flags).map(drop)
}

fn link_target(root: &Directory, name: &str) -> Option<String> {
    let name = CString::new(name).ok()?;
    let link = sys::files::open_beneath(root.as_fd(), &name, OFlag::O_PATH | OFlag::O_NOFOLLOW).ok()?;
    // With an empty name readlinkat reads the link that the descriptor itself holds.
    let target: OsString = readlinkat(&link, c"").ok()?;
    Some(target.to_string_lossy().into_owned())
}
