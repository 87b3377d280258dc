//! Making a sealed copy: memfd_create(2), the content, the seals, and only then its digest.

use super::Program;
use crate::failure::{Failure, Reason, Result, Step};
use crate::sys::{files, memfd};
use nix::errno::Errno;
use nix::sys::stat::{FileStat, Mode, fchmod, fstat};
use nix::sys::uio::pread;
use nix::unistd::{Gid, Uid, fchown};
use sha2::{Digest, Sha256};
use std::ffi::CString;
use std::fmt::Write;
use std::os::fd::{AsFd, OwnedFd};

/// The longest name that memfd_create(2) takes.
const NAME: usize = 249;

impl Program {
    pub(super) fn copy(&self, go_on: impl Fn() -> bool) -> Result<Program> {
        // What the file may not, its copy may not.
        files::may_execute(self.fd.as_fd()).map_err(Failure::at(Step::Seal, files::ACCESS_CALL))?;
        let from = self.open_for_reading().map_err(|failure| Failure { step: Step::Seal, ..failure })?;
        let stat = fstat(&from).map_err(Failure::at(Step::Seal, "fstat"))?;
        let memory = memfd::create(&self.memory_name()).map_err(refused)?;
        memfd::copy_all(from.as_fd(), memory.as_fd(), go_on).map_err(Failure::at(Step::Seal, "copy_file_range"))?;
        keep_owner_and_mode(&memory, &stat)?;
        memfd::seal(memory.as_fd()).map_err(Failure::at(Step::Seal, "fcntl"))?;
        let size = fstat(&memory).map_err(Failure::at(Step::Seal, "fstat"))?.st_size as u64;
        // Only now: what was hashed before could have been changed before it was sealed.
        let sha256 = digest(&memory).map_err(Failure::at(Step::Seal, "read"))?;
        Ok(Program { fd: memory, size, found: self.found.clone(), sealed: Some(sha256) })
    }

    /// What /proc/PID/exe shows of the copy.
    fn memory_name(&self) -> CString {
        let name = self.found.as_ref().map_or(c"program".to_bytes(), |(_, name)| name.to_bytes());
        let last = name.rsplit(|byte| *byte == b'/').find(|part| !part.is_empty()).unwrap_or(name);
        CString::new(last.get(..NAME).unwrap_or(last)).unwrap_or_default()
    }
}

/// A noexec policy for memory files is the system's, and there is no other place that can be sealed.
fn refused(errno: Errno) -> Failure {
    let failure = Failure::new(Step::Seal, "memfd_create", errno);
    match errno {
        Errno::EACCES => failure.because(Reason::Unavailable).detail("seal (the sysctl vm.memfd_noexec is 2)"),
        Errno::ENOSYS | Errno::EPERM => {
            failure.because(Reason::Unavailable).detail("seal (memfd_create(2) is refused)")
        }
        _ => failure,
    }
}

/// The bits that decide who may execute it. Set-user-ID is lost: a copy is not the file that was given that trust.
fn keep_owner_and_mode(memory: &OwnedFd, stat: &FileStat) -> Result<()> {
    // EPERM: an ordinary user cannot give files away; it is that user's own then.
    let _ = fchown(memory, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)));
    let mode = Mode::from_bits_truncate(stat.st_mode & 0o777);
    fchmod(memory, mode).map_err(Failure::at(Step::Seal, "fchmod"))
}

/// In lower-case hex.
fn digest(memory: &OwnedFd) -> std::result::Result<String, Errno> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut at = 0;
    loop {
        match pread(memory, &mut buffer, at) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(buffer.get(..read).unwrap_or_default());
                at += read as libc::off_t;
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(hasher.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}
