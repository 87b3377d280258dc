//! The core of command-root: programs started by their place inside a directory that is held open.
//!
//! Calls go down only: `binding` (N-API) → `engine` (after the start) → `process` (the start), `program` (what will
//! run) → `root` (names) → `sys` (raw calls). `failure` is how each of them says that something did not happen.

#[allow(unreachable_pub, reason = "N-API's macros reach what is pub; no Rust code does")]
#[cfg_attr(test, allow(dead_code, reason = "N-API's registration is left out of the tests"))]
mod binding;
mod engine;
mod failure;
mod process;
mod program;
mod root;
mod sys;
