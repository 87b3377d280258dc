//! Tests: what a start leaves of the process that makes it, and what of the starting thread a child has.

use super::start::{start, start_by};
use super::{Attributes, Cwd, Environment, Patience, Request, Scope, Stdio, Target};
use crate::failure::{Failure, Step};
use crate::program::Scripts;
use crate::root::Directory;
use crate::sys::clone::Memory;
use crate::sys::namespaces::IdRange;
use crate::sys::strings::Strings;
use crate::sys::{dumpable, filter, identity, namespaces};
use nix::errno::Errno;
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex};

/// Of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn strings(texts: &[&str]) -> Arc<Strings> {
    Arc::new(Strings::new(texts.iter().map(|text| CString::new(*text).unwrap()).collect()))
}

fn request(script: &str, attributes: Attributes) -> Request {
    Request {
        target: Target::Named { root: Arc::new(Directory::open(c"/").unwrap()), name: c"bin/sh".to_owned() },
        argv: strings(&["sh", "-c", script]),
        environment: Environment::Given(strings(&["PATH=/usr/bin:/bin"])),
        cwd: Cwd::Here,
        stdio: vec![Stdio::Null, Stdio::Pipe, Stdio::Null],
        attributes: Arc::new(attributes),
        scope: Scope::Process,
        kept: false,
        seal: None,
        scripts: Scripts::Deny,
    }
}

fn patience() -> Patience {
    Patience::new(None, Arc::default(), true)
}

/// What the shell says to this.
fn said(script: &str, attributes: Attributes) -> Result<String, Failure> {
    let mut started = start(&request(script, attributes), &patience())?;
    let mut said = String::new();
    File::from(started.streams.remove(1).unwrap()).read_to_string(&mut said).unwrap();
    started.child.wait().unwrap();
    Ok(said.trim().to_owned())
}

fn is_root() -> bool {
    identity::own().uids == [0; 3]
}

fn somebody() -> Attributes {
    Attributes { uid: Some(65534), gid: Some(65534), ..Attributes::default() }
}

/// This user's own ids, in a user namespace.
fn in_user_namespace() -> Attributes {
    let ids = identity::own();
    let one = |id: [u32; 3]| vec![IdRange { inside: 0, outside: id[1], size: 1 }];
    let namespaces =
        super::Namespaces { flags: namespaces::USER, uid_map: one(ids.uids), gid_map: one(ids.gids), setgroups: false };
    Attributes { uid: Some(0), gid: Some(0), namespaces, ..Attributes::default() }
}

#[test]
fn the_process_is_as_dumpable_after_starts_as_somebody_else() {
    if !is_root() {
        eprintln!("skipped: takes root");
        return;
    }
    let _alone = ALONE.lock();
    assert_eq!(dumpable::get(), 1);
    for memory in [Memory::Shared, Memory::Copied] {
        for script in ["exit 0", "exit 1"] {
            let started = start_by(memory, &request(script, somebody()), &patience()).unwrap();
            assert_eq!(dumpable::get(), 1, "{memory:?}");
            started.child.wait().unwrap();
        }
    }
    let failed = Attributes { cgroup: None, pgid: Some(i32::MAX), ..somebody() };
    assert_eq!(said("exit", failed).unwrap_err().step, Step::Setpgid);
    let late = Attributes { affinity: super::CpuSet::of([8191]), ..somebody() };
    assert_eq!(said("exit", late).unwrap_err().step, Step::Affinity);
    assert_eq!(dumpable::get(), 1);
}

#[test]
fn and_after_many_at_once() {
    if !is_root() {
        eprintln!("skipped: takes root");
        return;
    }
    let _alone = ALONE.lock();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for round in 0..40 {
                    let attributes = if round % 2 == 0 { somebody() } else { in_user_namespace() };
                    let expected = if round % 2 == 0 { "65534" } else { "0" };
                    assert_eq!(said("id -u", attributes).unwrap(), expected);
                }
            });
        }
    });
    assert_eq!(dumpable::get(), 1);
}

/// As if its child stood stopped, somebody else already, in our memory.
#[test]
fn while_one_of_them_stands_nothing_is_restored() {
    if !is_root() {
        eprintln!("skipped: takes root");
        return;
    }
    let _alone = ALONE.lock();
    let held = super::dumpable::Dumpable::hold(&somebody(), Memory::Shared, patience().until()).unwrap();
    assert_eq!(said("id -u", somebody()).unwrap(), "65534");
    assert_eq!(dumpable::get(), 0, "the last one through restores it, and not before");
    drop(held);
    assert_eq!(dumpable::get(), 1);
}

#[test]
fn maps_are_written_while_nobody_else_is_in_between() {
    if is_root() {
        eprintln!("skipped: takes an ordinary user");
        return;
    }
    let _alone = ALONE.lock();
    if said("exit", in_user_namespace()).is_err() {
        eprintln!("skipped: takes user namespaces");
        return;
    }
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..30 {
                    assert_eq!(said("id -u", in_user_namespace()).unwrap(), "0");
                }
            });
        }
    });
    assert_eq!(dumpable::get(), 1);
}

#[test]
fn one_that_waits_for_a_start_that_stands_still_gives_up_in_time() {
    let _alone = ALONE.lock();
    let maps = in_user_namespace();
    let until = || std::time::Instant::now() + std::time::Duration::from_millis(50);
    let held = super::dumpable::Dumpable::hold(&maps, Memory::Shared, until()).unwrap();
    let second = super::dumpable::Dumpable::hold(&maps, Memory::Shared, until());
    // Root opens what it likes, and waits for nobody.
    assert_eq!(second.err().map(|failure| failure.errno), (!is_root()).then_some(Errno::ETIMEDOUT));
    drop(held);
    assert!(super::dumpable::Dumpable::hold(&maps, Memory::Shared, until()).is_ok());
}

#[test]
fn what_a_thread_may_not_its_children_may_not() {
    super::ways::ways().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let nice = identity::nice();
            crate::sys::limits::set_nice_of(0, (nice + 3).min(19)).unwrap();
            filter::refuse(&filter::rules("memfd_create=EACCES").unwrap()).unwrap();
            let script = "nice; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status";
            let found = said(script, Attributes::default()).unwrap();
            assert_eq!(found, format!("{}\nNoNewPrivs:\t1\nSeccomp:\t2", (nice + 3).min(19)));
        });
    });
}
