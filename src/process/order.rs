//! In which order a child does what it is to do. The kernel decides it: limits while privileged, the list of descriptors
//! before another root hides it, moves before RLIMIT_NOFILE forbids their numbers, ids after all that they may not do,
//! the directory as the new identity, the death signal after the ids (which clear it), signals last of all.

use super::act::{Act, Cpus, Groups, Text};
use super::attributes::{Attributes, Limit};
use super::birth::Joining;
use super::means::{Begin, Gate, Means};
use super::plan::Move;
use super::reap::Scope;
use crate::sys::{identity, limits, namespaces};
use std::os::fd::{AsRawFd, RawFd};

/// All that the order is made from.
pub(super) struct Todo<'a> {
    pub(super) attributes: &'a Attributes,
    pub(super) scope: Scope,
    pub(super) means: &'a Means,
    pub(super) gate: Option<&'a Gate>,
    pub(super) joining: Option<&'a Joining>,
    pub(super) moves: &'a [Move],
    /// Where the parent's table ends for a child that begins in it: its first act is to take a copy of what lies below.
    pub(super) own_table: Option<RawFd>,
    /// What is to stay open though nobody asked for it.
    pub(super) stays: Option<RawFd>,
    /// A number above all that is moved.
    pub(super) spare: RawFd,
    /// Where the directory is that it enters before the moves.
    pub(super) first_cwd: Option<RawFd>,
    /// Where the directory to begin in is after them.
    pub(super) cwd: Option<RawFd>,
}

