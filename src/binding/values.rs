//! The plain values that cross: failures and endings.

use crate::engine;
use crate::failure;
use crate::program;
use crate::sys::pidfd::{Exit, Status};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use std::ffi::CString;

/// Why something did not happen, as plain values; lib/errors.ts makes the Error.
#[napi(object, object_from_js = false)]
pub struct Failure {
    /// positive errno
    pub errno: i32,
    /// where in the start it failed: the contract's Step
    pub step: &'static str,
    /// the system call that said so
    pub syscall: &'static str,
    /// the contract's own code, where it has one
    pub reason: Option<&'static str>,
    /// more for the message
    pub detail: Option<String>,
    /// the name it is about, where that is not the program's
    pub path: Option<String>,
}

impl From<failure::Failure> for Failure {
    fn from(failure: failure::Failure) -> Failure {
        Failure {
            errno: failure.errno as i32,
            step: failure.step.name(),
            syscall: failure.syscall,
            reason: failure.reason.map(failure::Reason::code),
            detail: failure.detail,
            path: failure.path,
        }
    }
}

/// A file by its number.
#[napi(object)]
#[derive(Clone, Copy, PartialEq)]
pub struct Identity {
    /// st_dev
    pub dev: f64,
    /// st_ino; a number above 2⁵³ keeps its leading digits, and is compared by them
    pub ino: f64,
    /// S_IFMT of st_mode
    pub kind: u32,
}

impl From<program::Identity> for Identity {
    fn from(identity: program::Identity) -> Identity {
        Identity { dev: identity.dev as f64, ino: identity.ino as f64, kind: identity.kind }
    }
}

/// What a child used: times in microseconds, maxRSS in KiB, as process.resourceUsage() has them.
#[napi(object, object_from_js = false)]
pub struct Usage {
    #[napi(js_name = "userCPUTime")]
    pub user_cpu_time: f64,
    #[napi(js_name = "systemCPUTime")]
    pub system_cpu_time: f64,
    #[napi(js_name = "maxRSS")]
    pub max_rss: f64,
    pub minor_page_fault: f64,
    pub major_page_fault: f64,
    pub fs_read: f64,
    pub fs_write: f64,
    pub voluntary_context_switches: f64,
    pub involuntary_context_switches: f64,
}

impl From<&libc::rusage> for Usage {
    fn from(usage: &libc::rusage) -> Usage {
        let microseconds = |time: libc::timeval| time.tv_sec as f64 * 1e6 + time.tv_usec as f64;
        Usage {
            user_cpu_time: microseconds(usage.ru_utime),
            system_cpu_time: microseconds(usage.ru_stime),
            max_rss: usage.ru_maxrss as f64,
            minor_page_fault: usage.ru_minflt as f64,
            major_page_fault: usage.ru_majflt as f64,
            fs_read: usage.ru_inblock as f64,
            fs_write: usage.ru_oublock as f64,
            voluntary_context_switches: usage.ru_nvcsw as f64,
            involuntary_context_switches: usage.ru_nivcsw as f64,
        }
    }
}

/// How a child ended: one for each that was started by spawn(), one for each output().
#[napi(object, object_from_js = false)]
pub struct Ending {
    pub id: u32,
    /// It never started; the rest is empty then.
    pub failure: Option<Failure>,
    pub pid: i32,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub core_dumped: bool,
    /// positive errno where the status could not be had; neither code nor signal then
    pub status_errno: Option<i32>,
    /// what output() captured, where it was piped
    pub stdout: Option<Buffer>,
    pub stderr: Option<Buffer>,
    pub timed_out: bool,
    pub aborted: bool,
    /// the child's descriptor (1 or 2) whose maxBuffer was passed
    pub overflowed: Option<u32>,
    /// positive errno where a stream could not be read to its end; the program was ended then
    pub read_errno: Option<i32>,
    /// something that was written is not in stdout or stderr
    pub truncated: bool,
    pub duration_ms: f64,
    /// absent where somebody else has reaped it
    pub usage: Option<Usage>,
}

impl Ending {
    pub(super) fn new(id: u32, ending: engine::Ending) -> Ending {
        let exit = ending.exit.as_ref();
        let ended: Option<&Exit> = exit.and_then(|exit| exit.as_ref().ok());
        let (code, signal) = match ended.map(|exit| exit.status) {
            Some(Status::Code(code)) => (Some(code), None),
            Some(Status::Signal(signal)) => (None, Some(signal)),
            None => (None, None),
        };
        Ending {
            id,
            failure: ending.failure.map(Failure::from),
            pid: ending.pid,
            code,
            signal,
            core_dumped: ended.is_some_and(|exit| exit.core_dumped),
            status_errno: exit.and_then(|exit| exit.as_ref().err()).map(|errno| *errno as i32),
            stdout: ending.stdout.map(Buffer::from),
            stderr: ending.stderr.map(Buffer::from),
            timed_out: ending.timed_out,
            aborted: ending.aborted,
            overflowed: ending.overflowed.map(|descriptor| descriptor as u32),
            read_errno: ending.unreadable.map(|errno| errno as i32),
            truncated: ending.truncated,
            duration_ms: ending.duration.as_secs_f64() * 1e3,
            usage: ended.and_then(|exit| exit.usage.as_ref()).map(Usage::from),
        }
    }
}

/// A NUL in a string, which lib/ refuses by name before it comes here.
pub(super) fn c_string(text: impl Into<Vec<u8>>) -> failure::Result<CString> {
    CString::new(text).map_err(|_| nul())
}

pub(super) fn nul() -> failure::Failure {
    failure::Failure::new(failure::Step::Resolve, "execve", nix::errno::Errno::EINVAL)
}
