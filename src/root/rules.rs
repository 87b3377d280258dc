//! What a name may lead through, under a Root.

/// Beneath, or as if the root were '/'; the other two hold for every component of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Absolute names, absolute links and `..` are resolved as if the root were '/', instead of being refused.
    pub(crate) in_root: bool,
    pub(crate) follow_links: bool,
    pub(crate) cross_mounts: bool,
}

/// What is asked for by name; the rest is inherited.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) in_root: Option<bool>,
    pub(crate) follow_links: Option<bool>,
    pub(crate) cross_mounts: Option<bool>,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { in_root: false, follow_links: true, cross_mounts: true }
    }
}

impl Rules {
    pub(super) fn with(self, asked: Asked) -> Rules {
        Rules {
            in_root: asked.in_root.unwrap_or(self.in_root),
            follow_links: asked.follow_links.unwrap_or(self.follow_links),
            cross_mounts: asked.cross_mounts.unwrap_or(self.cross_mounts),
        }
    }
}
