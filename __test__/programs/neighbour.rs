//! Other native code in Node's process, with habits that disturb: an addon, so that it comes after Node has put signals
//! in order. What it does when it is loaded is told by NEIGHBOUR:
//!
//!   ignore-children          SIGCHLD is ignored: the kernel reaps every child itself
//!   keep-no-zombies          the same by SA_NOCLDWAIT
//!   reap-all                 a thread of it waits for any child, again and again
//!   own-children FILE        a thread of it makes children and waits for each; into FILE how many ended as they should
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
        ("own-children", file) => {
            let file = file.to_owned();
            std::thread::spawn(move || std::fs::write(file, have_children().to_string()));
        }
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

fn have_children() -> usize {
    let ends_well = |round: i32| {
        let code = round % 100;
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            unsafe { libc::_exit(code) };
        }
        // Some have long ended when they are waited for.
        std::thread::sleep(Duration::from_millis(round as u64 % 4));
        let mut status = 0;
        let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        waited == pid && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == code
    };
    (0..200).filter(|round| ends_well(*round)).count()
}

fn reap_all() {
    loop {
        if unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } < 0 {
            std::thread::sleep(Duration::from_millis(1)); // there is no child
        }
    }
}
