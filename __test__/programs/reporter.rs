//! Tells, as one line of JSON, what a started program finds: arguments, environment, descriptors, signals, identity.
//! The tests start it. Its arguments are commands, carried out in order (none: `report`):
//!
//!   report [-- ANYTHING…]    print the line; what follows `--` is only there to be seen in argv
//!   to FD                    print to this descriptor from now on (1)
//!   out TEXT | err TEXT      write to descriptor 1 or 2
//!   cat | cat-both           copy descriptor 0 to descriptor 1, or to 1 and 2
//!   flood N | flood-both N   write N bytes to 1, or in turns to 1 and 2
//!   read-one                 wait for one byte, or the end, on descriptor 0
//!   ignore SIGNAL            by its number
//!   sleep MS | close-and-sleep MS     the second closes 1 and 2 first
//!   hold MS                  leave a grandchild that keeps every descriptor open for that long
//!   block SIGNAL | open FD | close FD    before `exec`: make a process of strange habits
//!   pty FD                   a new terminal at FD, its other side at FD + 1
//!   session FD               lead a session with the terminal at FD
//!   mkdir PATH               and say `made` or `refused`
//!   exit CODE | kill SIGNAL | exec PATH ARG…    end
//!
//! As the interpreter of a script, which its argv then names as /dev/fd/N, it only reports.
//!
//! No `main` of std's: its runtime ignores SIGPIPE, catches SIGSEGV and opens descriptors 0 to 2, which are things to see.
#![no_main]
// A test program: what it is asked for in a wrong way may panic, and its system calls need no long reasons.
#![allow(clippy::undocumented_unsafe_blocks, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_ulong, c_void};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

unsafe extern "C" {
    static environ: *const *const c_char;
    fn write(fd: c_int, bytes: *const c_void, length: usize) -> isize;
    fn read(fd: c_int, bytes: *mut c_void, length: usize) -> isize;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn close(fd: c_int) -> c_int;
    fn open(path: *const c_char, flags: c_int) -> c_int;
    fn dup2(from: c_int, to: c_int) -> c_int;
    fn execv(path: *const c_char, argv: *const *const c_char) -> c_int;
    fn sigemptyset(set: *mut c_void) -> c_int;
    fn sigaddset(set: *mut c_void, signal: c_int) -> c_int;
    fn sigprocmask(how: c_int, set: *const c_void, old: *mut c_void) -> c_int;
    fn fork() -> c_int;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn signal(signal: c_int, handler: usize) -> usize;
    fn getpid() -> c_int;
    fn getppid() -> c_int;
    fn getpgid(pid: c_int) -> c_int;
    fn getsid(pid: c_int) -> c_int;
    fn nice(by: c_int) -> c_int;
    fn umask(mask: c_uint) -> c_uint;
    fn getrlimit(resource: c_int, limit: *mut [u64; 2]) -> c_int;
    fn setsid() -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn posix_openpt(flags: c_int) -> c_int;
    fn grantpt(fd: c_int) -> c_int;
    fn unlockpt(fd: c_int) -> c_int;
    fn ptsname(fd: c_int) -> *const c_char;
    fn tcgetpgrp(fd: c_int) -> c_int;
    fn _exit(code: c_int) -> !;
}

const F_GETFD: c_int = 1;
const F_GETFL: c_int = 3;
const FD_CLOEXEC: c_int = 1;
#[cfg(target_os = "linux")]
const O_NONBLOCK: c_int = 0o4000;
#[cfg(target_os = "linux")]
const O_NOCTTY: c_int = 0o400;
#[cfg(not(target_os = "linux"))]
const O_NOCTTY: c_int = 0x20000;
#[cfg(not(target_os = "linux"))]
const O_NONBLOCK: c_int = 4;
const SIG_IGN: usize = 1;

