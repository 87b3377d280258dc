//! What is asked of a kernel that resolves a whole name: `files::open_resolved` of each system takes it.

/// What a name may lead through; magic links never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct How {
    /// As if the root were '/'; otherwise what leads out is EXDEV.
    pub(crate) in_root: bool,
    pub(crate) follow_links: bool,
    pub(crate) cross_mounts: bool,
}
