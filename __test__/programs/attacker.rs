//! Somebody who may write where a Root is, and wants what lies beside it to be opened or run. The tests start it.
//!
//!   attack PLACE SECONDS   swap and move things in PLACE until its input ends, or that long; then print, as JSON, how
//!                          often each attack was done. PLACE is laid out by __test__/attack/attack.test.ts.
//!   harass SECONDS         stop and kill, in turns, whatever else runs as this user, until its input ends, or that
//!                          long; then print how often somebody was hit
//!   reach ADDRESS SECONDS  open the memory of whatever else runs as this user, and look for an ELF file at ADDRESS (in
//!                          hex), as long; then print how often memory was opened, and how often it was there
//!   tell                   a copy of this program with a last line of its own is what is opened and run:
//!                          exit with 0 inside, 66 when this copy is the one outside, 67 when the cwd is outside

// A test program: what it is asked for in a wrong way may panic, and its system calls need no long reasons.
#![allow(clippy::undocumented_unsafe_blocks, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::{CString, c_char, c_int, c_long, c_uint};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

// Not renameat2(): older C libraries do not have it.
unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}
#[cfg(target_arch = "x86_64")]
const SYS_RENAMEAT2: c_long = 316;
#[cfg(not(target_arch = "x86_64"))]
const SYS_RENAMEAT2: c_long = 276;
const AT_FDCWD: c_int = -100;
const RENAME_EXCHANGE: c_uint = 2;

const RAN_OUTSIDE: i32 = 66;
const STARTED_OUTSIDE: i32 = 67;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["attack", place, seconds] => attack(Path::new(place), Duration::from_secs(seconds.parse().unwrap())),
        ["harass", seconds] => harass(Duration::from_secs(seconds.parse().unwrap())),
        ["reach", address, seconds] => {
            reach(u64::from_str_radix(address, 16).unwrap(), Duration::from_secs(seconds.parse().unwrap()));
        }
        ["tell"] => tell(),
        _ => panic!("attack PLACE SECONDS, harass SECONDS, reach ADDRESS SECONDS, or tell"),
    }
}

// ---- attack ---------------------------------------------------------------------------------------

static OVER: AtomicBool = AtomicBool::new(false);

/// Does its harm once; whether it could.
type Act = Box<dyn Fn() -> bool + Send>;

fn attack(place: &Path, limit: Duration) {
    let root = place.join("root");
    let attacks: [(&str, Act); 3] = [
        ("component", exchange(root.join("door"), root.join("trap"))),
        ("last", exchange(root.join("last"), root.join("lure"))),
        ("moved", there_and_back(root.join("deep/moved"), place.join("outside/moved"))),
    ];
    let runs = attacks.map(|(name, act)| (name, std::thread::spawn(move || again_and_again(&act))));
    await_end(limit);
    let counts = runs.map(|(name, run)| format!("\"{name}\":{}", run.join().unwrap()));
    println!("{{{}}}", counts.join(","));
}

/// Until the input ends, or that long.
fn await_end(limit: Duration) {
    println!("attacking");
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        OVER.store(true, Ordering::Relaxed);
    });
    let end = Instant::now() + limit;
    while !OVER.load(Ordering::Relaxed) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    OVER.store(true, Ordering::Relaxed);
}

fn again_and_again(act: &dyn Fn() -> bool) -> u64 {
    let mut count = 0;
    while !OVER.load(Ordering::Relaxed) {
        count += u64::from(act());
    }
    count
}

/// Two names change places, in one step: there is no moment at which one of them is missing.
fn exchange(one: PathBuf, other: PathBuf) -> Act {
    Box::new(move || rename(&one, &other, RENAME_EXCHANGE))
}

fn there_and_back(from: PathBuf, to: PathBuf) -> Act {
    Box::new(move || rename(&from, &to, 0) && rename(&to, &from, 0))
}

fn rename(from: &Path, to: &Path, flags: c_uint) -> bool {
    let [from, to] = [from, to].map(|path| CString::new(path.to_str().unwrap()).unwrap());
    let [from, to]: [*const c_char; 2] = [from.as_ptr(), to.as_ptr()];
    unsafe { syscall(SYS_RENAMEAT2, AT_FDCWD, from, AT_FDCWD, to, flags) == 0 }
}

// ---- by another user's own right -------------------------------------------------------------------

unsafe extern "C" {
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn getuid() -> c_uint;
}

/// To all whom this user may signal, but himself.
fn harass(limit: Duration) {
    assert_ne!(unsafe { getuid() }, 0, "root would hit everybody");
    const SIGKILL: c_int = 9;
    const SIGSTOP: c_int = 19;
    let act = |signals: [c_int; 4]| move || signals.iter().all(|signal| unsafe { kill(-1, *signal) } == 0);
    let run = std::thread::spawn(move || again_and_again(&act([SIGSTOP, SIGSTOP, SIGSTOP, SIGKILL])));
    await_end(limit);
    println!("{{\"hit\":{}}}", run.join().unwrap());
}

fn reach(address: u64, limit: Duration) {
    let run = std::thread::spawn(move || {
        let (mut opened, mut reached) = (0, 0);
        while !OVER.load(Ordering::Relaxed) {
            for memory in memories() {
                opened += 1;
                let mut bytes = [0; 4];
                let there = memory.read_exact_at(&mut bytes, address).is_ok() && bytes == *b"\x7fELF";
                reached += u32::from(there);
            }
        }
        (opened, reached)
    });
    await_end(limit);
    let (opened, reached) = run.join().unwrap();
    println!("{{\"opened\":{opened},\"reached\":{reached}}}");
}

/// Of all processes but this one, as far as they may be opened for writing.
fn memories() -> impl Iterator<Item = File> {
    let own = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(move |entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with(|first: char| first.is_ascii_digit()) && name.to_str() != Some(&own)
        })
        .filter_map(|entry| File::options().read(true).write(true).open(entry.path().join("mem")).ok())
}

// ---- tell -----------------------------------------------------------------------------------------

fn tell() {
    let mut program = File::open("/proc/self/exe").unwrap();
    program.seek(SeekFrom::End(-8)).unwrap();
    let mut last = String::new();
    program.read_to_string(&mut last).unwrap();
    exit(match last.trim() {
        "outside" => RAN_OUTSIDE,
        "inside" if Path::new("this-is-outside").exists() => STARTED_OUTSIDE,
        "inside" => 0,
        other => panic!("what copy is this? {other}"),
    });
}