#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let argv = strings(argv);
    assert_eq!(argv.len(), argc as usize, "argv ends with a null");
    let mut words = argv.iter().skip(1).map(|word| String::from_utf8_lossy(word).into_owned());
    let is_interpreter = argv.iter().skip(1).any(|word| word.starts_with(b"/dev/fd/"));
    if argv.len() <= 1 || is_interpreter {
        emit(1, report(&argv).as_bytes());
        return 0;
    }
    let mut to = 1;
    while let Some(command) = words.next() {
        let mut word = || words.next().unwrap_or_else(|| wrong(&format!("{command} needs a value")));
        let mut number = || -> i64 { word().parse().unwrap_or_else(|_| wrong(&format!("{command} needs a number"))) };
        match command.as_str() {
            "report" => emit(to, report(&argv).as_bytes()),
            "to" => to = number() as c_int,
            "out" => emit(1, word().as_bytes()),
            "err" => emit(2, word().as_bytes()),
            "cat" => cat(&[1]),
            "cat-both" => cat(&[1, 2]),
            "flood" => flood(number(), &[1]),
            "flood-both" => flood(number(), &[1, 2]),
            "read-one" => {
                let mut byte = 0_u8;
                unsafe { read(0, (&raw mut byte).cast(), 1) };
            }
            "ignore" => {
                unsafe { signal(number() as c_int, SIG_IGN) };
            }
            "sleep" => std::thread::sleep(Duration::from_millis(number() as u64)),
            "close-and-sleep" => {
                unsafe { (close(1), close(2)) };
                std::thread::sleep(Duration::from_millis(number() as u64));
            }
            "hold" => {
                let time = Duration::from_millis(number() as u64);
                if unsafe { fork() } == 0 {
                    std::thread::sleep(time);
                    unsafe { _exit(0) };
                }
            }
            "block" => block(number() as c_int),
            "open" => {
                let from = unsafe { open(c"/dev/null".as_ptr(), 2) };
                unsafe { dup2(from, number() as c_int) };
                unsafe { close(from) };
            }
            "close" => {
                unsafe { close(number() as c_int) };
            }
            "mkdir" => emit(1, if fs::create_dir(word()).is_ok() { b"made" } else { b"refused" }),
            "pty" => pty(number() as c_int),
            "session" => unsafe {
                setsid();
                ioctl(number() as c_int, TIOCSCTTY, 0);
            },
            "exec" => replace(&words.by_ref().collect::<Vec<_>>()),
            "exit" => unsafe { _exit(number() as c_int) },
            "kill" => {
                unsafe { kill(getpid(), number() as c_int) };
            }
            "--" => break,
            other => wrong(&format!("no command is called {other}")),
        }
    }
    0
}

fn block(signal: c_int) {
    let mut set = [0_u64; 16]; // a sigset_t is 128 bytes
    unsafe {
        sigemptyset(set.as_mut_ptr().cast());
        sigaddset(set.as_mut_ptr().cast(), signal);
        sigprocmask(0, set.as_ptr().cast(), std::ptr::null_mut()); // 0: SIG_BLOCK on Linux
    }
}

#[cfg(target_os = "linux")]
const TIOCSCTTY: c_ulong = 0x540e;
#[cfg(not(target_os = "linux"))]
const TIOCSCTTY: c_ulong = 0x2000_7461;

fn pty(at: c_int) {
    const O_RDWR: c_int = 2;
    unsafe {
        let master = posix_openpt(O_RDWR);
        assert!(grantpt(master) == 0 && unlockpt(master) == 0, "no pseudoterminal");
        let slave = open(ptsname(master), O_RDWR | O_NOCTTY);
        dup2(slave, at);
        dup2(master, at + 1);
        close(slave);
        close(master);
    }
}

fn replace(words: &[String]) -> ! {
    let words: Vec<CString> = words.iter().map(|word| CString::new(word.as_str()).unwrap()).collect();
    let argv: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    unsafe { execv(*argv.first().unwrap(), argv.as_ptr()) };
    wrong("exec failed")
}

fn wrong(message: &str) -> ! {
    emit(2, format!("reporter: {message}\n").as_bytes());
    unsafe { _exit(99) }
}

/// What an array of C strings that ends with a null holds.
fn strings(mut at: *const *const c_char) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while !at.is_null() && !unsafe { *at }.is_null() {
        all.push(unsafe { CStr::from_ptr(*at) }.to_bytes().to_vec());
        at = unsafe { at.add(1) };
    }
    all
}

fn emit(fd: c_int, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let written = unsafe { write(fd, bytes.as_ptr().cast(), bytes.len()) };
        if written <= 0 {
            return; // nobody reads; not this program's business
        }
        bytes = bytes.get(written as usize..).unwrap_or_default();
    }
}

fn cat(fds: &[c_int]) {
    let mut buffer = vec![0_u8; 1 << 16];
    loop {
        let got = unsafe { read(0, buffer.as_mut_ptr().cast(), buffer.len()) };
        if got <= 0 {
            return;
        }
        for fd in fds {
            emit(*fd, buffer.get(..got as usize).unwrap_or_default());
        }
    }
}

fn flood(total: i64, fds: &[c_int]) {
    let block = vec![b'x'; 1 << 14];
    let mut left = total as usize;
    while left > 0 {
        let some = left.min(block.len());
        for fd in fds {
            emit(*fd, block.get(..some).unwrap_or_default());
        }
        left -= some;
    }
}

// ---- the report -----------------------------------------------------------------------------------

