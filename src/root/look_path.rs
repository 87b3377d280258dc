//! The first program of a name along a search path, all of it beneath one directory.

use super::{Directory, kind};
use crate::failure::{Failure, Reason, Result, Step};
use crate::sys;
use nix::errno::Errno;
use nix::sys::stat::SFlag;
use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

impl Directory {
    /// The name, beneath this directory, of the first `file` along `path` that may be executed. Entries are separated
    /// by ':' and taken from this directory, a leading '/' or none; missing ones are passed over, one that leads out is
    /// an error.
    pub(crate) fn look_path(&self, file: &CStr, path: &[u8]) -> Result<CString> {
        let mut errno = Errno::ENOENT;
        for entry in path.split(|byte| *byte == b':') {
            let start = entry.iter().position(|byte| *byte != b'/').unwrap_or(entry.len());
            let place = match entry.get(start..) {
                Some(b"") | None => b".",
                Some(place) => place,
            };
            let name = CString::new([place, b"/", file.to_bytes()].concat());
            let Ok(name) = name else { continue };
            match self.may_run(&name) {
                Ok(()) => return Ok(name),
                Err(failure) if failure.reason == Some(Reason::Escape) => return Err(failure),
                Err(failure) if failure.errno == Errno::EACCES => errno = Errno::EACCES,
                Err(_) => {}
            }
        }
        let searched = String::from_utf8_lossy(path).into_owned();
        Err(Failure::new(Step::Resolve, "openat2", errno).detail(format!("looked for in {searched}")))
    }

    fn may_run(&self, name: &CStr) -> Result<()> {
        let found = self.find(name)?;
        if kind(found.as_fd())? != SFlag::S_IFREG {
            return Err(Failure::new(Step::Open, "fstat", Errno::EACCES));
        }
        sys::memfd::may_execute(found.as_fd()).map_err(Failure::at(Step::Open, "faccessat2"))
    }
}
