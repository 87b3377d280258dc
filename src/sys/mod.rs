//! The raw calls, each behind a signature that is safe to call: every promise that the kernel, libuv or Node asks for
//! is kept in here. Nothing is decided in here.

pub(crate) mod environment;
pub(crate) mod fd;
pub(crate) mod handed;
pub(crate) mod node;
pub(crate) mod poll;
pub(crate) mod strings;
pub(crate) mod uv;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
