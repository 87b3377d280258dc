//! Names resolved without the kernel's help: one component at a time, by descriptor, no link ever followed by the kernel.
//!
//! `..` is never asked of the kernel: a directory that was moved meanwhile would answer with another parent. The walk
//! starts again from the root with the shortened name instead. What it cannot see, and openat2(2) can: a directory that
//! is carried out of the root, given a file there, and walked into while it is away. Mount points of autofs are not
//! triggered by it.

use super::rules::Rules;
use crate::failure::{Failure, Reason, Result, Step};
use crate::sys::files::{self, HELD, open_at};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, SFlag, fstat};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

/// As many links as the kernel follows (MAXSYMLINKS).
const LINKS: usize = 40;
/// The kernel takes no longer name, its NUL included (PATH_MAX).
const LONGEST: usize = 4096;
/// Components opened in all, a tenth of a second. Names and links of somebody who means harm could ask for hundreds of
/// millions, since each `..` starts again; openat2 has no such limit and no need of it.
const STEPS: usize = 1 << 16;
/// Links of procfs that are words; all others may be magic, and lead wherever a process has something open.
const WORDS_OF_PROCFS: [&[u8]; 4] = [b"self", b"thread-self", b"mounts", b"net"];

pub(super) fn open(root: BorrowedFd<'_>, rules: Rules, name: &CStr, flags: OFlag) -> Result<OwnedFd> {
    let mut walk = Walk::begin(root, rules, flags)?;
    walk.read_name(name.to_bytes())?;
    walk.go()
}

struct Walk<'a> {
    root: BorrowedFd<'a>,
    rules: Rules,
    flags: OFlag,
    /// The only mount that may be walked on.
    mount: Option<u64>,
    /// The directory reached.
    here: OwnedFd,
    /// How it was reached: no links, no dots.
    done: Vec<Vec<u8>>,
    /// What is to come, the next one last.
    rest: Vec<Vec<u8>>,
    /// The name, or the last link, ends with a slash.
    directory: bool,
    links: usize,
    steps: usize,
}

