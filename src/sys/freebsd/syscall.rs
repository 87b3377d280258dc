//! System calls as instructions. libc's wrappers write errno, and libthr's keep notes of their own about signals, which
//! a child that shares our memory shares with us; between rfork and exec these are the only calls made.

use std::arch::asm;
use std::ffi::c_int;

// sys/kern/syscalls.master; a number, once given, is kept for good.
pub(crate) const EXIT: c_int = 1;
pub(crate) const WRITE: c_int = 4;
pub(crate) const CLOSE: c_int = 6;
pub(crate) const CHDIR: c_int = 12;
pub(crate) const FCHDIR: c_int = 13;
pub(crate) const GETPID: c_int = 20;
pub(crate) const KILL: c_int = 37;
pub(crate) const GETPPID: c_int = 39;
pub(crate) const GETEGID: c_int = 43;
pub(crate) const IOCTL: c_int = 54;
pub(crate) const EXECVE: c_int = 59;
pub(crate) const UMASK: c_int = 60;
pub(crate) const CHROOT: c_int = 61;
pub(crate) const SETGROUPS: c_int = 80;
pub(crate) const SETPGID: c_int = 82;
pub(crate) const FCNTL: c_int = 92;
pub(crate) const SETPRIORITY: c_int = 96;
pub(crate) const SETSID: c_int = 147;
pub(crate) const SETRLIMIT: c_int = 195;
pub(crate) const SETRESUID: c_int = 311;
pub(crate) const SETRESGID: c_int = 312;
pub(crate) const SIGPROCMASK: c_int = 340;
pub(crate) const SIGACTION: c_int = 416;
pub(crate) const CPUSET_SETAFFINITY: c_int = 488;
pub(crate) const FEXECVE: c_int = 492;
pub(crate) const PROCCTL: c_int = 544;
pub(crate) const CLOSE_RANGE: c_int = 575;

/// Makes system call `number`: its value, or a negative errno.
///
/// # Safety
/// The arguments must be what the call's man page asks for: pointers to memory that is valid for as long as it says.
#[inline(always)]
pub(crate) unsafe fn syscall(number: c_int, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result: isize;
    let failed: u8;
    // SAFETY: the amd64 convention: the carry flag says that rax is an errno; rdx may carry a second value, and the
    // kernel wipes the other registers that a call may overwrite. The caller answers for the arguments.
    unsafe {
        asm!(
            "syscall",
            "setc {failed}",
            failed = lateout(reg_byte) failed,
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, inlateout("rdx") c => _, inlateout("r10") d => _, inlateout("r8") e => _,
            inlateout("r9") f => _, lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    if failed == 0 { result } else { -result }
}
