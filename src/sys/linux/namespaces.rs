//! Namespaces by name, and the id maps of user namespaces, which somebody outside has to write.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::Mode;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::{getpid, write};
use std::fmt::Write as _;
use std::os::fd::OwnedFd;

pub(crate) const USER: u64 = libc::CLONE_NEWUSER as u64;
pub(crate) const PID: u64 = libc::CLONE_NEWPID as u64;
pub(crate) const MOUNT: u64 = libc::CLONE_NEWNS as u64;
pub(crate) const CGROUP: u64 = libc::CLONE_NEWCGROUP as u64;
pub(crate) const TIME: u64 = super::clone::NEWTIME;

/// The clone flag of a namespace; 0: there is none of that name.
pub(crate) fn flag(name: &str) -> u64 {
    match name {
        "user" => USER,
        "pid" => PID,
        "net" => libc::CLONE_NEWNET as u64,
        "mount" => MOUNT,
        "ipc" => libc::CLONE_NEWIPC as u64,
        "uts" => libc::CLONE_NEWUTS as u64,
        "cgroup" => CGROUP,
        "time" => TIME,
        _ => 0,
    }
}

/// A range of ids, inside and outside (user_namespaces(7)).
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdRange {
    pub(crate) inside: u32,
    pub(crate) outside: u32,
    pub(crate) size: u32,
}

/// Whether this process's own user namespace allows setgroups(2) to nobody.
pub(crate) fn setgroups_denied() -> bool {
    std::fs::read("/proc/self/setgroups").is_ok_and(|word| word.starts_with(b"deny"))
}

/// What the kernel said to which call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) syscall: &'static str,
    pub(crate) errno: Errno,
}

/// A process of this one's, by what /proc has of it.
#[derive(Debug)]
pub(crate) struct Proc {
    root: OwnedFd,
    pid: libc::pid_t,
}

impl Proc {
    /// ENOENT: /proc is not the kernel's, or that of another pid namespace, where the number is somebody else's.
    pub(crate) fn of(pid: libc::pid_t) -> Result<Proc, Errno> {
        let root = open(c"/proc", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        let root = crate::sys::fd::lift(root)?;
        let is_ours = fstatfs(&root)?.filesystem_type() == PROC_SUPER_MAGIC
            && readlinkat(&root, c"self").is_ok_and(|own| own == getpid().to_string().as_str());
        if is_ours { Ok(Proc { root, pid }) } else { Err(Errno::ENOENT) }
    }

    /// uid_map or gid_map, in one write, as the kernel wants it.
    pub(crate) fn write_map(&self, file: &str, map: &[IdRange]) -> Result<(), Refused> {
        let mut lines = String::new();
        for IdRange { inside, outside, size } in map {
            // It cannot fail: strings take all that is written to them.
            let _ = writeln!(lines, "{inside} {outside} {size}");
        }
        self.write(file, lines.as_bytes())
    }

    /// Whether setgroups(2) may be called there; before the gid map is written.
    pub(crate) fn allow_setgroups(&self, allowed: bool) -> Result<(), Refused> {
        match self.write("setgroups", if allowed { b"allow" } else { b"deny" }) {
            // Before 3.19 there is no such file, and nobody who could not write the map without it.
            Err(Refused { errno: Errno::ENOENT, .. }) => Ok(()),
            answer => answer,
        }
    }

    fn write(&self, file: &str, content: &[u8]) -> Result<(), Refused> {
        let refused = |syscall| move |errno| Refused { syscall, errno };
        let path = format!("{}/{file}", self.pid);
        let opened = openat(&self.root, path.as_str(), OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty());
        let fd = opened.map_err(refused("open"))?;
        match write(&fd, content).map_err(refused("write"))? {
            count if count == content.len() => Ok(()),
            _ => Err(refused("write")(Errno::EIO)),
        }
    }
}
