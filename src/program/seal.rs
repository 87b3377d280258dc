//! Sealed copies: a program in memory that nobody can change any more, not even the program itself through
//! /proc/self/exe (CVE-2019-5736). Only Linux has memory that can be sealed and executed.

use super::Program;
use crate::failure::{Failure, Reason, Result, Step};
use nix::errno::Errno;
use std::sync::Arc;

/// What is asked of a seal.
#[derive(Clone, Debug)]
pub(crate) struct Seal {
    /// Lower-case hex; another content is refused.
    pub(crate) sha256: Option<String>,
}

impl Program {
    /// A sealed copy of it, or itself where it is one already. `go_on` is asked now and then; false: ECANCELED.
    pub(crate) fn seal(self: Arc<Self>, seal: &Seal, go_on: impl Fn() -> bool) -> Result<Arc<Self>> {
        let sealed = if self.sealed.is_some() { self } else { Arc::new(self.copy(go_on)?) };
        match (&seal.sha256, &sealed.sealed) {
            (Some(wanted), Some(found)) if wanted != found => {
                let failure = Failure::new(Step::Seal, "read", Errno::EBADMSG).because(Reason::DigestMismatch);
                Err(failure.detail(format!("its sha256 is {found}, not {wanted}")))
            }
            _ => Ok(sealed),
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Program {
    fn copy(&self, _go_on: impl Fn() -> bool) -> Result<Program> {
        let failure = Failure::new(Step::Seal, "memfd_create", Errno::ENOSYS).because(Reason::Unavailable);
        Err(failure.detail("seal (there is no memory here that can be sealed and executed)"))
    }
}
