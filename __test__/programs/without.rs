//! Runs a program on a kernel that lacks things, or in a container that refuses them:
//!
//!   without execveat,pidfd_send_signal=EPERM -- PROGRAM ARG…
//!
//! Each call named fails with ENOSYS, or with the errno after `=`, in that program and all that it starts (filter.rs says
//! which calls there are). Any user may run it. (clone3=EPERM is beyond glibc from 2.34 on, which then makes no threads.)

mod filter;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let list = args.next().unwrap_or_default().to_string_lossy().into_owned();
    let (separator, program) = (args.next(), args.next());
    let (true, Some(program)) = (separator.is_some_and(|word| word == "--"), program) else {
        eprintln!("usage: without NAME[=ERRNO],… -- PROGRAM ARG…");
        return ExitCode::from(125);
    };
    let refused = filter::rules(&list).and_then(|rules| filter::refuse(&rules).map_err(|error| error.to_string()));
    if let Err(message) = refused {
        eprintln!("without: {message}");
        return ExitCode::from(125);
    }
    eprintln!("without: {}", Command::new(program).args(args).exec());
    ExitCode::from(126)
}
