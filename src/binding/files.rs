//! Directories and programs held open: the native halves of Root and Executable.

use super::values::{Failure, Identity, c_string};
use crate::program::{self, Seal};
use crate::root;
use napi::Either;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

/// A directory held open.
#[napi]
pub struct Directory {
    pub(super) held: Option<Arc<root::Directory>>,
}

/// How names are resolved from a directory; what is absent is inherited.
#[napi(object, object_to_js = false)]
pub struct Rules {
    /// absolute names and `..` are resolved as if the directory were '/'
    pub in_root: Option<bool>,
    pub follow_links: Option<bool>,
    pub cross_mounts: Option<bool>,
}

impl From<Rules> for root::Asked {
    fn from(rules: Rules) -> root::Asked {
        root::Asked { in_root: rules.in_root, follow_links: rules.follow_links, cross_mounts: rules.cross_mounts }
    }
}

/// A regular file held by descriptor.
#[napi]
pub struct Program {
    pub(super) held: Option<Arc<program::Program>>,
    size: u64,
    sha256: Option<String>,
}

#[napi]
impl Directory {
    /// Opens the directory at `path`, as open(2) finds it for this process.
    #[napi(catch_unwind)]
    pub fn open(path: Either<String, Uint8Array>, rules: Rules) -> Either<Directory, Failure> {
        let path = match path {
            Either::A(text) => text.into_bytes(),
            Either::B(bytes) => bytes.to_vec(),
        };
        Directory::from(c_string(path).and_then(|path| root::Directory::open(&path)), rules)
    }

    /// Holds what `fd` holds, by a duplicate.
    #[napi(catch_unwind)]
    pub fn from_fd(fd: i32, rules: Rules) -> Either<Directory, Failure> {
        Directory::from(root::Directory::from_fd(fd), rules)
    }

    /// -1 once closed
    #[napi(getter, catch_unwind)]
    pub fn fd(&self) -> i32 {
        self.held.as_ref().map_or(-1, |held| held.as_fd().as_raw_fd())
    }

    /// A directory beneath this one, found by the rules of this one.
    #[napi(catch_unwind)]
    pub fn open_root(&self, name: String, rules: Rules) -> Either<Directory, Failure> {
        let opened = self.get().and_then(|root| root.open_directory(&c_string(name)?));
        Directory::from(opened, rules)
    }

    /// The name of the first executable `file` in the directories `entries`.
    #[napi(catch_unwind)]
    pub fn look_path(&self, file: String, entries: Vec<String>) -> Either<String, Failure> {
        let entries: Vec<&[u8]> = entries.iter().map(String::as_bytes).collect();
        match self.get().and_then(|root| root.look_path(&c_string(file)?, &entries)) {
            Ok(name) => Either::A(name.to_string_lossy().into_owned()),
            Err(failure) => Either::B(failure.into()),
        }
    }

    /// A regular file beneath this one; with `seal` a sealed copy of it, of this `sha256` where one is given.
    #[napi(catch_unwind)]
    pub fn open_executable(&self, name: String, seal: bool, sha256: Option<String>) -> Either<Program, Failure> {
        let found = self.get().and_then(|root| program::Program::find(root, c_string(name)?)).map(Arc::new);
        let held = found.and_then(|found| if seal { found.seal(&Seal { sha256 }, || true) } else { Ok(found) });
        match held {
            Ok(program) => Either::A(Program {
                size: program.size(),
                sha256: program.sha256().map(str::to_owned),
                held: Some(program),
            }),
            Err(failure) => Either::B(failure.into()),
        }
    }

    /// Gives it up; a start that is under way keeps it until it is done.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        self.held = None;
    }
}

impl Directory {
    fn from(opened: crate::failure::Result<root::Directory>, rules: Rules) -> Either<Directory, Failure> {
        match opened.map(|directory| directory.under(rules.into())) {
            Ok(directory) => Either::A(Directory { held: Some(Arc::new(directory)) }),
            Err(failure) => Either::B(failure.into()),
        }
    }

    /// EBADF once closed, which lib/ says in its own words before it comes here.
    pub(super) fn get(&self) -> crate::failure::Result<&Arc<root::Directory>> {
        self.held.as_ref().ok_or_else(closed)
    }
}

#[napi]
impl Program {
    /// -1 once closed
    #[napi(getter, catch_unwind)]
    pub fn fd(&self) -> i32 {
        self.held.as_ref().map_or(-1, |held| held.as_fd().as_raw_fd())
    }

    /// bytes, when it was opened
    #[napi(getter, catch_unwind)]
    pub fn size(&self) -> f64 {
        self.size as f64
    }

    /// of a sealed copy, in lower-case hex
    #[napi(getter, catch_unwind)]
    pub fn sha256(&self) -> Option<String> {
        self.sha256.clone()
    }

    /// Gives it up; a start that is under way keeps it until it is done.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        self.held = None;
    }
}

impl Program {
    pub(super) fn get(&self) -> crate::failure::Result<&Arc<program::Program>> {
        self.held.as_ref().ok_or_else(closed)
    }
}

fn closed() -> crate::failure::Failure {
    crate::failure::Failure::new(crate::failure::Step::Open, "fcntl", nix::errno::Errno::EBADF)
}

/// Which file a descriptor holds now.
#[napi(catch_unwind)]
pub fn identify(fd: i32) -> Either<Identity, Failure> {
    match program::Identity::of(fd) {
        Ok(identity) => Either::A(identity.into()),
        Err(failure) => Either::B(failure.into()),
    }
}
