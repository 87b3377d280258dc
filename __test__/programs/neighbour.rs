//! Other native code in Node's process, with habits that disturb: an addon, so that it comes after Node has put signals
//! in order. What it does when it is loaded is told by NEIGHBOUR:
//!
//!   ignore-children          SIGCHLD is ignored: the kernel reaps every child itself
//!   keep-no-zombies          the same by SA_NOCLDWAIT
//!   reap-all                 a thread of it waits for any child, again and again
//!   own-children FILE        a thread of it makes children and waits for each; into FILE how many ended as they should
//!   refuse NAME[=FATE],…     calls of the thread that loads it fail from now on, as with `without`
//!   stop NAME | hold NAME    whoever makes this call in that thread, or in what it starts, is stopped (SIGSTOP), or does
//!                            not come back from it

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
        ("stop", name) => wait_for(name, true),
        ("hold", name) => wait_for(name, false),
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

/// A thread that answers for those who make this call: once they are stopped, or not at all.
fn wait_for(name: &str, stop: bool) {
    let listener = filter::supervise(&filter::rules(&format!("{name}=NOTIFY")).unwrap()).unwrap();
    std::thread::spawn(move || {
        let mut stopped = 0;
        loop {
            let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
            // Interrupted, or the caller has ended.
            if unsafe { libc::ioctl(listener, RECEIVE, &raw mut call) } < 0 {
                continue;
            }
            if stop {
                // The signal interrupts the call, which is made again afterwards.
                if stopped != call.pid {
                    stopped = call.pid;
                    unsafe { libc::kill(call.pid as i32, libc::SIGSTOP) };
                    eprintln!("stopped {stopped}");
                }
                let go_on = libc::seccomp_notif_resp { id: call.id, val: 0, error: 0, flags: CONTINUE };
                unsafe { libc::ioctl(listener, SEND, &raw const go_on) };
            }
        }
    });
}

/// SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_USER_NOTIF_FLAG_CONTINUE (linux/seccomp.h).
const RECEIVE: libc::Ioctl = 0xc050_2100_u32 as libc::Ioctl;
const SEND: libc::Ioctl = 0xc018_2101_u32 as libc::Ioctl;
const CONTINUE: u32 = 1;

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
