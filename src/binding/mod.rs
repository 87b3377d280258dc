//! N-API only: JavaScript values in, plain Rust values out. lib/ has checked every value before; nothing is decided
//! here. Failures are returned as values, and lib/errors.ts makes the errors of them.

mod attributes;
mod engine;
mod files;
mod held;
mod mailbox;
mod probe;
mod request;
mod values;
