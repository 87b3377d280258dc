// A seccomp filter that makes chosen system calls of the calling thread, and of all that it starts, fail with an errno:
// what an older kernel or a container says; or be the caller's death. Used by `without`, `neighbour` and the Rust tests.

use std::io;

/// A call that is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    number: libc::c_long,
    /// Only where this argument, masked, has this value.
    only: Option<(u32, u32, u32)>,
    /// What becomes of it (seccomp(2)'s SECCOMP_RET_*).
    fate: u32,
}

type Known = (&'static str, libc::c_long, Option<(u32, u32, u32)>);

/// What can be refused. Some of them by an argument:
/// - `clone:pidfd` is clone() with CLONE_PIDFD. A kernel before 5.2 ignores that flag, which no filter can do; EINVAL is
///   the nearest that there is: such a start works without the flag, or not at all.
/// - `waitid:pidfd` is waitid(P_PIDFD), EINVAL before 5.4.
/// - `pidfd_send_signal:group` is PIDFD_SIGNAL_PROCESS_GROUP, EINVAL before 6.9.
/// - `ioctl:pidfd` is PIDFD_GET_INFO, ENOTTY before 6.13.
const KNOWN: &[Known] = &[
    ("clone", libc::SYS_clone, None),
    ("clone:newuser", libc::SYS_clone, Some((0, libc::CLONE_NEWUSER as u32, libc::CLONE_NEWUSER as u32))),
    ("clone:pidfd", libc::SYS_clone, Some((0, libc::CLONE_PIDFD as u32, libc::CLONE_PIDFD as u32))),
    ("clone3", libc::SYS_clone3, None),
    ("close_range", libc::SYS_close_range, None),
    ("dup3", libc::SYS_dup3, None),
    ("fchdir", libc::SYS_fchdir, None),
    ("setpgid", libc::SYS_setpgid, None),
    ("setsid", libc::SYS_setsid, None),
    ("copy_file_range", libc::SYS_copy_file_range, None),
    ("epoll_pwait2", libc::SYS_epoll_pwait2, None),
    ("execveat", libc::SYS_execveat, None),
    ("faccessat2", libc::SYS_faccessat2, None),
    ("getdents64", libc::SYS_getdents64, None),
    ("io_uring_setup", libc::SYS_io_uring_setup, None),
    ("ioctl:pidfd", libc::SYS_ioctl, Some((1, u32::MAX, 0xc040_ff0b))),
    ("landlock_create_ruleset", libc::SYS_landlock_create_ruleset, None),
    ("memfd_create", libc::SYS_memfd_create, None),
    ("openat2", libc::SYS_openat2, None),
    ("pidfd_getfd", libc::SYS_pidfd_getfd, None),
    ("pidfd_open", libc::SYS_pidfd_open, None),
    ("pidfd_send_signal", libc::SYS_pidfd_send_signal, None),
    ("pidfd_send_signal:group", libc::SYS_pidfd_send_signal, Some((3, 4, 4))),
    ("prlimit64", libc::SYS_prlimit64, None),
    ("sendfile", libc::SYS_sendfile, None),
    ("statx", libc::SYS_statx, None),
    ("unshare", libc::SYS_unshare, None),
    ("waitid:pidfd", libc::SYS_waitid, Some((0, u32::MAX, libc::P_PIDFD))),
];

const fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number as u32
}

const FATES: [(&str, u32); 7] = [
    ("ENOSYS", errno(libc::ENOSYS)),
    ("EPERM", errno(libc::EPERM)),
    ("EINVAL", errno(libc::EINVAL)),
    ("EACCES", errno(libc::EACCES)),
    ("EAGAIN", errno(libc::EAGAIN)),
    ("KILL", libc::SECCOMP_RET_KILL_PROCESS),
    ("NOTIFY", libc::SECCOMP_RET_USER_NOTIF),
];

/// `NAME[=FATE]`, separated by commas; ENOSYS where none is named.
pub(crate) fn rules(list: &str) -> Result<Vec<Rule>, String> {
    list.split(',').filter(|word| !word.is_empty()).map(rule).collect()
}

fn rule(word: &str) -> Result<Rule, String> {
    let (name, fate) = word.split_once('=').unwrap_or((word, "ENOSYS"));
    let known = KNOWN.iter().find(|(known, ..)| *known == name);
    let fate = FATES.iter().find(|(known, _)| *known == fate);
    match (known, fate) {
        (Some((_, number, only)), Some((_, fate))) => Ok(Rule { number: *number, only: *only, fate: *fate }),
        _ => Err(format!("{word} is not known")),
    }
}

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e; // AUDIT_ARCH_X86_64
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7; // AUDIT_ARCH_AARCH64

/// Offsets in struct seccomp_data (seccomp(2)); the lower half of an argument comes first on both.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

fn program(rules: &[Rule]) -> Vec<libc::sock_filter> {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = |offset| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let unless_equal_skip = |value, count| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, count, value);
    let answer = |value| step(libc::BPF_RET | libc::BPF_K, 0, 0, value);

    let mut steps = vec![load(ARCHITECTURE), unless_equal_skip(ARCH, 1), load(NUMBER)];
    for Rule { number, only, fate } in rules {
        let refuse = answer(*fate);
        match only {
            None => steps.extend([unless_equal_skip(*number as u32, 1), refuse]),
            Some((argument, mask, value)) => steps.extend([
                unless_equal_skip(*number as u32, 5),
                load(ARGUMENTS + 8 * argument),
                step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, *mask),
                unless_equal_skip(*value, 1),
                refuse,
                load(NUMBER),
            ]),
        }
    }
    steps.push(answer(libc::SECCOMP_RET_ALLOW));
    steps
}

/// From now on, for this thread and what it starts. Any user may do that.
pub(crate) fn refuse(rules: &[Rule]) -> io::Result<()> {
    install(rules, 0).map(drop)
}

/// The same; calls whose fate is NOTIFY wait for an answer through the descriptor that this gives (seccomp_unotify(2)).
#[allow(dead_code, reason = "for those who supervise")]
pub(crate) fn supervise(rules: &[Rule]) -> io::Result<i32> {
    install(rules, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)
}

fn install(rules: &[Rule], flags: libc::c_ulong) -> io::Result<i32> {
    let mut steps = program(rules);
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: plain numbers, and a program that outlives the call, which the kernel checks and copies.
    let answer = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    };
    if answer >= 0 { Ok(answer as i32) } else { Err(io::Error::last_os_error()) }
}
