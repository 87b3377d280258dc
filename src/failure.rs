//! How everything below the binding says that something did not happen: where in the start, which call, which errno.

use nix::errno::Errno;

/// A place in the way of a start; the names are the contract's (`error.step`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Resolve,
    Open,
    Script,
    Seal,
    Fork,
    Namespaces,
    Cgroup,
    Setsid,
    Setpgid,
    Foreground,
    Rlimits,
    Nice,
    Chroot,
    Umask,
    Fds,
    Ctty,
    Groups,
    Setgid,
    Setuid,
    Caps,
    Chdir,
    Pdeathsig,
    Affinity,
    NoNewPrivs,
    Signals,
    Exec,
}

impl Step {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Step::Resolve => "resolve",
            Step::Open => "open",
            Step::Script => "script",
            Step::Seal => "seal",
            Step::Fork => "fork",
            Step::Namespaces => "namespaces",
            Step::Cgroup => "cgroup",
            Step::Setsid => "setsid",
            Step::Setpgid => "setpgid",
            Step::Foreground => "foreground",
            Step::Rlimits => "rlimits",
            Step::Nice => "nice",
            Step::Chroot => "chroot",
            Step::Umask => "umask",
            Step::Fds => "fds",
            Step::Ctty => "ctty",
            Step::Groups => "groups",
            Step::Setgid => "setgid",
            Step::Setuid => "setuid",
            Step::Caps => "caps",
            Step::Chdir => "chdir",
            Step::Pdeathsig => "pdeathsig",
            Step::Affinity => "affinity",
            Step::NoNewPrivs => "no_new_privs",
            Step::Signals => "signals",
            Step::Exec => "exec",
        }
    }
}

/// A failure that the contract gives a code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Escape,
    ScriptDenied,
    DigestMismatch,
    Unavailable,
    Aborted,
}

impl Reason {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Reason::Escape => "ERR_PATH_ESCAPES_ROOT",
            Reason::ScriptDenied => "ERR_SCRIPT_DENIED",
            Reason::DigestMismatch => "ERR_DIGEST_MISMATCH",
            Reason::Unavailable => "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM",
            Reason::Aborted => "ABORT_ERR",
        }
    }
}

/// Why something did not happen.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) errno: Errno,
    pub(crate) step: Step,
    pub(crate) syscall: &'static str,
    pub(crate) reason: Option<Reason>,
    /// More for the message, as words.
    pub(crate) detail: Option<String>,
    /// The name it is about, where that is not the program's.
    pub(crate) path: Option<String>,
}

impl Failure {
    pub(crate) fn new(step: Step, syscall: &'static str, errno: Errno) -> Failure {
        Failure { errno, step, syscall, reason: None, detail: None, path: None }
    }

    /// For `map_err`: what `syscall` says at `step`.
    pub(crate) fn at(step: Step, syscall: &'static str) -> impl Fn(Errno) -> Failure {
        move |errno| Failure::new(step, syscall, errno)
    }

    pub(crate) fn because(mut self, reason: Reason) -> Failure {
        self.reason = Some(reason);
        self
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Failure {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn about(mut self, path: impl Into<String>) -> Failure {
        self.path = Some(path.into());
        self
    }
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// What the standard library says, in our terms.
pub(crate) fn io_failure(step: Step, syscall: &'static str, error: &std::io::Error) -> Failure {
    Failure::new(step, syscall, Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}
