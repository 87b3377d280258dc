//! An addon for Node that, when it is loaded, takes something from the thread that loads it: for tests of what a start
//! hands on. What, is said by the environment's RESTRICT: no-new-privs, nice, affinity, seccomp, landlock. Loading fails
//! where that cannot be had.

// A test program: what it is asked for in a wrong way may panic, and its system calls need no long reasons.
#![allow(clippy::undocumented_unsafe_blocks, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(target_os = "linux")]
#[path = "filter.rs"]
mod filter;

use std::ffi::c_void;

/// What Node calls, on the thread that loads it.
#[unsafe(no_mangle)]
extern "C" fn napi_register_module_v1(_env: *mut c_void, exports: *mut c_void) -> *mut c_void {
    let what = std::env::var("RESTRICT").unwrap_or_default();
    #[cfg(target_os = "linux")]
    if !linux::restrict(&what) {
        std::process::exit(77);
    }
    let _ = what;
    exports
}

#[cfg(target_os = "linux")]
mod linux {
    use super::filter;

    pub(crate) fn restrict(what: &str) -> bool {
        match what {
            "no-new-privs" => no_new_privs(),
            "nice" => unsafe { libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, 7) == 0 },
            "affinity" => {
                let last = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) } - 1;
                let mut set = [0_u8; 1024];
                *set.get_mut(last as usize / 8).unwrap() = 1 << (last % 8);
                unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, set.len(), set.as_ptr()) == 0 }
            }
            "seccomp" => filter::refuse(&filter::rules("memfd_create=EACCES").unwrap()).is_ok(),
            "landlock" => landlock(),
            _ => false,
        }
    }

    fn no_new_privs() -> bool {
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 }
    }

    /// No directory may be made any more, anywhere (linux/landlock.h).
    fn landlock() -> bool {
        const LANDLOCK_ACCESS_FS_MAKE_DIR: u64 = 1 << 7;
        let attributes = [LANDLOCK_ACCESS_FS_MAKE_DIR];
        unsafe {
            let size = size_of_val(&attributes);
            let rules = libc::syscall(libc::SYS_landlock_create_ruleset, attributes.as_ptr(), size, 0);
            rules >= 0 && no_new_privs() && libc::syscall(libc::SYS_landlock_restrict_self, rules, 0) == 0
        }
    }
}
