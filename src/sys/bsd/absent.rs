//! What only Linux has. Whoever asks for it is refused by the option's name before there is a child; what is here says
//! ENOSYS to whoever forgets that.

/// Namespaces, and the id maps of user namespaces.
pub(crate) mod namespaces {
    pub(crate) const USER: u64 = 1;
    pub(crate) const MOUNT: u64 = 2;
    pub(crate) const CGROUP: u64 = 4;
    pub(crate) const TIME: u64 = 8;

    /// 0: there is none of any name.
    pub(crate) fn flag(_name: &str) -> u64 {
        0
    }

    /// A range of ids, inside and outside.
    #[derive(Clone, Copy, Debug)]
    #[allow(dead_code, reason = "nobody reads it here")]
    pub(crate) struct IdRange {
        pub(crate) inside: u32,
        pub(crate) outside: u32,
        pub(crate) size: u32,
    }

    pub(crate) fn setgroups_denied() -> bool {
        false
    }
}

/// Calls between clone and exec.
pub(crate) mod calls {
    use std::ffi::c_int;
    use std::os::fd::RawFd;

    pub(crate) fn await_byte(_ours: RawFd, _theirs: RawFd) -> i32 {
        libc::ENOSYS
    }

    pub(crate) fn join_cgroup(_procs: RawFd) -> i32 {
        libc::ENOSYS
    }

    pub(crate) fn unshare(_flags: c_int) -> i32 {
        libc::ENOSYS
    }

    pub(crate) fn make_mounts_private() -> i32 {
        libc::ENOSYS
    }

    pub(crate) fn keep_capabilities() -> i32 {
        libc::ENOSYS
    }

    pub(crate) fn inherit_capabilities(_set: u64) -> i32 {
        libc::ENOSYS
    }

    pub(crate) fn raise_capabilities(_set: u64) -> i32 {
        libc::ENOSYS
    }
}

/// What probe() finds.
pub(crate) mod trial {
    pub(crate) fn clone_into_cgroup() -> bool {
        false
    }

    pub(crate) fn user_namespaces() -> bool {
        false
    }

    pub(crate) fn sealed_memfd() -> bool {
        false
    }

    pub(crate) fn execute_check() -> bool {
        false
    }
}

/// Whether memory that several share is kept from a child that has become somebody else: it is by other means here, of
/// the child alone.
pub(crate) mod dumpable {
    pub(crate) fn get() -> i32 {
        0
    }

    pub(crate) fn set(_dumpable: i32) {}

    pub(crate) fn is_cleared_for_others() -> bool {
        true
    }
}

/// Directories of control groups.
pub(crate) mod cgroup {
    use std::os::fd::BorrowedFd;

    pub(crate) fn is_one(_directory: BorrowedFd<'_>) -> bool {
        false
    }
}
