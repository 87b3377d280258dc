//! Directories and programs held open: the native halves of Root and Executable. Each is a number, good in this
//! environment until it is let go; a start that is under way keeps what it uses until it is done.

use super::held::{DIRECTORIES, LENT, Lent, PIPES, PROGRAMS, held, hold, let_go};
use super::values::{Failure, Identity, c_string, nul};
use crate::failure;
use crate::program::{self, Program, Seal};
use crate::root::{self, Directory};
use crate::sys;
use crate::sys::node::Text;
use napi::Either;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

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

// ---- directories -------------------------------------------------------------------------------

/// Opens the directory at `path`, as open(2) finds it for this process.
#[napi(catch_unwind)]
pub fn hold_directory(path: Either<String, Uint8Array>, rules: Rules) -> Either<u32, Failure> {
    let path = match path {
        Either::A(text) => text.into_bytes(),
        Either::B(bytes) => bytes.to_vec(),
    };
    told(c_string(path).and_then(|path| Directory::open(&path)).map(|opened| under(opened, rules)))
}

/// Holds what `fd` holds, by a duplicate.
#[napi(catch_unwind)]
pub fn hold_directory_fd(fd: i32, rules: Rules) -> Either<u32, Failure> {
    told(Directory::from_fd(fd).map(|opened| under(opened, rules)))
}

/// A directory beneath another, found by the rules of that one.
#[napi(catch_unwind)]
pub fn hold_directory_beneath(directory: u32, name: String, rules: Rules) -> Either<u32, Failure> {
    let opened = held(&DIRECTORIES, directory).and_then(|root| root.open_directory(&c_string(name)?));
    told(opened.map(|opened| under(opened, rules)))
}

fn under(opened: Directory, rules: Rules) -> u32 {
    hold(&DIRECTORIES, Arc::new(opened.under(rules.into())))
}

/// Its descriptor.
#[napi(catch_unwind)]
pub fn directory_fd(directory: u32) -> i32 {
    held(&DIRECTORIES, directory).map_or(-1, |held| held.as_fd().as_raw_fd())
}

/// The name of the first executable `file` in the directories `entries`.
#[napi(catch_unwind)]
pub fn look_path(directory: u32, file: String, entries: Vec<String>) -> Either<String, Failure> {
    let entries: Vec<&[u8]> = entries.iter().map(String::as_bytes).collect();
    let found = held(&DIRECTORIES, directory).and_then(|root| root.look_path(&c_string(file)?, &entries));
    told(found.map(|name| name.to_string_lossy().into_owned()))
}

/// Gives it up.
#[napi(catch_unwind)]
pub fn let_go_directory(directory: u32) {
    let_go(&DIRECTORIES, directory);
}

// ---- programs ----------------------------------------------------------------------------------

/// The regular file `name` beneath a directory.
#[napi(catch_unwind)]
pub fn hold_program(directory: u32, #[napi(ts_arg_type = "string")] name: Text) -> Either<u32, Failure> {
    told(find(directory, name).map(|program| hold(&PROGRAMS, program)))
}

/// A sealed copy of it, of this `sha256` where one is given.
#[napi(catch_unwind)]
pub fn hold_sealed(
    directory: u32,
    #[napi(ts_arg_type = "string")] name: Text,
    sha256: Option<String>,
) -> Either<u32, Failure> {
    let sealed = find(directory, name).and_then(|found| found.seal(&Seal { sha256 }, || true));
    told(sealed.map(|program| hold(&PROGRAMS, program)))
}

fn find(directory: u32, name: Text) -> failure::Result<Arc<Program>> {
    let root = held(&DIRECTORIES, directory)?;
    Program::find(&root, name.into_c_string().ok_or_else(nul)?).map(Arc::new)
}

/// Its descriptor.
#[napi(catch_unwind)]
pub fn program_fd(program: u32) -> i32 {
    held(&PROGRAMS, program).map_or(-1, |held| held.as_fd().as_raw_fd())
}

/// Its bytes, when it was opened.
#[napi(catch_unwind)]
pub fn program_size(program: u32) -> f64 {
    held(&PROGRAMS, program).map_or(0.0, |held| held.size() as f64)
}

/// The digest of a sealed copy, in lower-case hex.
#[napi(catch_unwind)]
pub fn program_digest(program: u32) -> Option<String> {
    held(&PROGRAMS, program).ok().and_then(|held| held.sha256().map(str::to_owned))
}

/// Gives it up, and says how large it was.
#[napi(catch_unwind)]
pub fn let_go_program(program: u32) -> f64 {
    let_go(&PROGRAMS, program).map_or(0.0, |held| held.size() as f64)
}

// ---- descriptors -------------------------------------------------------------------------------

/// Takes over the end of a child's pipe, which is then closed at the latest with this environment.
#[napi(catch_unwind)]
pub fn hold_pipe(fd: i32) -> u32 {
    hold(&PIPES, Arc::new(sys::fd::adopt(fd)))
}

/// Closes it.
#[napi(catch_unwind)]
pub fn let_go_pipe(pipe: u32) {
    let_go(&PIPES, pipe);
}

/// Closes the end of a child's pipe with this environment, unless it is forgotten before.
#[napi(catch_unwind)]
pub fn lend_pipe(fd: i32) -> u32 {
    hold(&LENT, Arc::new(Lent::new(fd)))
}

/// Whoever it was lent to has closed it.
#[napi(catch_unwind)]
pub fn forget_pipe(pipe: u32) {
    if let Some(lent) = let_go(&LENT, pipe) {
        lent.forget();
    }
}

/// Which file a descriptor holds now.
#[napi(catch_unwind)]
pub fn identify(fd: i32) -> Either<Identity, Failure> {
    told(program::Identity::of(fd).map(Identity::from))
}

fn told<T>(result: failure::Result<T>) -> Either<T, Failure> {
    match result {
        Ok(value) => Either::A(value),
        Err(failure) => Either::B(failure.into()),
    }
}