impl Todo<'_> {
    pub(super) fn acts(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        acts.extend(self.own_table.map(|first| Act::Move(Move::Unshare { first })));
        self.enter_namespaces(&mut acts);
        self.choose_group(&mut acts);
        self.set_limits(&mut acts);
        self.change_root(&mut acts);
        self.move_descriptors(&mut acts);
        self.change_identity(&mut acts);
        self.change_directory(&mut acts);
        self.restrict(&mut acts);
        acts.push(Act::ResetSignals);
        acts
    }

    fn enter_namespaces(&self, acts: &mut Vec<Act>) {
        let asked = &self.attributes.namespaces;
        acts.extend(self.gate.map(|gate| {
            let (ours, theirs) = gate.numbers();
            Act::AwaitMaps { ours, theirs }
        }));
        if let Some(Joining::ByHand(procs)) = self.joining {
            acts.push(Act::JoinCgroup(procs.as_raw_fd()));
            // Not at birth: the root of a cgroup namespace is where its maker is.
            if asked.has(namespaces::CGROUP) {
                acts.push(Act::Unshare(namespaces::CGROUP as i32));
            }
        }
        // Before anything is changed that this would take rights for.
        acts.extend(self.first_cwd.map(Act::ChangeDirectory));
        if asked.new_mount() {
            acts.extend(self.carried_over());
            acts.push(Act::Unshare(namespaces::MOUNT as i32));
            acts.push(Act::MakeMountsPrivate);
        }
    }

    /// A descriptor stays in the mount namespace in which it was opened; a working directory is carried over into the
    /// new one by unshare(2). Hence the directory that is needed inside is entered before.
    fn carried_over(&self) -> Option<Act> {
        match (&self.means.chroot, &self.means.begin) {
            (Some(root), _) => Some(Act::EnterRoot(root.as_raw_fd())),
            (None, Begin::At(cwd)) => Some(Act::ChangeDirectory(cwd.as_raw_fd())),
            _ => None,
        }
    }

    fn choose_group(&self, acts: &mut Vec<Act>) {
        let Attributes { detached, pgid, foreground, .. } = *self.attributes;
        if detached {
            acts.push(Act::NewSession);
            return;
        }
        let pgid = pgid.or((foreground || self.scope == Scope::Group).then_some(0));
        acts.extend(pgid.map(Act::JoinGroup));
        if let Some(tty) = &self.means.tty {
            acts.push(Act::TakeForeground { tty: tty.as_raw_fd(), pgid: pgid.unwrap_or(0) });
        }
    }

    fn set_limits(&self, acts: &mut Vec<Act>) {
        acts.extend(self.limits(false));
        // In a new user namespace the parent has done it: nobody inside may.
        let nice = self.attributes.nice.filter(|nice| raises(*nice) && !self.attributes.namespaces.new_user());
        acts.extend(nice.map(Act::SetNice));
    }

    /// RLIMIT_NOFILE, or the others.
    fn limits(&self, of_files: bool) -> impl Iterator<Item = Act> {
        let chosen = move |limit: &&Limit| (limit.resource == limits::NOFILE) == of_files;
        let act = |&Limit { resource, soft, hard }: &Limit| Act::SetLimit { resource, soft, hard };
        self.attributes.rlimits.iter().filter(chosen).map(act)
    }

    fn change_root(&self, acts: &mut Vec<Act>) {
        if let Some(root) = &self.means.chroot {
            if !self.attributes.namespaces.new_mount() {
                acts.push(Act::EnterRoot(root.as_raw_fd()));
            }
            // From here on only what is moved is needed, and that has lower numbers.
            if !self.attributes.keep_fds {
                acts.push(Act::HoldList(self.spare));
            }
            acts.push(Act::ChangeRoot);
        }
        acts.extend(self.attributes.umask.map(Act::SetUmask));
    }

    fn move_descriptors(&self, acts: &mut Vec<Act>) {
        let listed = self.means.chroot.is_some();
        acts.extend(self.moves.iter().filter_map(|step| match *step {
            Move::CloseRange { .. } if self.attributes.keep_fds => None,
            Move::CloseRange { first, last } if listed => Some(Act::CloseListed { first, last, list: self.spare }),
            step => Some(Act::Move(step)),
        }));
        acts.extend(self.stays.map(|fd| Act::Move(Move::Stay { fd })));
        acts.extend(self.attributes.ctty.map(Act::TakeTerminal));
        acts.extend(self.limits(true));
    }

    fn change_identity(&self, acts: &mut Vec<Act>) {
        let attributes = self.attributes;
        if attributes.sets_groups() {
            let groups = attributes.groups.as_deref().unwrap_or_default();
            let optional = attributes.may_keep_groups();
            acts.push(Act::SetGroups(Groups { first: groups.as_ptr(), count: groups.len(), optional }));
        }
        acts.extend(attributes.gid.map(Act::SetGid));
        if attributes.ambient != 0 && attributes.uid.is_some() {
            acts.push(Act::KeepCapabilities);
        }
        acts.extend(attributes.uid.map(Act::SetUid));
        if attributes.ambient != 0 {
            acts.push(Act::InheritCapabilities(attributes.ambient));
            acts.push(Act::RaiseCapabilities(attributes.ambient));
        }
    }

    fn change_directory(&self, acts: &mut Vec<Act>) {
        match &self.means.begin {
            Begin::Here | Begin::Inherited(_) => {}
            // It is there already, by other rights perhaps than those that it has now.
            Begin::At(_) if self.attributes.namespaces.new_mount() => acts.push(Act::ChangeDirectoryTo(c".".into())),
            Begin::At(_) => acts.extend(self.cwd.map(Act::ChangeDirectory)),
            Begin::Inside(path) => acts.push(Act::ChangeDirectoryTo(Text(path.as_ptr()))),
        }
    }

    fn restrict(&self, acts: &mut Vec<Act>) {
        let attributes = self.attributes;
        acts.extend(attributes.pdeathsig.map(|signal| Act::DieWith { parent: std::process::id() as i32, signal }));
        acts.extend(attributes.affinity.as_ref().map(|set| {
            let bytes = set.bytes();
            Act::SetAffinity(Cpus { first: bytes.as_ptr(), count: bytes.len() })
        }));
        acts.extend(attributes.nice.filter(|nice| !raises(*nice)).map(Act::SetNice));
        acts.extend(attributes.no_new_privs.then_some(Act::SetNoNewPrivs));
    }
}

/// Whether a nice value is a higher priority than this thread's own, which takes a privilege.
pub(super) fn raises(nice: i32) -> bool {
    nice < identity::nice()
}