impl<'a> Walk<'a> {
    fn begin(root: BorrowedFd<'a>, rules: Rules, flags: OFlag) -> Result<Walk<'a>> {
        let mount = if rules.cross_mounts { None } else { Some(mount_of(root)?) };
        let here = open_root(root)?;
        let (done, rest) = (Vec::new(), Vec::new());
        Ok(Walk { root, rules, flags, mount, here, done, rest, directory: false, links: 0, steps: 0 })
    }

    fn read_name(&mut self, name: &[u8]) -> Result<()> {
        match name.len() {
            0 => Err(refused(Errno::ENOENT)),
            LONGEST.. => Err(refused(Errno::ENAMETOOLONG)),
            _ => self.read(name),
        }
    }

    /// Takes a name, or what a link holds, as the next part of the way.
    fn read(&mut self, path: &[u8]) -> Result<()> {
        if path.starts_with(b"/") {
            if !self.rules.in_root {
                return Err(refused(Errno::EXDEV));
            }
            self.start_again()?;
            self.done.clear();
        }
        if self.rest.is_empty() {
            self.directory |= path.ends_with(b"/");
        }
        let components = path.split(|byte| *byte == b'/').filter(|component| !component.is_empty());
        self.rest.extend(components.rev().map(<[u8]>::to_vec));
        Ok(())
    }

    fn go(&mut self) -> Result<OwnedFd> {
        while let Some(component) = self.rest.pop() {
            match component.as_slice() {
                b"." => self.search()?,
                b".." => self.climb()?,
                _ => {
                    if let Some(found) = self.enter(component)? {
                        return Ok(found);
                    }
                }
            }
        }
        self.open_beneath_here(b".", self.flags)
    }

    /// `.` and `..`, too, need the permission to search the directory.
    fn search(&mut self) -> Result<()> {
        self.open_beneath_here(b".", HELD).map(drop)
    }

    /// Goes up by as many `..` as stand in a row.
    fn climb(&mut self) -> Result<()> {
        self.search()?;
        let mut next = Some(b"..".to_vec());
        while let Some(b"." | b"..") = next.as_deref() {
            let up = next.as_deref() == Some(b"..");
            if up && self.done.pop().is_none() && !self.rules.in_root {
                return Err(refused(Errno::EXDEV));
            }
            next = self.rest.pop();
        }
        // What dots lead to is a directory, whatever has its name by the time that it is opened again.
        self.directory |= next.is_none();
        self.rest.extend(next);
        self.start_again()?;
        self.rest.extend(self.done.drain(..).rev());
        Ok(())
    }

    fn start_again(&mut self) -> Result<()> {
        self.here = open_root(self.root)?;
        Ok(())
    }

    /// One component down: into a directory, along a link, or to what was looked for.
    fn enter(&mut self, name: Vec<u8>) -> Result<Option<OwnedFd>> {
        let file = self.open_beneath_here(&name, HELD | OFlag::O_NOFOLLOW)?;
        let stat = look(&file)?;
        let last = self.rest.is_empty();
        if kind(&stat) == SFlag::S_IFLNK && !(last && self.keeps_links()) {
            return self.follow(&file, &name).map(|()| None);
        }
        if last {
            return self.arrive(file, &stat, name);
        }
        if kind(&stat) != SFlag::S_IFDIR {
            return Err(refused(Errno::ENOTDIR));
        }
        self.here = file;
        self.done.push(name);
        Ok(None)
    }

    /// Whether a link in the last component is itself what is asked for. A slash after it says no.
    fn keeps_links(&self) -> bool {
        self.flags.contains(OFlag::O_NOFOLLOW) && !self.directory
    }

    fn follow(&mut self, link: &OwnedFd, name: &[u8]) -> Result<()> {
        self.links += 1;
        if self.links > LINKS || !self.rules.follow_links {
            return Err(refused(Errno::ELOOP));
        }
        let place = CString::new(name).map_err(|_| refused(Errno::EINVAL))?;
        let target = files::read_link(link.as_fd(), self.here.as_fd(), &place);
        let target = target.map_err(Failure::at(Step::Resolve, "readlinkat"))?;
        let rules = files::link_rules(link.as_fd()).map_err(Failure::at(Step::Resolve, "fstatfs"))?;
        if rules.nosymfollow || (rules.procfs && !WORDS_OF_PROCFS.contains(&name)) {
            return Err(refused(Errno::ELOOP));
        }
        self.read(&target.into_vec())
    }

    /// Opens the last component as it was asked for. Its name is tried again where it leads to another file by then.
    fn arrive(&mut self, file: OwnedFd, stat: &FileStat, name: Vec<u8>) -> Result<Option<OwnedFd>> {
        let directory = self.directory || self.flags.contains(OFlag::O_DIRECTORY);
        if directory && kind(stat) != SFlag::S_IFDIR {
            return Err(refused(Errno::ENOTDIR));
        }
        if self.flags.contains(HELD) {
            return Ok(Some(file));
        }
        if kind(stat) == SFlag::S_IFLNK {
            return Err(refused(Errno::ELOOP));
        }
        match self.open_beneath_here(&name, self.flags | OFlag::O_NOFOLLOW) {
            Ok(opened) if is_same(&look(&opened)?, stat) => return Ok(Some(opened)),
            Err(failure) if failure.errno != Errno::ELOOP => return Err(failure),
            _ => self.rest.push(name),
        }
        Ok(None)
    }

    fn open_beneath_here(&mut self, name: &[u8], flags: OFlag) -> Result<OwnedFd> {
        self.steps += 1;
        if self.steps > STEPS {
            return Err(refused(Errno::ENAMETOOLONG).detail("it takes too many steps"));
        }
        let name = CString::new(name).map_err(|_| refused(Errno::EINVAL))?;
        let file = open_at(self.here.as_fd(), &name, flags).map_err(refused)?;
        match self.mount {
            Some(mount) if mount_of(file.as_fd())? != mount => Err(refused(Errno::EXDEV)),
            _ => Ok(file),
        }
    }
}

fn open_root(root: BorrowedFd<'_>) -> Result<OwnedFd> {
    open_at(root, c".", HELD | OFlag::O_DIRECTORY).map_err(refused)
}

fn mount_of(fd: BorrowedFd<'_>) -> Result<u64> {
    files::mount_id(fd).map_err(|errno| {
        let failure = Failure::new(Step::Resolve, files::MOUNT_CALL, errno).because(Reason::Unavailable);
        failure.detail(format!("crossMounts: false, which needs {},", files::MOUNT_NEEDS))
    })
}

fn look(file: &OwnedFd) -> Result<FileStat> {
    fstat(file).map_err(Failure::at(Step::Resolve, "fstat"))
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

fn is_same(one: &FileStat, other: &FileStat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

fn refused(errno: Errno) -> Failure {
    Failure::new(Step::Resolve, "openat", errno)
}
