//! After a name was refused: which part of it leads out, or is the link that may not be followed. For the message
//! alone: it looks again, so on a tree that changes meanwhile the words may be about another state of it.

use super::Directory;
use crate::sys::files::HELD;
use nix::errno::Errno;
use nix::fcntl::{OFlag, readlinkat};
use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

/// As many links as the kernel would follow.
const LINKS: usize = 40;
/// Words are not worth more; links of somebody who means harm could ask for it. They are then about the link that has
/// been come to by then.
const PATIENCE: Duration = Duration::from_millis(100);

/// Words that name the link and its target, or the part of the name, at which `errno` comes. None: it does no more.
pub(super) fn explain(root: &Directory, name: &CStr, errno: Errno) -> Option<String> {
    let mut name = name.to_string_lossy().into_owned();
    let begun = Instant::now();
    for _ in 0..LINKS {
        if begun.elapsed() > PATIENCE {
            break;
        }
        if errno == Errno::EXDEV && name.starts_with('/') && !root.rules.in_root {
            return Some(format!("'{name}' is absolute"));
        }
        let (place, rest) = refused_at(root, &name, errno)?;
        let Some(target) = link_target(root, &place) else {
            return (errno == Errno::EXDEV).then(|| format!("'{place}' goes above it"));
        };
        let next = beside(&place, &target);
        // A link to a link that is refused: that one is to be named. Where links are denied, the first of them.
        let denied = errno == Errno::ELOOP && !root.rules.follow_links;
        if denied || target.starts_with('/') || !comes_upon_a_link(root, &next, errno) {
            return Some(format!("the link '{place}' leads to '{target}'"));
        }
        name = if rest.is_empty() { next } else { format!("{next}/{rest}") };
    }
    let (place, _) = refused_at(root, &name, errno)?;
    Some(format!("the link '{place}' leads to '{}'", link_target(root, &place)?))
}

/// Where `target` is, seen from the root, for a link at `place`.
fn beside(place: &str, target: &str) -> String {
    match place.rsplit_once('/') {
        Some((parent, _)) if !parent.is_empty() => format!("{parent}/{target}"),
        _ => target.to_owned(),
    }
}

/// The shortest beginning of `name` that is refused with `errno`, and what follows it.
fn refused_at(root: &Directory, name: &str, errno: Errno) -> Option<(String, String)> {
    let ends: Vec<usize> = name.match_indices('/').map(|(at, _)| at).chain([name.len()]).collect();
    let is_refused = |end: &usize| outcome(root, name.split_at(*end).0) == Err(errno);
    // What comes after a beginning that is refused is refused with it.
    let end = ends.get(ends.partition_point(|end| !is_refused(end)))?;
    let (start, rest) = name.split_at(*end);
    Some((start.to_owned(), rest.trim_start_matches('/').to_owned()))
}

/// Whether following `name` comes upon a link at which it is refused, rather than on a `..` of its own.
fn comes_upon_a_link(root: &Directory, name: &str, errno: Errno) -> bool {
    refused_at(root, name, errno).is_some_and(|(place, _)| link_target(root, &place).is_some())
}

fn outcome(root: &Directory, name: &str) -> Result<(), Errno> {
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    root.open_by(root.rules, &name, HELD).map(drop).map_err(|failure| failure.errno)
}

fn link_target(root: &Directory, name: &str) -> Option<String> {
    let name = name.trim_end_matches('/');
    let (parent, last) = match name.rsplit_once('/') {
        Some(("", last)) => ("/", last),
        Some(parts) => parts,
        None => (".", name),
    };
    let directory = root.open_by(root.rules, &CString::new(parent).ok()?, HELD | OFlag::O_DIRECTORY).ok()?;
    Some(readlinkat(&directory, last).ok()?.to_string_lossy().into_owned())
}
