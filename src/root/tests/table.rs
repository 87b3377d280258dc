//! One table of names over both resolvers, under all rules and the flags that this package opens with.

use super::*;
use nix::sys::stat::FileStat;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

/// All that is asked of a resolver anywhere here, and a little more.
const FLAGS: [OFlag; 5] = [
    OFlag::O_PATH,
    OFlag::O_PATH.union(OFlag::O_DIRECTORY),
    OFlag::O_PATH.union(OFlag::O_NOFOLLOW),
    OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_DIRECTORY),
    OFlag::O_NONBLOCK.union(OFlag::O_NOCTTY),
];

pub(super) fn every_rule() -> impl Iterator<Item = Rules> {
    (0..8).map(|bits| Rules { in_root: bits & 1 != 0, follow_links: bits & 2 != 0, cross_mounts: bits & 4 != 0 })
}

type Answer = std::result::Result<(u64, u64, u32), Errno>;

fn identity(stat: &FileStat) -> (u64, u64, u32) {
    (stat.st_dev, stat.st_ino, stat.st_mode)
}

fn answer(opened: &Result<OwnedFd>) -> Answer {
    opened.as_ref().map(|fd| identity(&fstat(fd).unwrap())).map_err(|failure| failure.errno)
}

/// Both resolvers' one answer; that they agree is what is tested.
pub(super) fn agreed(root: &Directory, rules: Rules, name: &[u8], flags: OFlag) -> Answer {
    let path = CString::new(name).unwrap();
    // Both are held while they are compared, or an inode of procfs would change its number.
    let [kernels, ours] = [Resolver::Kernel, Resolver::Walk]
        .map(|resolver| patiently(|| resolver.open(root.as_fd(), rules, &path, flags)));
    let shown = String::from_utf8_lossy(name.get(..name.len().min(80)).unwrap_or_default()).into_owned();
    assert_eq!(answer(&kernels), answer(&ours), "'{shown}' under {rules:?} with {flags:?}");
    answer(&kernels)
}

/// openat2 says EAGAIN while anything on the system is renamed or mounted, and other tests do both; who uses it takes the
/// walk then.
fn patiently(open: impl Fn() -> Result<OwnedFd>) -> Result<OwnedFd> {
    loop {
        match open() {
            Err(failure) if failure.errno == Errno::EAGAIN => std::thread::yield_now(),
            answer => return answer,
        }
    }
}

fn agree_always(root: &Directory, name: &[u8]) {
    for rules in every_rule() {
        for flags in FLAGS {
            let _ = agreed(root, rules, name, flags);
        }
    }
}

/// A tree with links of every kind.
fn tree() -> Place {
    let place = Place::new();
    for (name, target) in [
        ("inner", "a/b"),
        ("to-file", "a/b/file"),
        ("inner-slash", "a/b/"),
        ("file-slash", "a/b/file/"),
        ("dots", "a/b/.."),
        ("dot", "."),
        ("a/back", "../a/b/file"),
        ("a/b/top", "../.."),
        ("up", ".."),
        ("far-up", "../../../../../a/b/file"),
        ("out", "../outside/file"),
        ("abs-in", "/a/b/file"),
        ("abs", "/etc/passwd"),
        ("slash", "/"),
        ("slashes", "//a//b//"),
        ("hop", "up"),
        ("loop", "pool"),
        ("pool", "loop"),
        ("self", "self"),
        ("under-itself", "under-itself/x"),
        ("gone", "nothing"),
        ("gone-up", "nothing/../a"),
        ("chain-1", "a/b/file"),
        ("dir-chain-1", "a/b"),
    ] {
        place.link(name, target);
    }
    for length in 2..=41 {
        place.link(&format!("chain-{length}"), &format!("chain-{}", length - 1));
        place.link(&format!("dir-chain-{length}"), &format!("dir-chain-{}/", length - 1));
    }
    mkfifo(&place.at("fifo"), Mode::S_IRWXU).unwrap();
    drop(UnixListener::bind(place.at("socket")).unwrap());
    fs::write(place.at(&"n".repeat(255)), "").unwrap();
    fs::write(place.0.join("root").join(std::ffi::OsString::from_vec(b"\xff\xfe".to_vec())), "").unwrap();
    place
}

