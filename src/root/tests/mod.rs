//! What both resolvers must do alike: a table of names, and random trees.

mod random;
mod table;

use super::*;
use std::ffi::CString;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory `root` with a directory `outside` beside it, gone with the value.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let at = std::env::temp_dir().join(format!("command-root-{}-{number}", std::process::id()));
        fs::create_dir_all(at.join("root/a/b")).unwrap();
        fs::create_dir_all(at.join("outside")).unwrap();
        fs::write(at.join("root/a/b/file"), "inside").unwrap();
        fs::write(at.join("outside/file"), "outside").unwrap();
        Place(at)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join("root").join(name)
    }

    fn root(&self) -> Directory {
        open(self.0.join("root").as_os_str().as_bytes())
    }

    fn link(&self, name: &str, target: &str) {
        symlink(target, self.at(name)).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(path: &[u8]) -> Directory {
    Directory::open(&CString::new(path).unwrap()).unwrap()
}

fn failure(root: &Directory, name: &str) -> Failure {
    root.find(&CString::new(name).unwrap()).unwrap_err()
}

const IN_ROOT: Asked = Asked { in_root: Some(true), follow_links: None, cross_mounts: None };
const DENY: Asked = Asked { in_root: None, follow_links: Some(false), cross_mounts: None };
const ONE_MOUNT: Asked = Asked { in_root: None, follow_links: None, cross_mounts: Some(false) };

#[test]
fn an_escape_names_the_link_that_leads_out() {
    let place = Place::new();
    for (name, target) in [("a/abs", "/etc"), ("hop", "a/abs"), ("up", "a/../../outside")] {
        place.link(name, target);
    }
    let root = place.root();
    for (name, words) in [
        ("a/abs/passwd", "the link 'a/abs' leads to '/etc'"),
        ("hop/passwd", "the link 'a/abs' leads to '/etc'"),
        ("up", "the link 'up' leads to 'a/../../outside'"),
        ("a/../..", "'a/../..' goes above it"),
        ("/etc", "'/etc' is absolute"),
    ] {
        let failure = failure(&root, name);
        assert_eq!((failure.errno, failure.reason), (Errno::EXDEV, Some(Reason::Escape)), "{name}");
        assert_eq!(failure.detail.as_deref(), Some(words), "{name}");
    }
}

#[test]
fn a_link_that_is_not_followed_is_named() {
    let place = Place::new();
    for (name, target) in [("inner", "a/b"), ("a/hop", "../inner"), ("loop", "pool"), ("pool", "loop")] {
        place.link(name, target);
    }
    for (asked, name, words) in [
        (DENY, "inner/file", "the link 'inner' leads to 'a/b'"),
        (DENY, "a/hop/file", "the link 'a/hop' leads to '../inner'"),
        (Asked::default(), "loop/file", "the link 'loop' leads to 'pool'"),
    ] {
        let failure = failure(&place.root().under(asked), name);
        assert_eq!((failure.errno, failure.reason), (Errno::ELOOP, None), "{name}");
        assert_eq!(failure.detail.as_deref(), Some(words), "{name}");
    }
    let magic = failure(&open(b"/proc"), "self/cwd/x");
    let here = std::env::current_dir().unwrap();
    assert_eq!(magic.detail, Some(format!("the link 'self/cwd' leads to '{}'", here.display())));
}

#[test]
fn a_mount_is_told_from_an_escape() {
    let root = open(b"/").under(ONE_MOUNT);
    let crossing = failure(&root, "proc/self/status");
    assert_eq!((crossing.errno, crossing.reason), (Errno::EXDEV, None));
    assert_eq!(crossing.detail.as_deref(), Some("it leads onto another mount"));
    assert_eq!(failure(&root, "proc/../..").reason, Some(Reason::Escape));
    assert_eq!(failure(&root, "..").reason, Some(Reason::Escape));
    assert_eq!(failure(&open(b"/").under(IN_ROOT).under(ONE_MOUNT), "/proc").reason, None);
}

#[test]
fn a_directory_hands_on_its_rules() {
    let place = Place::new();
    place.link("a/abs", "/b");
    let root = place.root().under(IN_ROOT).under(DENY);
    let inner = root.open_directory(c"/../a").unwrap();
    assert_eq!(inner.rules, Rules { in_root: true, follow_links: false, cross_mounts: true });
    assert_eq!(failure(&inner, "abs").errno, Errno::ELOOP);
    let follows = inner.under(Asked { follow_links: Some(true), ..Asked::default() });
    assert!(follows.find(c"abs/file").is_ok());
    assert!(follows.find(c"../../b/file").is_ok());
}

#[test]
fn a_file_is_no_root() {
    assert_eq!(Directory::open(c"/dev/null").unwrap_err().errno, Errno::ENOTDIR);
    assert_eq!(Directory::open(c"/no/such/directory").unwrap_err().errno, Errno::ENOENT);
    assert_eq!(Directory::from_fd(-1).unwrap_err().errno, Errno::EBADF);
    let file = fs::File::open("/dev/null").unwrap();
    assert_eq!(Directory::from_fd(file.as_raw_fd()).unwrap_err().errno, Errno::ENOTDIR);
}
