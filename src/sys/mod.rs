//! The raw calls, each behind a signature that is safe to call: every promise that the kernel, libuv or Node asks for
//! is kept in here. Nothing is decided in here.

pub(crate) mod access;
pub(crate) mod environment;
pub(crate) mod fd;
pub(crate) mod handed;
pub(crate) mod node;
pub(crate) mod poll;
pub(crate) mod resolve;
#[cfg(not(target_os = "macos"))]
pub(crate) mod stack;
pub(crate) mod strings;
pub(crate) mod uv;

#[cfg(any(target_os = "freebsd", target_os = "macos"))]
mod bsd;
#[cfg(target_os = "macos")]
mod darwin;
#[cfg(target_os = "freebsd")]
mod freebsd;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "macos")]
pub(crate) use darwin::*;
#[cfg(target_os = "freebsd")]
pub(crate) use freebsd::*;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
