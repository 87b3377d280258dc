//! How a run ended, as plain values.

use crate::failure::Failure;
use crate::sys::pidfd::Exit;
use nix::errno::Errno;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Ending {
    /// It never started; the rest is empty then.
    pub(crate) failure: Option<Failure>,
    /// 0 where nothing was started.
    pub(crate) pid: i32,
    /// An errno where the status could not be had: somebody else reaped it.
    pub(crate) exit: Option<Result<Exit, Errno>>,
    /// What was captured; None where it was not piped to us.
    pub(crate) stdout: Option<Vec<u8>>,
    pub(crate) stderr: Option<Vec<u8>>,
    pub(crate) timed_out: bool,
    pub(crate) aborted: bool,
    /// The child's descriptor (1, 2) whose maxBuffer was passed.
    pub(crate) overflowed: Option<usize>,
    /// An errno where a stream could not be read to its end; the program was ended then.
    pub(crate) unreadable: Option<Errno>,
    pub(crate) truncated: bool,
    pub(crate) duration: Duration,
}

impl Ending {
    pub(crate) fn failed(failure: Failure, duration: Duration) -> Ending {
        Ending { failure: Some(failure), duration, ..Ending::waited(0, None) }
    }

    /// Its time was over before its turn to start had come.
    pub(crate) fn late(duration: Duration) -> Ending {
        Ending { timed_out: true, duration, ..Ending::waited(0, None) }
    }

    /// Of a child that was waited for, and no more than that.
    pub(crate) fn waited(pid: i32, exit: Option<Result<Exit, Errno>>) -> Ending {
        Ending {
            failure: None,
            pid,
            exit,
            stdout: None,
            stderr: None,
            timed_out: false,
            aborted: false,
            overflowed: None,
            unreadable: None,
            truncated: false,
            duration: Duration::ZERO,
        }
    }
}