/// What a name leads to: a file, by its own plain name, or an errno.
#[derive(Clone, Copy)]
enum Leads {
    To(&'static str),
    Not(Errno),
}
use Errno::{ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV};
use Leads::{Not, To};

/// A name; where it leads beneath, and in-root.
const NAMES: &[(&str, Leads, Leads)] = &[
    ("a", To("a"), To("a")),
    ("a/b/file", To("a/b/file"), To("a/b/file")),
    (".", To("."), To(".")),
    ("./", To("."), To(".")),
    ("a/.", To("a"), To("a")),
    ("./a//b/././file", To("a/b/file"), To("a/b/file")),
    ("a//", To("a"), To("a")),
    ("a/b/", To("a/b"), To("a/b")),
    ("a/b/file/", Not(ENOTDIR), Not(ENOTDIR)),
    ("a/b/file/.", Not(ENOTDIR), Not(ENOTDIR)),
    ("a/b/file/..", Not(ENOTDIR), Not(ENOTDIR)),
    ("a/b/file/x", Not(ENOTDIR), Not(ENOTDIR)),
    ("", Not(ENOENT), Not(ENOENT)),
    ("nothing", Not(ENOENT), Not(ENOENT)),
    ("nothing/", Not(ENOENT), Not(ENOENT)),
    ("nothing/..", Not(ENOENT), Not(ENOENT)),
    ("nothing/../../..", Not(ENOENT), Not(ENOENT)),
    // up
    ("..", Not(EXDEV), To(".")),
    ("../", Not(EXDEV), To(".")),
    ("../a", Not(EXDEV), To("a")),
    ("../root/a", Not(EXDEV), Not(ENOENT)),
    ("../outside/file", Not(EXDEV), Not(ENOENT)),
    ("a/..", To("."), To(".")),
    ("a/../", To("."), To(".")),
    ("a/../..", Not(EXDEV), To(".")),
    ("a/../../a/b", Not(EXDEV), To("a/b")),
    ("a/b/../../a/b/file", To("a/b/file"), To("a/b/file")),
    ("a/b/.././../a", To("a"), To("a")),
    ("a/b/../b/../b/../b/file", To("a/b/file"), To("a/b/file")),
    ("a/b/../../..", Not(EXDEV), To(".")),
    // absolute
    ("/", Not(EXDEV), To(".")),
    ("//", Not(EXDEV), To(".")),
    ("/a/b/file", Not(EXDEV), To("a/b/file")),
    ("//a/b/file", Not(EXDEV), To("a/b/file")),
    ("/..", Not(EXDEV), To(".")),
    ("/../../a", Not(EXDEV), To("a")),
    // links
    ("inner", To("a/b"), To("a/b")),
    ("inner/", To("a/b"), To("a/b")),
    ("inner/file", To("a/b/file"), To("a/b/file")),
    ("inner/..", To("a"), To("a")),
    ("inner/../..", To("."), To(".")),
    ("inner/../../..", Not(EXDEV), To(".")),
    ("to-file", To("a/b/file"), To("a/b/file")),
    ("to-file/", Not(ENOTDIR), Not(ENOTDIR)),
    ("to-file/x", Not(ENOTDIR), Not(ENOTDIR)),
    ("to-file/..", Not(ENOTDIR), Not(ENOTDIR)),
    ("inner-slash", To("a/b"), To("a/b")),
    ("inner-slash/file", To("a/b/file"), To("a/b/file")),
    ("file-slash", Not(ENOTDIR), Not(ENOTDIR)),
    ("dots", To("a"), To("a")),
    ("dots/b/file", To("a/b/file"), To("a/b/file")),
    ("dot/dot/dot", To("."), To(".")),
    ("a/back", To("a/b/file"), To("a/b/file")),
    ("a/b/top", To("."), To(".")),
    ("a/b/top/a", To("a"), To("a")),
    ("a/b/top/..", Not(EXDEV), To(".")),
    ("inner/top/inner/top/a", To("a"), To("a")),
    ("up", Not(EXDEV), To(".")),
    ("up/root/a", Not(EXDEV), Not(ENOENT)),
    ("up/a", Not(EXDEV), To("a")),
    ("hop", Not(EXDEV), To(".")),
    ("far-up", Not(EXDEV), To("a/b/file")),
    ("out", Not(EXDEV), Not(ENOENT)),
    ("abs-in", Not(EXDEV), To("a/b/file")),
    ("abs", Not(EXDEV), Not(ENOENT)),
    ("slash", Not(EXDEV), To(".")),
    ("slash/", Not(EXDEV), To(".")),
    ("slash/a", Not(EXDEV), To("a")),
    ("slash/slash/..", Not(EXDEV), To(".")),
    ("slashes/file", Not(EXDEV), To("a/b/file")),
    ("gone", Not(ENOENT), Not(ENOENT)),
    ("gone/", Not(ENOENT), Not(ENOENT)),
    ("gone/..", Not(ENOENT), Not(ENOENT)),
    ("gone-up", Not(ENOENT), Not(ENOENT)),
    ("loop", Not(ELOOP), Not(ELOOP)),
    ("loop/", Not(ELOOP), Not(ELOOP)),
    ("loop/..", Not(ELOOP), Not(ELOOP)),
    ("self", Not(ELOOP), Not(ELOOP)),
    ("under-itself", Not(ELOOP), Not(ELOOP)),
    ("chain-40", To("a/b/file"), To("a/b/file")),
    ("chain-41", Not(ELOOP), Not(ELOOP)),
    ("chain-39/", Not(ENOTDIR), Not(ENOTDIR)),
    ("dir-chain-40/file", To("a/b/file"), To("a/b/file")),
    ("dir-chain-41/file", Not(ELOOP), Not(ELOOP)),
    ("dir-chain-20/top/dir-chain-19/file", To("a/b/file"), To("a/b/file")),
    ("dir-chain-20/top/dir-chain-20/file", Not(ELOOP), Not(ELOOP)),
    // what is no program
    ("fifo", To("fifo"), To("fifo")),
    ("fifo/", Not(ENOTDIR), Not(ENOTDIR)),
    ("socket", To("socket"), To("socket")),
    ("socket/..", Not(ENOTDIR), Not(ENOTDIR)),
];

#[test]
fn both_resolvers_lead_where_the_table_says() {
    let place = tree();
    let root = place.root();
    for (name, beneath, in_root) in NAMES {
        agree_always(&root, name.as_bytes());
        for (asked, leads) in [(Asked::default(), beneath), (IN_ROOT, in_root)] {
            let expected = match leads {
                To(file) => Ok(identity(&nix::sys::stat::stat(&place.at(file)).unwrap())),
                Not(errno) => Err(*errno),
            };
            let rules = Rules::default().with(asked);
            assert_eq!(agreed(&root, rules, name.as_bytes(), OFlag::O_PATH), expected, "{name} under {rules:?}");
        }
    }
}

#[test]
fn long_and_strange_names_are_taken_as_the_kernel_takes_them() {
    let place = tree();
    let root = place.root();
    let dots = "./".repeat(2047);
    for (name, expected) in [
        ("n".repeat(255), None),
        ("n".repeat(256), Some(ENAMETOOLONG)),
        (format!("{}/..", "n".repeat(256)), Some(ENAMETOOLONG)),
        (format!("nothing/{}", "n".repeat(256)), Some(ENOENT)),
        (format!("{dots}a"), None), // 4,095 bytes
        (format!("{dots}aa"), Some(ENAMETOOLONG)),
        (format!("{}a", "a/../".repeat(800)), None),
        ("/".repeat(4096), Some(ENAMETOOLONG)),
        ("../".repeat(1300), Some(EXDEV)),
    ] {
        agree_always(&root, name.as_bytes());
        let answer = agreed(&root, Rules::default(), name.as_bytes(), OFlag::O_PATH);
        assert_eq!(answer.err(), expected, "{}", name.len());
    }
    for name in [&b"\xff\xfe"[..], b"\xff", b"\xff\xfe/", b"a/../\xff\xfe"] {
        agree_always(&root, name);
    }
}

#[test]
fn links_that_ask_for_endless_walking_are_refused_soon() {
    let place = tree();
    fs::create_dir_all(place.at(&"d/".repeat(400))).unwrap();
    place.link("endless", &format!("{}{}", "d/".repeat(400), "../d/".repeat(600)));
    let root = place.root();
    let rules = Rules::default();
    let walked = Resolver::Walk.open(root.as_fd(), rules, c"endless/a", OFlag::O_PATH).unwrap_err();
    assert_eq!((walked.errno, walked.detail.as_deref()), (ENAMETOOLONG, Some("it takes too many steps")));
    assert_eq!(Resolver::Kernel.open(root.as_fd(), rules, c"endless/a", OFlag::O_PATH).unwrap_err().errno, ENOENT);
}

#[test]
fn links_are_denied_in_any_component() {
    let place = tree();
    let root = place.root();
    let deny = Rules::default().with(DENY);
    for name in ["inner", "inner/file", "inner/", "a/b/top", "a/b/top/a", "abs", "up", "gone", "loop", "out"] {
        assert_eq!(agreed(&root, deny, name.as_bytes(), OFlag::O_PATH).err(), Some(ELOOP), "{name}");
    }
    for name in ["a/b/file", "a/../a", "."] {
        assert_eq!(agreed(&root, deny, name.as_bytes(), OFlag::O_PATH).err(), None, "{name}");
    }
    assert_eq!(agreed(&root, deny, b"inner", OFlag::O_PATH | OFlag::O_NOFOLLOW).err(), None, "the link itself");
}

#[test]
fn magic_links_lead_nowhere() {
    let root = open(b"/proc");
    for (name, expected) in [
        ("self/exe", Some(ELOOP)),
        ("self/cwd", Some(ELOOP)),
        ("self/cwd/..", Some(ELOOP)),
        ("self/root/etc/passwd", Some(ELOOP)),
        ("self/fd/0", Some(ELOOP)),
        ("self/fd/98765", Some(ENOENT)),
        ("self/ns/mnt", Some(ELOOP)),
        ("thread-self/exe", Some(ELOOP)),
        ("self/task/../exe", Some(ELOOP)),
        ("self/status", None),
        ("thread-self/status", None),
        ("mounts", None),
        ("net/dev", None),
        ("self/..", None),
    ] {
        agree_always(&root, name.as_bytes());
        assert_eq!(agreed(&root, Rules::default(), name.as_bytes(), OFlag::O_PATH).err(), expected, "{name}");
    }
    for name in ["fd", "fd/0", "stdin", "null", "zero/"] {
        agree_always(&open(b"/dev"), name.as_bytes());
        agree_always(&open(b"/"), format!("dev/{name}").as_bytes());
    }
    for name in ["proc/self/root/proc/self/status", "proc/self/cwd", "/proc/1/../self/status"] {
        agree_always(&open(b"/"), name.as_bytes());
    }
}

#[test]
fn mounts_are_not_crossed_where_they_must_not_be() {
    let root = open(b"/");
    let one = Rules::default().with(ONE_MOUNT);
    for name in ["proc", "proc/", "proc/self/status", "proc/..", "dev/../proc", "/proc", "sys"] {
        agree_always(&root, name.as_bytes());
    }
    assert_eq!(agreed(&root, one, b"proc", OFlag::O_PATH).err(), Some(EXDEV));
    assert_eq!(agreed(&root, one, b"etc/..", OFlag::O_PATH).err(), None);
    assert_eq!(agreed(&open(b"/proc"), one, b"self/status", OFlag::O_PATH).err(), None);
}

#[test]
fn a_bind_mount_is_a_mount() {
    let place = tree();
    let target = place.at("bound");
    fs::create_dir(&target).unwrap();
    let bound = |verb: &str, words: &[&std::path::Path]| {
        std::process::Command::new(verb)
            .args(words)
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    if !bound("mount", &["--bind".as_ref(), &place.at("a"), &target]) {
        println!("skipped: a bind mount cannot be made here (that takes root)");
        return;
    }
    let root = place.root();
    let names = ["bound", "bound/", "bound/b/file", "bound/..", "bound/../a/b/file", "bound/b/top/a"];
    let caught = std::panic::catch_unwind(|| {
        for name in names {
            agree_always(&root, name.as_bytes());
        }
        agreed(&root, Rules::default().with(ONE_MOUNT), b"bound/b/file", OFlag::O_PATH)
    });
    assert!(bound("umount", &[&target]));
    assert_eq!(caught.unwrap().err(), Some(EXDEV));
}

#[test]
fn a_directory_that_may_not_be_searched_is_not() {
    let place = tree();
    let set = |mode| fs::set_permissions(place.at("a/b"), fs::Permissions::from_mode(mode)).unwrap();
    set(0o600);
    if fs::metadata(place.at("a/b/file")).is_ok() {
        println!("skipped: root may search every directory");
    } else {
        let root = place.root();
        for name in ["a/b", "a/b/file", "a/b/.", "a/b/..", "a/b/../b", "a/b/nothing", "inner/..", "inner/file", "a/b/"]
        {
            agree_always(&root, name.as_bytes());
        }
    }
    set(0o700);
}
