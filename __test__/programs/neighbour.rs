//! Other native code in Node's process, with habits that disturb: an addon, so that it comes after Node has put signals
//! in order. What it does when it is loaded is told by NEIGHBOUR:
//!
//!   ignore-children          SIGCHLD is ignored: the kernel reaps every child itself
//!   keep-no-zombies          the same by SA_NOCLDWAIT
//!   reap-all                 a thread of it waits for any child, again and again
//!   refuse NAME[=ERRNO],…    calls of the thread that loads it fail from now on, as with `without`

// A test program: what it is asked for in a wrong way may panic, and its system calls need no long reasons.
#![allow(clippy::undocumented_unsafe_blocks, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod filter;

use std::ffi::c_void;
use std::time::Duration;

/// What Node calls; the exports stay as they are.
#[unsafe(no_mangle)]
pub extern "C" fn napi_register_module_v1(_env: *mut c_void, exports: *mut c_void) -> *mut c_void {
    let habit = std::env::var("NEIGHBOUR").unwrap();
    match habit.split_once(' ').unwrap_or((&habit, "")) {
        ("ignore-children", _) => dispose(libc::SIG_IGN, 0),
        ("keep-no-zombies", _) => dispose(libc::SIG_DFL, libc::SA_NOCLDWAIT),
        ("reap-all", _) => drop(std::thread::spawn(reap_all)),
        ("refuse", list) => filter::refuse(&filter::rules(list).unwrap()).unwrap(),
        _ => panic!("no such habit: {habit}"),
    }
    exports
}

fn dispose(handler: libc::sighandler_t, flags: i32) {
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut()), 0);
    }
}

fn reap_all() {
    loop {
        if unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } < 0 {
            std::thread::sleep(Duration::from_millis(1)); // there is no child
        }
    }
}