fn report(argv: &[Vec<u8>]) -> String {
    let status = status();
    let field = |name: &str| text(status.get(name).map_or("", String::as_str).as_bytes());
    let cwd = fs::metadata(".");
    let mask = unsafe { umask(0) };
    unsafe { umask(mask) };
    let pairs = [
        ("argv", list(argv)),
        ("env", list(&strings(unsafe { environ }))),
        ("cwd", text(fs::read_link("/proc/self/cwd").unwrap_or_default().as_os_str().as_bytes())),
        ("cwdDev", cwd.as_ref().map_or(0, MetadataExt::dev).to_string()),
        ("cwdIno", cwd.as_ref().map_or(0, MetadataExt::ino).to_string()),
        ("exe", text(fs::read_link("/proc/self/exe").unwrap_or_default().as_os_str().as_bytes())),
        ("fds", descriptors()),
        ("pid", unsafe { getpid() }.to_string()),
        ("ppid", unsafe { getppid() }.to_string()),
        ("pgid", unsafe { getpgid(0) }.to_string()),
        ("sid", unsafe { getsid(0) }.to_string()),
        ("nice", unsafe { nice(0) }.to_string()),
        ("umask", mask.to_string()),
        ("uid", field("Uid")),
        ("gid", field("Gid")),
        ("groups", field("Groups")),
        ("threads", field("Threads")),
        ("noNewPrivs", field("NoNewPrivs")),
        ("seccomp", field("Seccomp")),
        ("caps", object(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|name| (name, field(name))))),
        ("cpus", field("Cpus_allowed_list")),
        ("limits", object(LIMITS.iter().enumerate().map(|(number, name)| (*name, limit(number))))),
        ("namespaces", object(NAMESPACES.map(|name| (name, link(&format!("/proc/self/ns/{name}")))))),
        ("root", link("/proc/self/root")),
        ("cgroup", text(cgroup().as_bytes())),
        ("tty", tty()),
        ("pdeathsig", death_signal().to_string()),
        ("sigBlocked", field("SigBlk")),
        ("sigIgnored", field("SigIgn")),
        ("sigCaught", field("SigCgt")),
        ("sigPending", field("SigPnd")),
        ("sigPendingProcess", field("ShdPnd")),
    ];
    format!("{}\n", object(pairs))
}

/// By their numbers on Linux.
const LIMITS: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];

/// Soft and hard; "unlimited" in words, since JSON has no such number.
fn limit(number: usize) -> String {
    let mut limit = [0; 2];
    unsafe { getrlimit(number as c_int, &raw mut limit) };
    let word = |value: u64| if value == u64::MAX { "\"unlimited\"".to_string() } else { value.to_string() };
    format!("[{}]", limit.map(word).join(","))
}

const NAMESPACES: [&str; 8] = ["user", "pid", "net", "mnt", "ipc", "uts", "cgroup", "time"];

fn link(path: &str) -> String {
    text(fs::read_link(path).unwrap_or_default().as_os_str().as_bytes())
}

/// Its path in the hierarchy of version 2.
fn cgroup() -> String {
    let all = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    all.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_string()
}

/// The foreground group of the controlling terminal; null where there is none.
fn tty() -> String {
    let fd = unsafe { open(c"/dev/tty".as_ptr(), 2) };
    if fd < 0 {
        return "null".to_string();
    }
    let group = unsafe { tcgetpgrp(fd) };
    unsafe { close(fd) };
    group.to_string()
}

#[cfg(target_os = "linux")]
fn death_signal() -> c_int {
    unsafe extern "C" {
        fn prctl(option: c_int, ...) -> c_int;
    }
    const PR_GET_PDEATHSIG: c_int = 2;
    let mut signal: c_int = 0;
    unsafe { prctl(PR_GET_PDEATHSIG, &raw mut signal) };
    signal
}

#[cfg(not(target_os = "linux"))]
fn death_signal() -> c_int {
    0
}

fn object<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let body: Vec<String> = pairs.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", body.join(","))
}

/// Bytes as a JSON string whose characters are those bytes (latin1), so that nothing is lost.
fn text(bytes: &[u8]) -> String {
    let inside: String = bytes
        .iter()
        .map(|byte| match byte {
            b' '..=b'~' if *byte != b'"' && *byte != b'\\' => char::from(*byte).to_string(),
            other => format!("\\u{other:04x}"),
        })
        .collect();
    format!("\"{inside}\"")
}

fn list(items: &[Vec<u8>]) -> String {
    let items: Vec<String> = items.iter().map(|item| text(item)).collect();
    format!("[{}]", items.join(","))
}

fn status() -> BTreeMap<String, String> {
    fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_string(), value.trim().to_string()))
        .collect()
}

/// Every descriptor that is open, but the one that the list is read from.
fn descriptors() -> String {
    let mut numbers: Vec<c_int> = fs::read_dir("/proc/self/fd")
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
        .unwrap_or_else(|_| (0..4096).collect()); // no /proc: those that are open are told below
    numbers.sort_unstable();
    let items: Vec<String> = numbers
        .into_iter()
        .filter_map(|fd| {
            let flags = unsafe { fcntl(fd, F_GETFD) };
            if flags < 0 {
                return None;
            }
            let target = fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
            let nonblock = unsafe { fcntl(fd, F_GETFL) } & O_NONBLOCK != 0;
            let cloexec = flags & FD_CLOEXEC != 0;
            let target = text(target.as_os_str().as_bytes());
            Some(format!("{{\"fd\":{fd},\"target\":{target},\"cloexec\":{cloexec},\"nonblock\":{nonblock}}}"))
        })
        .collect();
    format!("[{}]", items.join(","))
}
