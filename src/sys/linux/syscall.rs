//! System calls as instructions. libc's wrappers write errno, which a child that shares our memory shares with us, and
//! may take locks; between clone and exec these are the only calls made.

use std::arch::asm;

/// Makes system call `number`; the kernel's own answer: a value, or a negative errno.
///
/// # Safety
/// The arguments must be what the call's man page asks for: pointers to memory that is valid for as long as it says.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) unsafe fn syscall(number: libc::c_long, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result: isize;
    // SAFETY: the x86_64 convention of syscall(2): rcx and r11 are overwritten, all else is kept; the caller answers
    // for the arguments.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Makes system call `number`; the kernel's own answer: a value, or a negative errno.
///
/// # Safety
/// The arguments must be what the call's man page asks for: pointers to memory that is valid for as long as it says.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(crate) unsafe fn syscall(number: libc::c_long, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result: isize;
    // SAFETY: the aarch64 convention of syscall(2): x0 carries the answer, all else is kept; the caller answers for
    // the arguments.
    unsafe {
        asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    result
}
