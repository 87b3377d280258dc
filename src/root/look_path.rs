//! A program found as a shell finds it: the first of several directories that holds an executable file of its name.

use super::Directory;
use crate::failure::{Failure, Result, Step};
use crate::sys::files::{ACCESS_CALL, may_execute};
use nix::errno::Errno;
use nix::sys::stat::SFlag;
use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

impl Directory {
    /// The name, from this directory, of the first executable `file` in `entries`. An entry's leading '/' is this
    /// directory's, an empty one is '.'; missing ones are passed over, one that leads out is an error. A `file` with '/'
    /// is not searched for, and only looked at.
    pub(crate) fn look_path(&self, file: &CStr, entries: &[&[u8]]) -> Result<CString> {
        if file.is_empty() {
            return Err(Failure::new(Step::Resolve, ACCESS_CALL, Errno::ENOENT));
        }
        if file.to_bytes().contains(&b'/') {
            return self.check_executable(file).map(|()| file.to_owned());
        }
        let mut refused = None;
        for entry in entries {
            let name = joined(entry, file)?;
            match self.check_executable(&name) {
                Ok(()) => return Ok(name),
                Err(failure) if is_missing(&failure) => {}
                Err(failure) if failure.errno == Errno::EACCES => {
                    refused.get_or_insert(failure);
                }
                Err(failure) => return Err(failure.about(name.to_string_lossy())),
            }
        }
        Err(refused.unwrap_or_else(|| not_found(entries)))
    }

    fn check_executable(&self, name: &CStr) -> Result<()> {
        let found = self.find(name)?;
        let refused = |errno| Failure::new(Step::Open, ACCESS_CALL, errno);
        if super::kind(found.as_fd())? != SFlag::S_IFREG {
            return Err(refused(Errno::EACCES).detail(format!("'{}' is not a regular file", name.to_string_lossy())));
        }
        may_execute(found.as_fd()).map_err(|errno| match errno {
            Errno::EACCES => refused(errno).detail(format!("'{}' may not be executed", name.to_string_lossy())),
            _ => refused(errno),
        })
    }
}

/// No such directory, one that may not be searched, or no such file in it. That a file may not be executed is said
/// after it was opened, in another step.
fn is_missing(failure: &Failure) -> bool {
    let errnos = [Errno::ENOENT, Errno::ENOTDIR, Errno::EACCES];
    failure.step == Step::Resolve && failure.reason.is_none() && errnos.contains(&failure.errno)
}

fn joined(entry: &[u8], file: &CStr) -> Result<CString> {
    let slashes = entry.iter().take_while(|byte| **byte == b'/').count();
    let name = match entry.get(slashes..).unwrap_or_default() {
        b"" | b"." => file.to_bytes().to_vec(),
        place if place.ends_with(b"/") => [place, file.to_bytes()].concat(),
        place => [place, b"/", file.to_bytes()].concat(),
    };
    CString::new(name).map_err(|_| Failure::new(Step::Resolve, ACCESS_CALL, Errno::EINVAL))
}

fn not_found(entries: &[&[u8]]) -> Failure {
    let quoted: Vec<String> = entries.iter().map(|entry| format!("'{}'", String::from_utf8_lossy(entry))).collect();
    let words = if quoted.is_empty() { "nothing".to_owned() } else { quoted.join(", ") };
    Failure::new(Step::Resolve, ACCESS_CALL, Errno::ENOENT).detail(format!("looked for in {words}"))
}
